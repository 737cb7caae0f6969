"""A capability that is not built is named in its row alone, so building it begins by deleting the row."""

import ast

import pytest

from fuin.access.vocabulary.missing_capabilities import MISSING, Capability
from tests.house.source import Module, modules

TABLE = "access.vocabulary.missing_capabilities"
# The rows of S3's operations say of each whether it is built.
OPERATIONS = "s3.operations"


def words_of(row: Capability) -> set[str]:
    """Return what only the row of a capability may write: its sentence, headers, operations and condition keys."""
    headers = {header.decode() for header in (*row.headers, *row.prefixes)}
    return {row.subject, row.message} | headers | set(row.operations) | {key.name for key in row.keys}


WORDS = set().union(*map(words_of, MISSING))


def mentions(module: Module) -> list[str]:
    """Return the constants of a module that belong to a missing capability."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if text in WORDS:
                found.append(f"{module.name}:{node.lineno} {text}")
    return found


def test_only_rows_name_missing_capabilities() -> None:
    """No other module knows a header, an operation, a condition key or a sentence of a capability that is not here."""
    others = [module for module in modules() if module.name not in (TABLE, OPERATIONS)]
    headers_of_conditions = (
        "access.vocabulary.s3_keys"  # policies may speak of the header of a redirection, which is refused
    )
    found = [line for module in others for line in mentions(module) if module.name != headers_of_conditions]
    assert found == []


def _examples() -> list[str]:
    """Return one line of source for each kind of word that belongs to a capability."""
    header = next(header for row in MISSING for header in row.headers)
    operation = next(name for row in MISSING for name in row.operations)
    key = next(key.name for row in MISSING for key in row.keys)
    return [f"x = {header!r}", f"x == {operation!r}", f"f({key!r})", f"S3Fault({MISSING[0].message!r})"]


@pytest.mark.parametrize("text", _examples())
def test_a_mention_is_found(text: str) -> None:
    """The check itself sees a header, an operation, a condition key and a sentence."""
    assert mentions(Module("s3.objects.objects", text))
