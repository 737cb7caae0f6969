"""The reference page of EC2's operations is the one that the table makes."""

from pathlib import Path

from fuin.access.vocabulary.actions import EC2_KEYLESS
from fuin.ec2 import reference
from fuin.ec2.operations import OPERATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "ec2-operations.md"


def test_page_is_made_of_the_table() -> None:
    """After a change: python -m fuin.ec2.reference docs/reference/ec2-operations.md."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_actions_without_a_resource_are_operations() -> None:
    """The vocabulary of policies names no action that nothing asks for."""
    assert {f"ec2:{name.lower()}" for name in OPERATIONS} >= EC2_KEYLESS
