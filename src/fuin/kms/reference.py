"""The reference page of the KMS operations, made of the operations table and the service model.

`python -m fuin.kms.reference docs/reference/kms-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from botocore import xform_name

from fuin.access.vocabulary.condition_keys import TABLE
from fuin.access.vocabulary.kms_keys import ON_KEYS
from fuin.kms.model.service import service_model
from fuin.kms.operations import OPERATIONS, KmsOperation

if TYPE_CHECKING:
    from collections.abc import Iterable

_OF_EVERY_KEY = tuple(key for key in TABLE if key.brought and set(ON_KEYS) <= set(key.actions))


def conditions(operation: KmsOperation) -> list[str]:
    """Return the condition keys of an operation, beyond those that every request and every operation on a key has."""
    first, *others = operation.actions
    keys = [key for key in TABLE if key.brought and "*" not in key.actions]
    mine = {key.name for key in keys if key.belongs(first) and not (first in ON_KEYS and key in _OF_EVERY_KEY)}
    theirs = {key.name for key in keys if key not in _OF_EVERY_KEY and any(map(key.belongs, others))}
    return sorted(mine | theirs)


def _code_list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


TESTS = Path(__file__).resolve().parents[3] / "tests" / "kms"

_HEAD = f"""# KMS operations

Made by `python -m fuin.kms.reference` of the operations table (`src/fuin/kms/operations.py`) and the service model.

All {{all}} operations are built. [The compatibility page](kms-compatibility.md) lists the kinds of keys, and what is
left out. The named tests are files of `tests/kms`.

Policies may test the [global condition keys](condition-keys.md) in every operation, and in operations on a key also
{_code_list(key.name for key in _OF_EVERY_KEY)}.

Besides the errors below, every operation may answer with `AccessDeniedException`, `ValidationException`,
`SerializationException`, `InternalFailure` (500) and the errors of Signature V4 (`MissingAuthenticationTokenException`,
`IncompleteSignatureException`, `InvalidSignatureException`, `UnrecognizedClientException`). `ServiceUnavailable` (503)
means that the keyholder or the store is away, that the log takes no records, or that a node has no lease: clients try
again by themselves. `KMSInternalException` (500) means that stored key material is damaged. `ConflictException` is also
the answer to ScheduleKeyDeletion and DeleteImportedKeyMaterial for a key that is
[still needed](kms-compatibility.md#keys-that-are-still-needed).
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD.format(all=len(OPERATIONS)), "## Operations\n"]
    tested = _tests_by_operation()
    parts += [_section(operation, tested) for _, operation in sorted(OPERATIONS.items())]
    return "\n".join(parts).rstrip("\n") + "\n"


def _tests_by_operation() -> dict[str, list[str]]:
    """Return the test files that call each operation, by boto3's name of it."""
    calls = {
        path.name: set(re.findall(r"\.([a-z_]+)\b", path.read_text(encoding="utf-8")))
        for path in sorted(TESTS.glob("test_*.py"))
    }
    return {
        operation: [name for name, called in calls.items() if xform_name(operation) in called]
        for operation in OPERATIONS
    }


def _section(operation: KmsOperation, tested: dict[str, list[str]]) -> str:
    modelled = service_model().operation_model(operation.name).error_shapes
    lines = [
        f"### {operation.name}\n",
        f"IAM: {_code_list(operation.actions)}\n",
        f"Errors of the model: {_code_list(sorted(shape.name for shape in modelled))}\n",
    ]
    if more := conditions(operation):
        lines.append(f"More condition keys: {_code_list(more)}\n")
    lines.append(f"Tests: {_code_list(tested[operation.name])}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
