"""The reference page of the KMS operations."""

from pathlib import Path

from fuin.kms import reference
from fuin.kms.operations import OPERATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "kms-operations.md"


def test_reference_is_current() -> None:
    """The committed page is what `python -m fuin.kms.reference` makes now."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_reference_speaks_of_built_operations_only() -> None:
    """Condition keys are listed for operations that exist and are built."""
    assert all(OPERATIONS[name].built for name in reference.CONDITIONS)
