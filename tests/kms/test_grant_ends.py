"""RetireGrant and RevokeGrant over HTTP, with boto3, and grant tokens: who may end a grant, and that it ends."""

import asyncio
import json
import secrets
from typing import Any

import pytest

from fuin.formats import grant_token
from tests.kms.asking import UNSEEN, NewKey, arn_of, refusal
from tests.kms.granting import give, somebody
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place
from tests.support.policies import allow
from tests.support.server import User

DENIED = "AccessDeniedException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
OTHER = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
NOT_VALID = ("InvalidGrantTokenException", "The grant token is not valid.")
DRY_RUN = "DryRunOperationException"


def missing(grant_id: str) -> tuple[str, str]:
    """Return how a grant that does not exist is refused."""
    return "NotFoundException", f"Grant ID {grant_id} not found"


@pytest.mark.parametrize("way", ["revoke", "retire", "token"])
def test_ended_grants_help_nobody(place: Place, kms: Any, new_key: NewKey, way: str) -> None:
    """When RevokeGrant or RetireGrant returns, the grant has ended: for its grantee, in lists, and as a token."""
    key_id, ann = new_key(), somebody(place)
    made = kms.create_grant(KeyId=key_id, GranteePrincipal=ann.arn, Operations=["Encrypt"])
    grant_id, token = made["GrantId"], made["GrantToken"]
    for _ in range(3):
        ann.kms.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[token])
    if way == "revoke":
        kms.revoke_grant(KeyId=key_id, GrantId=grant_id)
    elif way == "retire":
        kms.retire_grant(KeyId=arn_of(key_id), GrantId=grant_id)
    else:
        kms.retire_grant(GrantToken=token)
    assert refusal(ann.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == DENIED
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=[token]) == NOT_VALID
    assert refusal(kms.retire_grant, GrantToken=token) == NOT_VALID
    assert kms.list_grants(KeyId=key_id)["Grants"] == []
    for call in (kms.revoke_grant, kms.retire_grant):
        assert refusal(call, KeyId=arn_of(key_id), GrantId=grant_id) == missing(grant_id)


def test_other_workers_see_it_at_once(place: Place, kms: Any, new_key: NewKey) -> None:
    """A change by another process moves the epoch, so that kept decisions and grants are forgotten."""
    key_id, ann = new_key(), somebody(place)
    grant_id = give(kms, key_id, ann.arn, "Encrypt")
    ann.kms.encrypt(KeyId=key_id, Plaintext=b"x")
    place.sql("DELETE FROM grants WHERE grant_id = :id", id=grant_id)
    assert refusal(ann.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == DENIED


def test_retire_needs_one_way_of_naming(kms: Any, new_key: NewKey) -> None:
    """A grant is named by its token, or by its key and id, and not by half of it nor by both."""
    key_id = new_key()
    made = kms.create_grant(KeyId=key_id, GranteePrincipal=ROOT, Operations=["Encrypt"])
    token, names = made["GrantToken"], {"KeyId": arn_of(key_id), "GrantId": made["GrantId"]}
    for given in ({}, {"KeyId": key_id}, {"GrantId": names["GrantId"]}, {"GrantToken": token, **names}):
        assert refusal(kms.retire_grant, **given)[0] == "ValidationException"
    assert refusal(kms.retire_grant, KeyId="alias/none", GrantId=names["GrantId"])[0] == "InvalidArnException"
    assert refusal(kms.retire_grant, KeyId="x", GrantId=names["GrantId"])[0] == "NotFoundException"
    kms.retire_grant(KeyId=key_id, GrantId=names["GrantId"])  # the bare id does, as recorded from AWS


@pytest.mark.parametrize("operation", ["revoke_grant", "retire_grant"])
def test_grants_that_are_not_there(kms: Any, new_key: NewKey, operation: str) -> None:
    """What is no grant id, no grant, or another key's grant is refused."""
    key_id, call = new_key(), getattr(kms, operation)
    for bad in ("x", "g" * 64, "AB" * 32):
        assert refusal(call, KeyId=arn_of(key_id), GrantId=bad)[0] == "InvalidGrantIdException"
    none = secrets.token_hex(32)
    assert refusal(call, KeyId=arn_of(key_id), GrantId=none) == missing(none)
    others = give(kms, new_key(), ROOT)
    assert refusal(call, KeyId=arn_of(key_id), GrantId=others) == missing(others)
    assert refusal(call, KeyId=arn_of(key_id), GrantId="a" * 129)[0] == "ValidationException"
    gone = arn_of("12345678-1234-1234-1234-123456789012")
    assert refusal(call, KeyId=gone, GrantId=none) == ("NotFoundException", f"Key '{gone}' does not exist")


def test_who_may_retire(place: Place, kms: Any, new_key: NewKey) -> None:
    """The retiring principal; the grantee if the grant says so; the account, and whom it lets by policy."""
    key_id = new_key()
    ann, bob, eve = somebody(place), somebody(place), somebody(place, OTHER_ACCOUNT)
    may = place.kms(place.add_user(allow("kms:RetireGrant")))

    def fresh(**members: Any) -> dict[str, Any]:
        return {"KeyId": arn_of(key_id), "GrantId": give(kms, key_id, ann.arn, "Encrypt", "RetireGrant", **members)}

    for client in (ann.kms, may, kms):
        given = fresh()
        assert refusal(bob.kms.retire_grant, **given)[0] == DENIED
        assert UNSEEN in refusal(eve.kms.retire_grant, **given)[1]
        assert refusal(client.retire_grant, **given, DryRun=True)[0] == DRY_RUN
        client.retire_grant(**given)
    for who in (bob, eve):
        who.kms.retire_grant(**fresh(RetiringPrincipal=who.arn))
    plain = {"KeyId": key_id, "GrantId": give(kms, key_id, ann.arn, "Encrypt")}
    assert refusal(ann.kms.retire_grant, **plain)[0] == DENIED
    assert refusal(bob.kms.retire_grant, KeyId=key_id, GrantId=secrets.token_hex(32))[0] == DENIED
    assert refusal(bob.kms.retire_grant, KeyId=ids_of_nothing(), GrantId="ab" * 32)[0] == DENIED


def ids_of_nothing() -> str:
    """Return a key id that no key has."""
    return "12345678-1234-1234-1234-123456789012"


def test_an_account_may_let_its_users_retire(place: Place, kms: Any, new_key: NewKey) -> None:
    """A retiring account's root may retire, and its users with kms:RetireGrant; a denial is kept."""
    key_id = new_key()

    def fresh() -> dict[str, Any]:
        grant_id = give(kms, key_id, ROOT, "Encrypt", RetiringPrincipal=OTHER)
        return {"KeyId": arn_of(key_id), "GrantId": grant_id}

    place.kms(place.other_root).retire_grant(**fresh())
    user: User = place.add_user(account=OTHER_ACCOUNT)
    client = place.kms(user)
    assert refusal(client.retire_grant, **fresh())[0] == DENIED
    place.set_policy(user, allow("kms:RetireGrant"), OTHER_ACCOUNT)
    client.retire_grant(**fresh())
    policy = allow("kms:RetireGrant")
    policy["Statement"][0]["Effect"] = "Deny"
    place.set_policy(user, policy, OTHER_ACCOUNT)
    assert "explicit deny in an identity-based policy" in refusal(client.retire_grant, **fresh())[1]


def test_revoking_is_a_right_on_the_key(place: Place, kms: Any, new_key: NewKey) -> None:
    """RevokeGrant is for whom the key's policy allows it, wherever they are, and for nobody by the grant."""
    key_id, ann = new_key(), somebody(place)
    given = {"KeyId": arn_of(key_id), "GrantId": give(kms, key_id, ann.arn, "Encrypt", "RetireGrant")}
    assert refusal(ann.kms.revoke_grant, **given)[0] == DENIED
    other = place.kms(place.other_root)
    assert UNSEEN in refusal(other.revoke_grant, **given)[1]
    may = place.kms(place.add_user(allow("kms:RevokeGrant")))
    assert refusal(may.revoke_grant, **given, DryRun=True)[0] == DRY_RUN
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 1
    may.revoke_grant(**given)


def test_children_outlive_their_parents(place: Place, kms: Any, new_key: NewKey) -> None:
    """As in AWS a grant that was made by a grant is a grant of its own."""
    key_id, ann, bob = new_key(), somebody(place), somebody(place)
    parent = give(kms, key_id, ann.arn, "CreateGrant", "Encrypt")
    child = give(ann.kms, key_id, bob.arn, "Encrypt")
    kms.revoke_grant(KeyId=key_id, GrantId=parent)
    assert refusal(give, kms=ann.kms, key_id=key_id, arn=bob.arn)[0] == DENIED
    bob.kms.encrypt(KeyId=key_id, Plaintext=b"x")
    kms.revoke_grant(KeyId=key_id, GrantId=child)


def test_tokens(place: Place, kms: Any, new_key: NewKey) -> None:
    """A token of any grant is accepted where tokens are, and gives no right; what is no token is refused."""
    key_id, ann, bob = new_key(), somebody(place), somebody(place)
    token = kms.create_grant(KeyId=key_id, GranteePrincipal=ann.arn, Operations=["Encrypt"])["GrantToken"]
    assert refusal(bob.kms.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=[token])[0] == DENIED
    kms.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[token] * 10)
    kms.describe_key(KeyId=key_id, GrantTokens=[token])
    unknown = grant_token.encode(secrets.token_bytes(32), bytes(16))
    for bad in ("x", token[:-4], token + "AAAA", "A" * 88, "é", "\N{SNOWMAN}" * 8192, unknown, token.swapcase()):
        assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=[token, bad]) == NOT_VALID
        assert refusal(kms.describe_key, KeyId=key_id, GrantTokens=[bad]) == NOT_VALID
        assert refusal(kms.retire_grant, GrantToken=bad) == NOT_VALID
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=[token] * 11)[0] == "ValidationException"
    elsewhere = place.kms(region="eu-west-1")
    assert refusal(elsewhere.retire_grant, GrantToken=token) == NOT_VALID


def test_grants_end_with_their_key(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key past its deletion date has no grants any more, whether the janitor has run or not."""
    key_id, ann = new_key(), somebody(place)
    made = kms.create_grant(KeyId=key_id, GranteePrincipal=ann.arn, Operations=["Encrypt"], RetiringPrincipal=ann.arn)
    kms.schedule_key_deletion(KeyId=key_id)
    assert refusal(ann.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "KMSInvalidStateException"
    place.set_policy(ann.user, allow("kms:ListRetirableGrants"))
    assert len(ann.kms.list_retirable_grants(RetiringPrincipal=ann.arn)["Grants"]) == 1
    place.expire(key_id)
    assert refusal(ann.kms.retire_grant, GrantToken=made["GrantToken"]) == NOT_VALID
    assert ann.kms.list_retirable_grants(RetiringPrincipal=ann.arn)["Grants"] == []


def test_what_the_record_says(place: Place, kms: Any, new_key: NewKey) -> None:
    """Each change of grants is on the record with the key, the grant and its grantee."""
    key_id = new_key()
    grant_id = give(kms, key_id, ROOT, "Encrypt")
    facts = place.last_record().draft["facts"]
    assert facts == {
        "kmsKey": arn_of(key_id), "kmsGrant": {"id": grant_id, "to": ROOT, "operations": ["Encrypt"]},
        "parameters": {"KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Encrypt"]},
    }  # fmt: skip
    kms.revoke_grant(KeyId=key_id, GrantId=grant_id)
    draft = place.last_record().draft
    assert (draft["operation"], draft["facts"]["kmsGrant"]) == ("kms:RevokeGrant", {"id": grant_id})


def test_of_two_who_end_it_one_does(place: Place, kms: Any, new_key: NewKey) -> None:
    """A grant that somebody else ends between the look and the change is not there."""
    key_id = new_key()
    grant_id = give(kms, key_id, ROOT, "Encrypt")
    store, commit = place.services.store, place.services.store.commit

    async def late(fn: Any, *args: Any) -> Any:
        await commit(fn, *args)
        await asyncio.sleep(0)
        return await commit(fn, *args)

    try:
        store.commit = late  # type: ignore[method-assign,assignment]
        assert refusal(kms.revoke_grant, KeyId=key_id, GrantId=grant_id) == missing(grant_id)
    finally:
        store.commit = commit  # type: ignore[method-assign]


def test_key_policy_can_deny_retiring(kms: Any, new_key: NewKey, place: Place) -> None:
    """An explicit deny of kms:RetireGrant in the key policy holds for the grantee, too."""
    key_id, ann = new_key(), somebody(place)
    grant_id = give(kms, key_id, ann.arn, "Encrypt", "RetireGrant")
    policy = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    deny = {"Effect": "Deny", "Principal": {"AWS": ann.arn}, "Action": "kms:RetireGrant", "Resource": "*"}
    policy["Statement"].append(deny)
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    assert "explicit deny" in refusal(ann.kms.retire_grant, KeyId=key_id, GrantId=grant_id)[1]
