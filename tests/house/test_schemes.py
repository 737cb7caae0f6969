"""Only `s3/sealing` knows how encryption schemes differ, and their names are written once."""

import ast

import pytest

from fuin.access.vocabulary import s3_encryption
from tests.house.source import Module, modules

NAMES = {s3_encryption.SSE_S3, s3_encryption.SSE_KMS, s3_encryption.SSE_KMS_DSSE, s3_encryption.SSE_C}
CONSTANTS = {"SSE_S3", "SSE_KMS", "SSE_KMS_DSSE", "SSE_C"}
VOCABULARY = "access.vocabulary.s3_encryption"
SCHEMES = "s3.sealing."
READS_RECORDS = "cli.request_story"  # which words what the audit log says about a scheme
CLIENTS = "cli.files."  # which ask a server for one, by the name that S3 gives it
STORE = "store."  # whose columns have the scheme beside the JSON, and whose migrations are never changed


def uses(module: Module) -> list[str]:
    """Return the places where a module writes the name of a scheme, or takes it from the vocabulary."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            found.append(f"{module.name}:{node.lineno} {node.value!r}")
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            found += [f"{module.name}:{node.lineno} {name}"] if name in CONSTANTS else []
    return found


def test_only_schemes_are_named_by_schemes() -> None:
    """PUT, parts, copies, completions and reads ask the scheme; they never compare its name."""
    outside = [
        module
        for module in modules()
        if module.name not in (VOCABULARY, READS_RECORDS) and not module.name.startswith((SCHEMES, STORE, CLIENTS))
    ]
    assert [line for module in outside for line in uses(module)] == []


@pytest.mark.parametrize("text", ['x == "aws:kms"', "x != SSE_S3", "s3_encryption.SSE_KMS is x"])
def test_a_comparison_is_found(text: str) -> None:
    """The check itself sees each way to name a scheme."""
    assert uses(Module("s3.objects.objects", text))
