"""The reference page of the KMS operations, made of the operations table and the service model.

`python -m fuin.kms.reference docs/reference/kms-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fuin.kms import model
from fuin.kms.operations import OPERATIONS, Operation

_EVERY = "`aws:SourceIp`, `aws:SecureTransport`, `aws:PrincipalArn` and the other keys of the principal"
_KEY = (
    "`kms:CallerAccount`, `kms:KeySpec`, `kms:KeyUsage`, `kms:KeyOrigin`, `kms:MultiRegion`, `kms:ViaService`, "
    "`aws:ResourceTag/NAME`"
)
_ALGORITHM = "kms:EncryptionAlgorithm"
_CONTEXT = "kms:EncryptionContext:NAME"
_ALIAS = "kms:RequestAlias"
_TAGS = "aws:RequestTag/NAME"
_BYPASS = "kms:BypassPolicyLockoutSafetyCheck"

# Condition keys of single operations, beyond those that every operation on a key has.
CONDITIONS: dict[str, tuple[str, ...]] = {
    "CreateAlias": (_ALIAS,),
    "CreateKey": ("kms:KeySpec", "kms:KeyUsage", "kms:KeyOrigin", "kms:MultiRegion", _BYPASS, _TAGS),
    "Decrypt": (_CONTEXT, _ALGORITHM, _ALIAS),
    "DeleteAlias": (_ALIAS,),
    "DescribeKey": (_ALIAS,),
    "Encrypt": (_CONTEXT, _ALGORITHM, _ALIAS),
    "GenerateDataKey": (_CONTEXT, _ALGORITHM, _ALIAS),
    "GenerateDataKeyWithoutPlaintext": (_CONTEXT, _ALGORITHM, _ALIAS),
    "PutKeyPolicy": (_BYPASS,),
    "ReEncrypt": (_CONTEXT, _ALGORITHM, _ALIAS),
    "TagResource": (_TAGS,),
    "UpdateAlias": (_ALIAS,),
}

_HEAD = f"""# KMS operations

Made by `python -m fuin.kms.reference` of the operations table (`src/fuin/kms/operations.py`) and the service model.

{{built}} of {{all}} operations are built, for symmetric keys (`SYMMETRIC_DEFAULT`, `ENCRYPT_DECRYPT`, origin `AWS_KMS`,
one Region). The others answer `UnsupportedOperationException`, and so do `Recipient` and all other kinds of keys.

Policies may ask for these condition keys in every operation: {_EVERY}; on a key also {_KEY}.

Besides the errors below, every operation may answer with `AccessDeniedException`, `ValidationException`,
`SerializationException`, `InternalFailure` (500) and the errors of Signature V4 (`MissingAuthenticationTokenException`,
`IncompleteSignatureException`, `InvalidSignatureException`, `UnrecognizedClientException`). `KMSInternalException` has
status 500 and means that the keyholder or the store is away: clients try again by themselves.
"""


def page() -> str:
    """Return the page as Markdown."""
    built = [operation for operation in OPERATIONS.values() if operation.built]
    later = sorted(operation.name for operation in OPERATIONS.values() if not operation.built)
    parts = [_HEAD.format(built=len(built), all=len(OPERATIONS)), "## Built\n"]
    parts += [_section(operation) for operation in sorted(built, key=lambda operation: operation.name)]
    parts += ["## Not built yet\n", *(f"* {name}" for name in later)]
    return "\n".join(parts) + "\n"


def _section(operation: Operation) -> str:
    modelled = model.service().operation_model(operation.name).error_shapes
    lines = [
        f"### {operation.name}\n",
        f"IAM: {_listed(operation.actions)}\n",
        f"Errors of the model: {_listed(sorted(shape.name for shape in modelled))}\n",
    ]
    if operation.name in CONDITIONS:
        lines.append(f"More condition keys: {_listed(CONDITIONS[operation.name])}\n")
    return "\n".join(lines)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
