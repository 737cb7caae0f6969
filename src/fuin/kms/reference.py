"""The reference page of the KMS operations, made of the operations table and the service model.

`python -m fuin.kms.reference docs/reference/kms-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from botocore import xform_name

from fuin.kms import model
from fuin.kms.operations import OPERATIONS, Operation

_EVERY = "`aws:SourceIp`, `aws:SecureTransport`, `aws:PrincipalArn` and the other keys of the principal"
_KEY = (
    "`kms:CallerAccount`, `kms:KeySpec`, `kms:KeyUsage`, `kms:KeyOrigin`, `kms:MultiRegion`, `kms:ViaService`, "
    "`aws:ResourceTag/NAME`"
)
_ALIAS = "kms:RequestAlias"
_CONTEXT = "kms:EncryptionContext:NAME"
_TAGS = "aws:RequestTag/NAME"
_BYPASS = "kms:BypassPolicyLockoutSafetyCheck"
_NEW_KEY = ("kms:KeySpec", "kms:KeyUsage", "kms:KeyOrigin", "kms:MultiRegion")
_ENCRYPTING = (_CONTEXT, "kms:EncryptionAlgorithm", _ALIAS)
_SIGNING = ("kms:SigningAlgorithm", "kms:MessageType", _ALIAS)
_MAC = ("kms:MacAlgorithm", _ALIAS)
_ENCAPSULATING = ("kms:EncapsulationAlgorithm", _ALIAS)
_FOR_RESOURCE = "kms:GrantIsForAWSResource"
_GRANTS = (
    _FOR_RESOURCE, "kms:GrantConstraintType", "kms:GrantConstraintSourceArn", "kms:GranteePrincipal",
    "kms:GranteeServicePrincipal", "kms:RetiringPrincipal", "kms:RetiringServicePrincipal", _CONTEXT,
)  # fmt: skip

# Condition keys of single operations, beyond those that every operation on a key has.
CONDITIONS: dict[str, tuple[str, ...]] = {
    "CreateAlias": (_ALIAS,),
    "CreateGrant": _GRANTS,
    "CreateKey": (*_NEW_KEY, _BYPASS, _TAGS),
    "Decapsulate": _ENCAPSULATING,
    "Decrypt": _ENCRYPTING,
    "DeleteAlias": (_ALIAS,),
    "DeriveSharedSecret": ("kms:KeyAgreementAlgorithm", _ALIAS),
    "DescribeKey": (_ALIAS,),
    "Encapsulate": _ENCAPSULATING,
    "Encrypt": _ENCRYPTING,
    "GenerateDataKey": _ENCRYPTING,
    "GenerateDataKeyPair": ("kms:DataKeyPairSpec", *_ENCRYPTING),
    "GenerateDataKeyPairWithoutPlaintext": ("kms:DataKeyPairSpec", *_ENCRYPTING),
    "GenerateDataKeyWithoutPlaintext": _ENCRYPTING,
    "GenerateMac": _MAC,
    "GetParametersForImport": ("kms:WrappingAlgorithm", "kms:WrappingKeySpec"),
    "GetPublicKey": (_ALIAS,),
    "GetKeyPolicy": ("kms:PolicyName",),
    "ImportKeyMaterial": ("kms:ExpirationModel",),
    "ListGrants": (_FOR_RESOURCE,),
    "PutKeyPolicy": ("kms:PolicyName", _BYPASS),
    "ReEncrypt": (*_ENCRYPTING, "kms:ReEncryptOnSameKey"),
    "ReplicateKey": ("kms:ReplicaRegion", _BYPASS, _TAGS),
    "RevokeGrant": (_FOR_RESOURCE,),
    "Sign": _SIGNING,
    "TagResource": (_TAGS,),
    "UpdateAlias": (_ALIAS,),
    "UpdatePrimaryRegion": ("kms:PrimaryRegion",),
    "Verify": _SIGNING,
    "VerifyMac": _MAC,
}
TESTS = Path(__file__).resolve().parents[3] / "tests" / "kms"

_HEAD = f"""# KMS operations

Made by `python -m fuin.kms.reference` of the operations table (`src/fuin/kms/operations.py`) and the service model.

All {{all}} operations are built. The kinds of keys, and what is left out of them, are in
[the compatibility table](kms-compatibility.md). The tests named are files of `tests/kms`.

Policies may ask for these condition keys in every operation: {_EVERY}; on a key also {_KEY}.

Besides the errors below, every operation may answer with `AccessDeniedException`, `ValidationException`,
`SerializationException`, `InternalFailure` (500) and the errors of Signature V4 (`MissingAuthenticationTokenException`,
`IncompleteSignatureException`, `InvalidSignatureException`, `UnrecognizedClientException`). `KMSInternalException` has
status 500 and means that the keyholder or the store is away: clients try again by themselves.
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD.format(all=len(OPERATIONS)), "## Operations\n"]
    tested = _tested()
    parts += [_section(operation, tested) for _, operation in sorted(OPERATIONS.items())]
    return "\n".join(parts).rstrip("\n") + "\n"


def _tested() -> dict[str, list[str]]:
    """Return the test files that call each operation, by boto3's name of it."""
    calls = {
        path.name: set(re.findall(r"\.([a-z_]+)\b", path.read_text(encoding="utf-8")))
        for path in sorted(TESTS.glob("test_*.py"))
    }
    return {
        operation: [name for name, called in calls.items() if xform_name(operation) in called]
        for operation in OPERATIONS
    }


def _section(operation: Operation, tested: dict[str, list[str]]) -> str:
    modelled = model.service().operation_model(operation.name).error_shapes
    lines = [
        f"### {operation.name}\n",
        f"IAM: {_listed(operation.actions)}\n",
        f"Errors of the model: {_listed(sorted(shape.name for shape in modelled))}\n",
    ]
    if operation.name in CONDITIONS:
        lines.append(f"More condition keys: {_listed(CONDITIONS[operation.name])}\n")
    lines.append(f"Tests: {_listed(tested[operation.name])}\n")
    return "\n".join(lines)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
