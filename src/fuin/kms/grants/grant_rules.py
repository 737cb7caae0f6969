"""What a grant may say: its principals, its operations by the kind of key, its constraints.

Source: the service model (CreateGrant, GrantConstraints) and the AWS KMS developer guide, "Grant operations".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fuin.access.grants import CREATE, DESCRIBE, RETIRE
from fuin.kms.model.faults import InvalidArnException, KmsFault
from fuin.kms.model.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SYMMETRIC_DEFAULT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.grants import Grant, Pairs
    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

_PAIRS_AT_MOST, _VALUE_AT_MOST = 8, 384  # of a constraint's encryption context; characters
_NAME_AT_MOST = 8192  # characters: no encryption context is longer
_GRANT_ID = re.compile(r"[0-9a-f]{64}")
_PRINCIPAL = re.compile(
    r"arn:aws:(?:iam::[0-9]{12}:(?:root|(?:user|role)/[\w+=,.@/-]+)"
    r"|sts::[0-9]{12}:(?:assumed-role/(?:aws:ec2-infrastructure|[\w+=,.@-]+)/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))",
    re.ASCII,
)

_OF_EVERY_KEY = frozenset({CREATE, RETIRE, DESCRIBE})
_SYMMETRIC = frozenset({
    "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
})  # fmt: skip
_BY_USAGE = {
    ENCRYPT_DECRYPT: frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"}),
    SIGN_VERIFY: frozenset({"Sign", "Verify", "GetPublicKey"}),
    GENERATE_VERIFY_MAC: frozenset({"GenerateMac", "VerifyMac"}),
    KEY_AGREEMENT: frozenset({"DeriveSharedSecret", "GetPublicKey"}),
    ENCAPSULATE_DECAPSULATE: frozenset({"Encapsulate", "Decapsulate", "GetPublicKey"}),
}


def check_one(first: object, second: object, names: tuple[str, str]) -> None:
    """Raise ValidationException unless exactly one of two members is given."""
    if (first is None) == (second is None):
        raise KmsFault("ValidationException", f"You must specify either {names[0]} or {names[1]}, but not both.")


def check_grant_id(grant_id: str) -> str:
    """Return a grant id that has the form of one; raises InvalidGrantIdException."""
    if not _GRANT_ID.fullmatch(grant_id):
        raise KmsFault("InvalidGrantIdException", f"Invalid grant ID {grant_id}")
    return grant_id


def check_principal(arn: str | None) -> str | None:
    """Return a principal's ARN; raises InvalidArnException unless it is an account's, a user's or a role's.

    Whether it exists is asked later: after the caller's right to the key.
    """
    if arn is not None and not _PRINCIPAL.fullmatch(arn):
        raise InvalidArnException(f"Invalid arn {arn}")
    return arn


def check_operations(names: list[str]) -> tuple[str, ...]:
    """Return the operations, each once."""
    operations = tuple(dict.fromkeys(names))
    if not operations:
        raise KmsFault("ValidationException", "Grants must contain at least one operation.")
    if operations == (CREATE,):
        raise KmsFault(
            "ValidationException", "Grants must not contain only the CreateGrant operation."
        )  # recorded from AWS
    return operations


def check_pairs(
    equals: Mapping[str, str] | None, subset: Mapping[str, str] | None
) -> tuple[Pairs | None, Pairs | None]:
    """Return the constraints on the encryption context, at most one, their pairs sorted.

    Some clients send both maps and leave one empty: it says nothing then. Alone, no pairs at all as
    EncryptionContextEquals means requests without a context, and as EncryptionContextSubset nothing.
    """
    if equals and subset:
        raise KmsFault("ValidationException", "More than one constraint supplied")  # recorded from AWS
    chosen = equals or subset or {}
    if len(chosen) > _PAIRS_AT_MOST:
        raise KmsFault(
            "LimitExceededException", f"A grant constraint has at most {_PAIRS_AT_MOST} encryption context pairs."
        )
    if any(len(value) > _VALUE_AT_MOST for value in chosen.values()):
        raise KmsFault(
            "LimitExceededException", f"A value in a grant constraint has at most {_VALUE_AT_MOST} characters."
        )
    if any(len(name) > _NAME_AT_MOST for name in chosen):
        raise KmsFault(
            "LimitExceededException", f"A name in a grant constraint has at most {_NAME_AT_MOST} characters."
        )
    pairs = tuple(sorted(chosen.items()))
    if equals is not None and not subset and (equals or subset is None):
        return pairs, None
    return None, pairs or None


def check_fits(grant: Grant, key: Key) -> None:
    """Refuse operations that the key does not support, and constraints on a context that it does not have."""
    supported = _SYMMETRIC if key.spec == SYMMETRIC_DEFAULT else _BY_USAGE[key.usage]
    for operation in grant.operations:
        if operation not in supported | _OF_EVERY_KEY:
            raise KmsFault(
                "ValidationException",
                f"Operation {operation} is not valid in a grant for a key with key spec {key.spec} and "
                f"key usage {key.usage}.",
            )
    if key.spec != SYMMETRIC_DEFAULT and (grant.equals is not None or grant.subset is not None):
        raise KmsFault(
            "ValidationException",
            "Encryption context grant constraints are supported only on symmetric encryption KMS keys.",
        )


def resource_condition(call: Call) -> dict[str, str]:
    """Return the condition key that says whether a service asks on the caller's behalf."""
    return {"kms:GrantIsForAWSResource": "true" if call.via else "false"}
