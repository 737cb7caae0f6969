"""The table of condition keys and what requests to KMS bring: the same, for every action."""

from collections import defaultdict
from pathlib import Path

import pytest

from fuin.access.question import Question
from fuin.access.vocabulary import reference
from fuin.access.vocabulary.condition_keys import TABLE, find, is_known, keys_of_action
from fuin.gate.call import Call
from fuin.kms import on_behalf, volume_keys
from fuin.kms.operations import OPERATIONS
from fuin.store.volumes import hosts
from tests.kms.operations import CONTEXT, ask_all, keep
from tests.kms.test_condition_keys import REQUESTS, VALUES
from tests.kms.test_on_behalf import call_of
from tests.store import values
from tests.support.place import Place
from tests.support.policies import allow
from tests.support.questions import recorded_questions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "condition-keys.md"
_UNUSED = "kms:trailingdayswithoutkeyusage"
_ACTIONS = {action for operation in OPERATIONS.values() for action in operation.actions}


@pytest.fixture(scope="module")
def brought(place: Place) -> dict[str, set[str]]:
    """Give the condition keys that requests have brought, by action, after every operation was asked for."""
    with recorded_questions() as asked:
        kms = place.kms()
        ask_all(kms)
        user = call_of(place, place.add_user(allow("kms:*")))
        made = place.run(on_behalf.data_key(user, keep(kms).alias, CONTEXT))
        place.run(on_behalf.open_data_key(user, made.blob, CONTEXT))
        place.run(_ask_for_volume(place, user, keep(kms).alias))
    found: dict[str, set[str]] = defaultdict(set)
    for ask in asked:
        found[ask.action] |= set(_everything(place, ask))
    return found


async def _ask_for_volume(place: Place, user: Call, alias: str) -> None:
    """Ask KMS for everything that EC2 asks for."""
    made = await volume_keys.make_volume_key(user, alias, "vol-1")
    await volume_keys.re_encrypt(user, made.blob, "vol-1", made.key_arn, "vol-2")
    await volume_keys.describe_key(user, alias)
    host = values.host(account=user.account)
    await place.services.store.change(hosts.insert_host, host)
    await volume_keys.prepare_host_grant(user, made.key_arn, "vol-1", host.principal.arn)


def _everything(place: Place, ask: Question) -> list[str]:
    """Return the names of all keys; finding out how long a key was not used means to ask the keyholder first."""

    async def gather() -> list[str]:
        facts = ask.facts()
        try:
            facts.get(_UNUSED)
        except Exception:
            facts.known[_UNUSED] = ("0",)
        return list(facts.find_all())

    return place.run(gather())


def test_every_action_was_asked_for(brought: dict[str, set[str]]) -> None:
    """So what follows speaks of all of KMS."""
    assert set(brought) == _ACTIONS


@pytest.mark.parametrize("action", sorted(_ACTIONS))
def test_an_action_brings_what_the_table_says(brought: dict[str, set[str]], action: str) -> None:
    """No key comes to an action that is not its own, and each of its own comes in some request."""
    names = {name: find(name) for name in brought[action]}
    assert [name for name, key in names.items() if key is None or not key.belongs(action) or not key.brought] == []
    came = {key.name for key in names.values() if key is not None and "*" not in key.actions}
    assert came == {key.name for key in keys_of_action(action) if "*" not in key.actions}


def test_the_page_is_current() -> None:
    """The committed page is what `python -m fuin.access.vocabulary.reference` makes now."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_names_of_the_table() -> None:
    """Every key stands in the table once, in whatever case it is asked for."""
    names = [key.name.lower() for key in TABLE]
    assert len(names) == len(set(names))
    assert is_known("KMS:viaSERVICE")
    assert is_known("kms:EncryptionContext:aws:s3:arn")
    assert not is_known("kms:EncryptionContext:")
    assert not is_known("kms:ViaServices")


def test_every_key_of_kms_is_tried_in_a_policy() -> None:
    """Each key of KMS stands in a case of `test_condition_keys.py`, or in one of the tests named here."""
    tried = {find(case[1]) for case in (*REQUESTS, *VALUES)}
    elsewhere = {find(f"kms:{name}") for name in ("PolicyName", "RequestAlias", "ResourceAliases", "ViaService")}
    assert [key.name for key in TABLE if key.name.startswith("kms:") and key not in tried | elsewhere] == []
