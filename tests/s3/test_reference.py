"""The reference page of the S3 operations."""

from pathlib import Path

from fuin.access.vocabulary import s3_encryption
from fuin.access.vocabulary.actions import S3
from fuin.access.vocabulary.missing_capabilities import BY_OPERATION, MISSING
from fuin.s3 import reference
from fuin.s3.operations import OPERATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "s3-operations.md"


def test_reference_is_current() -> None:
    """The committed page is what `python -m fuin.s3.reference` makes now."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_every_operation_needs_actions_of_s3() -> None:
    """The actions of a built operation are AWS's."""
    for row in OPERATIONS.values():
        if row.run is not None:
            assert {action.partition(" ")[0].lower() for action in row.actions} <= S3, row.name


def test_the_vocabulary_knows_the_rights_to_keys() -> None:
    """What who-can and simulations ask for on the key of an object is what the operation asks for."""
    own = [row for row in OPERATIONS.values() if row.key_actions and row.action == f"s3:{row.name}"]
    needed = {row.action.lower(): row.key_actions[0].partition(" ")[0] for row in own}
    assert {s3_encryption.SSE_KMS: needed, s3_encryption.SSE_KMS_DSSE: needed} == s3_encryption.KEY_ACTIONS


def test_missing_capabilities_are_missing() -> None:
    """No operation of a missing capability is built, each is one of the table, and no capability is named twice."""
    assert [name for name in BY_OPERATION if OPERATIONS[name].run is not None] == []
    assert len(BY_OPERATION) == sum(len(row.operations) for row in MISSING)
    assert len({row.subject for row in MISSING}) == len(MISSING)
    for row in OPERATIONS.values():
        if row.run is None and row.newer_name is None:
            assert row.name in BY_OPERATION, f"{row.name} is not built, and no missing capability names it"
