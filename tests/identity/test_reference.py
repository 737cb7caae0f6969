"""The reference page of IAM's operations is the one that the table makes."""

from pathlib import Path

from fuin.identity import reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "iam-operations.md"


def test_page_is_made_of_the_table() -> None:
    """After a change: python -m fuin.identity.reference docs/reference/iam-operations.md."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()
