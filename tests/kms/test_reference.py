"""The reference page of the KMS operations."""

from pathlib import Path

from fuin.kms import reference
from fuin.kms.operations import OPERATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "kms-operations.md"


def test_reference_is_current() -> None:
    """The committed page is what `python -m fuin.kms.reference` makes now."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_every_operation_has_a_test() -> None:
    """Each operation is called by at least one test of this folder, and the page names the file."""
    tested = reference._tests_by_operation()
    assert [name for name in OPERATIONS if not tested[name]] == []
