"""The states of a key: enabling, disabling, deletion, and the table of state × operation, cell by cell."""

import datetime
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from fuin.kms import janitor, states
from fuin.kms.operations import OPERATIONS
from fuin.store import materials
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.place import Place
from tests.support.policies import allow

Put = Callable[[Any, str], None]

STATES: dict[str, Put] = {
    "Enabled": lambda kms, key_id: None,
    "Disabled": lambda kms, key_id: kms.disable_key(KeyId=key_id),
    "PendingDeletion": lambda kms, key_id: kms.schedule_key_deletion(KeyId=key_id),
}

# One call for each operation on a key: what is asked of it, with `blob` made by the key and `alias` naming it.
CALLS: dict[str, Callable[[Any, str, bytes, str], Any]] = {
    "CancelKeyDeletion": lambda kms, key, blob, alias: kms.cancel_key_deletion(KeyId=key),
    "CreateAlias": lambda kms, key, blob, alias: kms.create_alias(AliasName=f"{alias}-new", TargetKeyId=key),
    "Decrypt": lambda kms, key, blob, alias: kms.decrypt(CiphertextBlob=blob),
    "DeleteAlias": lambda kms, key, blob, alias: kms.delete_alias(AliasName=alias),
    "DescribeKey": lambda kms, key, blob, alias: kms.describe_key(KeyId=key),
    "DisableKey": lambda kms, key, blob, alias: kms.disable_key(KeyId=key),
    "EnableKey": lambda kms, key, blob, alias: kms.enable_key(KeyId=key),
    "Encrypt": lambda kms, key, blob, alias: kms.encrypt(KeyId=key, Plaintext=b"x"),
    "GenerateDataKey": lambda kms, key, blob, alias: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
    "GenerateDataKeyWithoutPlaintext": lambda kms, key, blob, alias: kms.generate_data_key_without_plaintext(
        KeyId=key, KeySpec="AES_256"
    ),
    "GetKeyPolicy": lambda kms, key, blob, alias: kms.get_key_policy(KeyId=key),
    "GetKeyRotationStatus": lambda kms, key, blob, alias: kms.get_key_rotation_status(KeyId=key),
    "ListAliases": lambda kms, key, blob, alias: kms.list_aliases(KeyId=key),
    "ListKeyPolicies": lambda kms, key, blob, alias: kms.list_key_policies(KeyId=key),
    "ListResourceTags": lambda kms, key, blob, alias: kms.list_resource_tags(KeyId=key),
    "PutKeyPolicy": lambda kms, key, blob, alias: kms.put_key_policy(
        KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"]
    ),
    "ReEncrypt": lambda kms, key, blob, alias: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key),
    "ScheduleKeyDeletion": lambda kms, key, blob, alias: kms.schedule_key_deletion(KeyId=key),
    "TagResource": lambda kms, key, blob, alias: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": ""}]),
    "UntagResource": lambda kms, key, blob, alias: kms.untag_resource(KeyId=key, TagKeys=["a"]),
    "UpdateAlias": lambda kms, key, blob, alias: kms.update_alias(AliasName=alias, TargetKeyId=key),
    "UpdateKeyDescription": lambda kms, key, blob, alias: kms.update_key_description(KeyId=key, Description="new"),
}
NOT_ON_A_KEY = {"CreateKey", "GenerateRandom", "ListKeys"}

# AWS KMS developer guide, "Key states of KMS keys": what the three states refuse, and with which error.
INVALID, DISABLED = "KMSInvalidStateException", "DisabledException"
CRYPTOGRAPHIC = {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt"}
NOT_WHILE_PENDING = {
    *CRYPTOGRAPHIC, "CreateAlias", "DisableKey", "EnableKey", "GetKeyRotationStatus", "ScheduleKeyDeletion",
    "TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription",
}  # fmt: skip


def expected(operation: str, state: str) -> str | None:
    """Return the code of the error that the state gives, or None."""
    if state == "PendingDeletion":
        return INVALID if operation in NOT_WHILE_PENDING else None
    if operation == "CancelKeyDeletion":
        return INVALID
    return DISABLED if state == "Disabled" and operation in CRYPTOGRAPHIC else None


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", CALLS)
def test_state_and_operation(kms: Any, new_key: NewKey, operation: str, state: str) -> None:
    """Each operation in each state is answered as in AWS's table, with AWS's text."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    alias = f"alias/state-{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    STATES[state](kms, key_id)
    code = expected(operation, state)
    if code is None:
        CALLS[operation](kms, key_id, blob, alias)
        return
    told = "is disabled" if code == DISABLED else "is pending deletion"
    if operation == "CancelKeyDeletion":
        told = "is not pending deletion"
    found = refusal(CALLS[operation], kms=kms, key=key_id, blob=blob, alias=alias)
    assert found[0] == code
    assert found[1] == f"{arn_of(key_id)} {told}."


def test_every_operation_has_its_cells() -> None:
    """The table of this test speaks of every built operation on a key, and the product's of existing actions."""
    built = {name for name, operation in OPERATIONS.items() if operation.built}
    assert set(CALLS) == built - NOT_ON_A_KEY
    actions = {action for operation in OPERATIONS.values() for action in operation.actions}
    assert set(states.ALLOWED) <= actions


def test_disable_and_enable(kms: Any, new_key: NewKey) -> None:
    """A disabled key shows as such, cannot be used, and works again when it is enabled; both may be repeated."""
    key_id = new_key()
    for _ in range(2):
        kms.disable_key(KeyId=arn_of(key_id))
        shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        assert (shown["KeyState"], shown["Enabled"]) == ("Disabled", False)
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x") == ("DisabledException", f"{arn_of(key_id)} is disabled.")
    for _ in range(2):
        kms.enable_key(KeyId=key_id)
        shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        assert (shown["KeyState"], shown["Enabled"]) == ("Enabled", True)
    kms.encrypt(KeyId=key_id, Plaintext=b"x")


@pytest.mark.parametrize("days", [None, 7, 30])
def test_schedule_deletion(kms: Any, new_key: NewKey, days: int | None) -> None:
    """A deletion is answered with its date and shows in the metadata; by default it is 30 days away."""
    key_id = new_key()
    window = {} if days is None else {"PendingWindowInDays": days}
    before = datetime.datetime.now(datetime.UTC)
    answer = kms.schedule_key_deletion(KeyId=key_id, **window)
    assert (answer["KeyId"], answer["KeyState"]) == (arn_of(key_id), "PendingDeletion")
    assert answer["PendingWindowInDays"] == (days or 30)
    away = answer["DeletionDate"] - before
    assert abs(away - datetime.timedelta(days=days or 30)) < datetime.timedelta(minutes=1)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"]) == ("PendingDeletion", False)
    assert shown["DeletionDate"] == answer["DeletionDate"]


@pytest.mark.parametrize(("days", "limit"), [(0, "greater than or equal to 1"), (366, "less than or equal to 365")])
def test_windows_outside_the_model(kms: Any, new_key: NewKey, days: int, limit: str) -> None:
    """The model lets the window be 1 to 365 days."""
    assert refusal(kms.schedule_key_deletion, KeyId=new_key(), PendingWindowInDays=days) == (
        "ValidationException",
        (
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: "
            f"Member must have value {limit}"
        ),
    )


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_windows_that_are_none(kms: Any, new_key: NewKey, days: int) -> None:
    """The window is 7 to 30 days, and AWS has another sentence for that."""
    assert refusal(kms.schedule_key_deletion, KeyId=new_key(), PendingWindowInDays=days) == (
        "ValidationException",
        "PendingWindowInDays must be between 7 and 30",
    )


def test_cancel_deletion(kms: Any, new_key: NewKey) -> None:
    """A deletion that is taken back leaves the key disabled, and all it encrypted opens again once it is enabled."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key_id)
    assert kms.cancel_key_deletion(KeyId=key_id)["KeyId"] == arn_of(key_id)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert shown["KeyState"] == "Disabled"
    assert "DeletionDate" not in shown
    kms.enable_key(KeyId=key_id)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_key_past_its_date_is_gone(place: Place, kms: Any, new_key: NewKey) -> None:
    """From its deletion date on a key does not exist for any operation, whether the janitor has run or not."""
    key_id = new_key()
    alias = f"alias/gone-{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    kms.schedule_key_deletion(KeyId=key_id)
    place.expire(key_id)
    missing = ("NotFoundException", f"Key '{arn_of(key_id)}' does not exist")
    assert refusal(kms.describe_key, KeyId=key_id) == missing
    assert refusal(kms.cancel_key_deletion, KeyId=key_id) == missing
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x") == missing
    assert refusal(kms.encrypt, KeyId=alias, Plaintext=b"x")[1].endswith(f"{alias} is not found.")
    assert refusal(kms.list_aliases, KeyId=key_id) == missing
    listed: set[str] = set()
    page = kms.list_keys(Limit=1000)
    listed |= {key["KeyId"] for key in page["Keys"]}
    assert key_id not in listed


def test_janitor_destroys_the_material(place: Place, kms: Any, new_key: NewKey) -> None:
    """The janitor removes expired keys with material and aliases, forgets them, and leaves a record of each."""
    key_id, pending = new_key(), new_key()
    kms.create_alias(AliasName=f"alias/janitor-{key_id}", TargetKeyId=key_id)
    for each in (key_id, pending):
        kms.schedule_key_deletion(KeyId=each)
    place.expire(key_id)
    material = place.run(read_material(place, key_id))
    assert material is not None
    ended = place.run(janitor.purge(place.services, time.time()))
    assert key_id in ended
    assert pending not in ended
    assert place.run(read_material(place, key_id)) is None
    assert place.run(read_material(place, pending)) is not None
    record = place.last_record()
    assert record.draft["operation"] == "kms:DeleteKey"
    assert record.draft["facts"]["deletedKey"] in ended
    assert place.run(janitor.purge(place.services, time.time())) == []


async def read_material(place: Place, key_id: str) -> object:
    """Return a key's first material as the store has it."""
    found = place.services.store.read(materials.list_materials, key_id, "us-east-1")
    return found[0] if found else None


def test_unknown_keys(kms: Any) -> None:
    """The operations of a key's life say of a key that does not exist what the others say."""
    key_id = str(uuid.uuid4())
    for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion, kms.cancel_key_deletion):
        assert refusal(call, KeyId=key_id) == ("NotFoundException", f"Key '{arn_of(key_id)}' does not exist")


def test_each_change_needs_its_right(place: Place, new_key: NewKey) -> None:
    """Enabling, disabling, scheduling and cancelling are rights of their own."""
    key_id = new_key()
    client = place.client(place.add_user(allow("kms:DescribeKey")))
    for name in ("enable_key", "disable_key", "schedule_key_deletion", "cancel_key_deletion"):
        code, message = refusal(getattr(client, name), KeyId=key_id)
        assert code == "AccessDeniedException"
        assert f"kms:{name.title().replace('_', '')}" in message
