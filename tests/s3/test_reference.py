"""The reference page of the S3 operations."""

from pathlib import Path

from fuin.s3 import reference
from fuin.s3.operations import BUILT

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "s3-operations.md"


def test_reference_is_current() -> None:
    """The committed page is what `python -m fuin.s3.reference` makes now."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_every_built_operation_names_its_rights() -> None:
    """Rights are listed for what is built, and for nothing else."""
    assert set(reference.ACTIONS) == set(BUILT)
    assert set(BUILT) >= set(reference.KEY_ACTIONS)
