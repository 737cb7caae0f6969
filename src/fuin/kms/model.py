"""The service model's constraints, compiled once per operation from botocore's service-2.json, in AWS's words.

botocore's own validator checks presence, type and minimum only. Types are checked where JSON becomes Structs
(`app.py`); here stand presence, length, range, pattern and enumeration. A check appends what it finds to a list, since
AWS reports all errors of a request at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from fuin.kms.faults import ValidationException

if TYPE_CHECKING:
    import msgspec
    from botocore.model import Shape

Check = Callable[[Any, str, list[str]], None]  # value, path, errors found so far

# The values of enumerations in the order in which AWS lists them, where it is not the model's, as measured in
# September 2026 (floci-io/floci, pull request 3968), KeyUsageType before that (localstack/localstack). What is newer
# stands at the end.
_KEY_SPECS = (
    "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44",
    "ML_DSA_65", "ML_DSA_87", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
)  # fmt: skip
LISTED: dict[str, tuple[str, ...]] = {
    "KeySpec": _KEY_SPECS,
    "DataKeySpec": _KEY_SPECS,  # AWS lists the specs of keys for data keys, too: github.com/boto/boto3/issues/3428
    "EncryptionAlgorithmSpec": ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", "SYMMETRIC_DEFAULT"),
    "KeyUsageType": (
        "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE",
    ),
    "MacAlgorithmSpec": ("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"),
    "SigningAlgorithmSpec": (
        "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512",
        "ED25519_SHA_512", "ED25519_PH_SHA_512", "SM2DSA", "ML_DSA_SHAKE_256",
    ),
}  # fmt: skip
# Values that AWS takes beside the listed ones, to say later that the key's spec does not have them.
_TAKEN = {"SigningAlgorithmSpec": ("SYMMETRIC_DEFAULT",)}
# Patterns that AWS has and its model lacks, as AWS shows them, and what they ask of a text.
_PATTERNS: dict[str, tuple[str, Callable[[str], object]]] = {
    "KeyIdType": (r"^\p{ASCII}+$", lambda text: text.isascii() and text),
}


@cache
def service() -> Any:
    """Return botocore's model of KMS."""
    return ServiceModel(Loader().load_service_model("kms", "service-2"), "kms")


def compile_checks(operation: str) -> Callable[[msgspec.Struct], None]:
    """Return the check of an operation's input; it raises ValidationException with AWS's text."""
    shape = service().operation_model(operation).input_shape
    if shape is None:
        return lambda _: None
    check_members = _structure(shape)

    def check(given: msgspec.Struct) -> None:
        errors: list[str] = []
        check_members(given, "", errors)
        if errors:
            raise ValidationException(_joined(errors))

    return check


def _joined(errors: list[str]) -> str:
    noun = "error" if len(errors) == 1 else "errors"
    return f"{len(errors)} validation {noun} detected: {'; '.join(errors)}"


def null_at(member: str) -> str:
    """Return AWS's text for a required member that is absent; `member` is in lower camel case."""
    return _joined([f"Value null at '{member}' failed to satisfy constraint: Member must not be null"])


def _lower_camel(name: str) -> str:
    return name[0].lower() + name[1:]


def _structure(shape: Shape) -> Check:
    """Check each member of a Struct whose attributes have the model's member names."""
    members = [
        (name, _lower_camel(name), name in shape.required_members, _null(member), _value(member))
        for name, member in shape.members.items()
    ]
    kept = [member for member in members if member[2] or member[4] is not None]

    def check(given: Any, path: str, errors: list[str]) -> None:
        for name, lower, required, null, check_value in kept:
            value = getattr(given, name)
            if value is None:
                if required:
                    errors.append(f"{null} at '{path}{lower}' failed to satisfy constraint: Member must not be null")
            elif check_value is not None:
                check_value(value, path + lower, errors)

    return check


def _null(shape: Shape) -> str:
    """Return how AWS tells of an absent member: of a sensitive one it shows nothing, not even null."""
    return "Value" if shape.metadata.get("sensitive", False) else "Value null"


def _value(shape: Shape) -> Check | None:
    """Return the check of a value, or None when the model sets it no limits."""
    match shape.type_name:
        case "structure":
            members = _structure(shape)
            return lambda value, path, errors: members(value, f"{path}.", errors)
        case "list":
            return _list(shape)
        case "string" | "blob" | "integer":
            return _scalar(shape)
    return None


def _list(shape: Shape) -> Check | None:
    """Check a list's length and members: structures by path (tags.1.member.tagKey), scalars as a whole."""
    length = _limits(shape, "length", len)
    member = shape.member
    if member.type_name == "structure":
        check_member = _structure(member)
    else:
        texts = _scalar_texts(member)
        check_member = None

    def check(values: list[Any], path: str, errors: list[str]) -> None:
        for text in length(values):
            errors.append(_failed(values, path, text))
        if check_member is not None:
            for index, value in enumerate(values, 1):
                check_member(value, f"{path}.{index}.member.", errors)
        elif texts is not None and any(next(iter(texts(value)), None) for value in values):
            limits = dict.fromkeys(text for value in values for text in texts(value))
            errors.append(_failed(values, path, f"Member must satisfy constraint: [{', '.join(limits)}]"))

    return check


def _scalar(shape: Shape) -> Check | None:
    texts = _scalar_texts(shape)
    if texts is None:
        return None
    hidden = shape.type_name == "blob" or shape.metadata.get("sensitive", False)

    def check(value: Any, path: str, errors: list[str]) -> None:
        for text in texts(value):
            errors.append(_failed(None if hidden else value, path, text))

    return check


def _failed(value: Any, path: str, text: str) -> str:
    """Return one error; a blob or sensitive value (None here) is not shown, as in AWS."""
    if value is None:
        return f"Value at '{path}' failed to satisfy constraint: {text}"
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {text}"


Texts = Callable[[Any], "list[str] | tuple[str, ...]"]


def _scalar_texts(shape: Shape) -> Texts | None:
    """Return a function from a value to the constraints that it fails."""
    metadata = shape.metadata
    if "enum" in metadata:
        return _enumeration(shape.name, metadata["enum"])
    if shape.type_name == "integer":
        return _limits(shape, "value", int) if "min" in metadata or "max" in metadata else None
    if "pattern" in metadata or shape.name in _PATTERNS:
        shown, matches = _PATTERNS.get(shape.name) or (metadata["pattern"], _whole(metadata["pattern"]))
        return _pattern(shown, matches, _limits(shape, "length", len))
    return _limits(shape, "length", len) if "min" in metadata or "max" in metadata else None


def _enumeration(name: str, values: list[str]) -> Texts:
    allowed = frozenset(values).union(_TAKEN.get(name, ()))
    text = (f"Member must satisfy enum value set: [{', '.join(LISTED.get(name, values))}]",)
    return lambda value: () if value in allowed else text


def _limits(shape: Shape, noun: str, measure: Callable[[Any], int]) -> Texts:
    low = shape.metadata.get("min")
    high = shape.metadata.get("max")
    too_low = (f"Member must have {noun} greater than or equal to {low}",)
    too_high = (f"Member must have {noun} less than or equal to {high}",)

    def texts(value: Any) -> tuple[str, ...]:
        size = measure(value)
        if low is not None and size < low:
            return too_low
        if high is not None and size > high:
            return too_high
        return ()

    return texts


def _whole(pattern: str) -> Callable[[str], object]:
    """Return what tells whether all of a text matches: so the model means it, whether it writes ^ and $ or not."""
    return re.compile(pattern, re.ASCII).fullmatch


def _pattern(shown: str, matches: Callable[[str], object], limits: Texts) -> Texts:
    text = f"Member must satisfy regular expression pattern: {shown}"
    return lambda value: limits(value) if matches(value) else (*limits(value), text)
