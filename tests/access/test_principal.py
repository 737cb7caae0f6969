"""A principal, and the key by which is found what has been decided for it."""

from dataclasses import fields, replace

import pytest

from fuin.access.principal import Principal

BASE = Principal(kind="user", arn="arn:aws:iam::111122223333:user/ann", account="111122223333", id="AIDAANN")
OTHER = {
    "kind": "role", "arn": "arn:aws:iam::111122223333:user/bob", "account": "444455556666", "id": "AIDABOB",
    "name": "bob", "identity_arn": "arn:aws:iam::111122223333:role/r", "tags": (("team", "red"),),
    "session_policies": ("{}",), "session": "s", "session_facts": (("aws:SourceIdentity", "x"),),
    "transitive": ("team",), "issuer": "AIDABOB",
}  # fmt: skip
# Field that is not in the key -> why no decision without conditions can depend on it.
NOT_IN_THE_KEY = {
    "name": "the value of aws:username, and said by the id",
    "tags": "the values of aws:PrincipalTag/…",
    "session": "said by the ARN, and decides the value of aws:MultiFactorAuthPresent",
    "session_facts": "the values of the condition keys that they name",
    "transitive": "decides which tags the next session has, nothing about this one",
}
FIELDS = sorted(field.name for field in fields(Principal) if field.init)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_changes_the_key_or_is_a_condition_key(name: str) -> None:
    """A principal that differs in a field has another key, but where the field reaches decisions by conditions only."""
    changed = replace(BASE, **{name: OTHER[name]})  # type: ignore[arg-type]
    assert changed != BASE
    assert (changed.conclusion_key == BASE.conclusion_key) == (name in NOT_IN_THE_KEY)


def test_no_reason_is_left_over() -> None:
    """Each reason is for a field that there is."""
    assert NOT_IN_THE_KEY.keys() <= set(FIELDS)


def test_equal_principals_have_one_key() -> None:
    """The key is made of the fields, and says nothing of which object it is."""
    assert replace(BASE).conclusion_key == BASE.conclusion_key
    assert "conclusion_key" not in repr(BASE)
