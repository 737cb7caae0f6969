"""The states of a key: enabling, disabling, deletion, and the table of state × operation, cell by cell."""

import datetime
import time
import uuid
from typing import Any

import pytest
from sqlalchemy import Connection

from fuin.kms.keys import expiry
from fuin.kms.operations import OPERATIONS
from fuin.kms.reach import states
from fuin.store.kms import keys, materials
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.state_table import CALLS, CELLS, COLUMNS, FOOTNOTES, NOT_ON_A_KEY, Subject
from tests.support.place import Place
from tests.support.policies import allow

NAMED = sorted(CALLS)
KEYS_THERE_ARE = [
    (operation, state)
    for operation in NAMED
    for state in (*COLUMNS, "PendingReplicaDeletion")
    if CELLS[operation][state] != "-"
]
# Footnotes 7 and 9, and the origin of the keys that they refuse.
OTHER_ORIGIN = {
    "DisableKeyRotation": "EXTERNAL", "EnableKeyRotation": "EXTERNAL", "GetKeyRotationStatus": "EXTERNAL_KEY_STORE",
    "ListKeyRotations": "EXTERNAL_KEY_STORE", "RotateKeyOnDemand": "EXTERNAL_KEY_STORE",
    "DeleteImportedKeyMaterial": "AWS_KMS", "GetParametersForImport": "AWS_KMS", "ImportKeyMaterial": "AWS_KMS",
}  # fmt: skip
_ORIGIN_OF_STATE = {"PendingImport": "EXTERNAL", "Unavailable": "EXTERNAL_KEY_STORE"}


def subject(place: Place, operation: str) -> Subject:
    """Return a fresh key for an operation, as it was created, with what the operation needs."""
    kms, row = place.kms(), CALLS[operation]
    key_id = kms.create_key(**row.kind)["KeyMetadata"]["KeyId"]
    return Subject(place, kms, key_id, row.prepare(kms, key_id))


def put(place: Place, key_id: str, state: str) -> None:
    """Put a key into a state, also into those to which no API leads."""
    place.sql(
        "UPDATE keys SET state = :state, origin = coalesce(:origin, origin), deletion_date = :date, "
        "deletion_window = :window, custom_key_store = :store WHERE key_id = :id AND region = 'us-east-1'",
        state="Enabled" if state == "Unavailable" else state,  # which its key store makes of it
        origin=_ORIGIN_OF_STATE.get(state),
        date=time.time() + 9e5 if state == "PendingDeletion" else None,
        window=7 if state == "PendingReplicaDeletion" else None,
        store="cks-none" if state == "Unavailable" else None,
        id=key_id,
    )


@pytest.mark.parametrize(("operation", "state"), KEYS_THERE_ARE)
def test_state_and_operation(place: Place, operation: str, state: str) -> None:
    """Each operation in each state is answered as in AWS's table, with AWS's text."""
    cell = CELLS[operation][state]
    asked = subject(place, operation)
    put(place, asked.key, state)
    if not cell.startswith("X"):
        CALLS[operation].call(asked)
        return
    code, text = FOOTNOTES[cell[1:]]
    if state == "PendingReplicaDeletion" and text == "is pending deletion.":
        text = "is pending replica deletion."
    found = refusal(lambda: CALLS[operation].call(asked))
    assert found[0] == code
    assert text is None or found[1] == f"{asked.arn} {text}"


@pytest.mark.parametrize("state", ["Enabled", "PendingDeletion"])
@pytest.mark.parametrize("operation", sorted(set(OTHER_ORIGIN) & set(NAMED)))
def test_keys_of_another_origin(place: Place, operation: str, state: str) -> None:
    """What is only for keys of one origin is refused for others whatever their state (footnotes 7 and 9)."""
    asked = subject(place, operation)
    put(place, asked.key, state)
    origin = OTHER_ORIGIN[operation]
    place.sql("UPDATE keys SET origin = :origin WHERE key_id = :id", origin=origin, id=asked.key)
    assert refusal(lambda: CALLS[operation].call(asked))[0] == "UnsupportedOperationException"


def test_every_operation_has_its_cells() -> None:
    """The table of this test speaks of every operation on a key, and the product's of existing actions."""
    assert set(CELLS) == set(CALLS) == set(OPERATIONS) - NOT_ON_A_KEY
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


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE keys SET state = 'PendingDeletion' WHERE key_id = ?", "KMSInvalidStateException"),
        ("DELETE FROM keys WHERE key_id = ?", "NotFoundException"),
    ],
)
def test_what_another_worker_changes_meanwhile(
    kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch, statement: str, code: str
) -> None:
    """The transaction looks at the key once more, and what has changed since is told as AWS tells it."""
    key_id = new_key()
    schedule = keys.schedule_deletion

    def late(conn: Connection, *given: Any) -> bool:
        conn.exec_driver_sql(statement, (key_id,))
        return schedule(conn, *given)

    monkeypatch.setattr(keys, "schedule_deletion", late)
    assert refusal(kms.schedule_key_deletion, KeyId=key_id)[0] == code
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"


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
    ended = place.run(expiry.purge(place.services, time.time()))
    assert key_id in ended
    assert pending not in ended
    assert place.run(read_material(place, key_id)) is None
    assert place.run(read_material(place, pending)) is not None
    record = place.last_record()
    assert record.draft["operation"] == "kms:DeleteKey"
    assert record.draft["facts"]["deletedKey"] in ended
    assert place.run(expiry.purge(place.services, time.time())) == []


async def read_material(place: Place, key_id: str) -> object:
    """Return a key's first material as the store has it."""
    found = place.services.store.read_sync(materials.list_materials, key_id, "us-east-1")
    return found[0] if found else None


def test_unknown_keys(kms: Any) -> None:
    """The operations of a key's life say of a key that does not exist what the others say."""
    key_id = str(uuid.uuid4())
    for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion, kms.cancel_key_deletion):
        assert refusal(call, KeyId=key_id) == ("NotFoundException", f"Key '{arn_of(key_id)}' does not exist")


def test_each_change_needs_its_right(place: Place, new_key: NewKey) -> None:
    """Enabling, disabling, scheduling and cancelling are rights of their own."""
    key_id = new_key()
    client = place.kms(place.add_user(allow("kms:DescribeKey")))
    for name in ("enable_key", "disable_key", "schedule_key_deletion", "cancel_key_deletion"):
        code, message = refusal(getattr(client, name), KeyId=key_id)
        assert code == "AccessDeniedException"
        assert f"kms:{name.title().replace('_', '')}" in message
