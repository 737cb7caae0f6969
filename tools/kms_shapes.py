"""Write `src/fuin/kms/model/shapes_*.py` from botocore's model of AWS KMS: python -m tools.kms_shapes

The model lacks some constraints that AWS has, and lists the values of enumerations in another order than AWS's errors
do. The tables below say where.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fuin.kms.model.service import service_model

FOLDER = Path(__file__).resolve().parents[1] / "src" / "fuin" / "kms" / "model"

# file -> the operations whose inputs and outputs it holds.
FILES: dict[str, tuple[str, ...]] = {
    "shapes_keys": (
        "CreateKey", "DescribeKey", "ListKeys", "UpdateKeyDescription", "GetKeyLastUsage",
        "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion",
        "ReplicateKey", "UpdatePrimaryRegion",
        "CreateAlias", "UpdateAlias", "DeleteAlias", "ListAliases",
        "TagResource", "UntagResource", "ListResourceTags",
    ),
    "shapes_grants": (
        "GetKeyPolicy", "PutKeyPolicy", "ListKeyPolicies",
        "CreateGrant", "ListGrants", "ListRetirableGrants", "RetireGrant", "RevokeGrant",
    ),
    "shapes_material": (
        "EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "ListKeyRotations", "RotateKeyOnDemand",
        "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial",
    ),
    "shapes_uses": (
        "Encrypt", "Decrypt", "ReEncrypt",
        "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext", "GenerateRandom",
        "Sign", "Verify", "GenerateMac", "VerifyMac",
        "GetPublicKey", "DeriveSharedSecret", "Encapsulate", "Decapsulate",
    ),
    "shapes_key_stores": (
        "ConnectCustomKeyStore", "CreateCustomKeyStore", "DeleteCustomKeyStore", "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore", "UpdateCustomKeyStore",
    ),
}  # fmt: skip

_SUBJECTS = {
    "shapes_keys": "keys, their aliases and their tags",
    "shapes_grants": "key policies and grants",
    "shapes_material": "rotation and imported key material",
    "shapes_uses": "the cryptographic operations",
    "shapes_key_stores": "custom key stores",
}

# The values of enumerations in the order in which AWS shows them, where it is not the model's, as measured in
# September 2026 (floci-io/floci, pull request 3968), KeyUsageType before that (localstack/localstack). What is newer
# stands at the end.
_KEY_SPECS = (
    "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44",
    "ML_DSA_65", "ML_DSA_87", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
)  # fmt: skip
SHOWN: dict[str, tuple[str, ...]] = {
    "KeySpec": _KEY_SPECS,
    "DataKeySpec": _KEY_SPECS,  # AWS shows the specs of keys for data keys, too: github.com/boto/boto3/issues/3428
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
# Values that AWS takes beside the shown ones, to say later that the key's spec does not have them.
_TAKEN = {"SigningAlgorithmSpec": ("SYMMETRIC_DEFAULT",)}
# Patterns that AWS has and its model lacks, as AWS shows them.
_PATTERNS = {"KeyIdType": r"^\p{ASCII}+$"}

_SCALARS = {"string": "str", "blob": "bytes", "integer": "int", "boolean": "bool", "timestamp": "float"}
_HEAD = '"""{title}\n\nWritten by `python -m tools.kms_shapes` from botocore\'s model of AWS KMS; do not edit.\n"""\n'
_FUTURE = "from __future__ import annotations\n"


def sources() -> dict[str, str]:
    """Return the text of each file, by its name without the suffix."""
    texts = {"shapes_types": _types_file(), "shapes_parts": _parts_file()}
    texts |= {name: _operations_file(name, operations) for name, operations in FILES.items()}
    texts["shapes_inputs"] = _inputs_file()
    return {name: _formatted(text) for name, text in texts.items()}


def _formatted(text: str) -> str:
    for command in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(FOLDER / "shapes_of.py"), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=FOLDER).stdout
    return text


# Which shapes are used, and where


def _operation_models() -> Iterator[Any]:
    return (service_model().operation_model(name) for operations in FILES.values() for name in operations)


def _below(shapes: Iterable[Any]) -> dict[str, Any]:
    """Return all shapes that some are made of, with themselves, by name."""
    found: dict[str, Any] = {}
    todo = [shape for shape in shapes if shape is not None]
    while todo:
        shape = todo.pop()
        if shape.name not in found:
            found[shape.name] = shape
            todo += shape.members.values() if shape.type_name == "structure" else ()
            todo += [shape.member] if shape.type_name == "list" else ()
    return found


def _of_inputs() -> dict[str, Any]:
    return _below(operation.input_shape for operation in _operation_models())


def _of_outputs() -> dict[str, Any]:
    return _below(operation.output_shape for operation in _operation_models())


# Types: what an input's member may be


def _types_file() -> str:
    constrained = {name: shape for name, shape in _of_inputs().items() if _constraints(shape)}
    scalars = [_type_line(name, shape) for name, shape in sorted(constrained.items()) if shape.type_name != "list"]
    lists = [_type_line(name, shape) for name, shape in sorted(constrained.items()) if shape.type_name == "list"]
    imports = (
        "from typing import Annotated\n\nfrom fuin.kms.model.shape import Length, OneOf, Pattern, Range, Sensitive\n"
    )
    head = _HEAD.format(title="The types of members that have constraints, each by the name of its shape.")
    return "\n".join([head, _FUTURE, imports, *scalars, *lists])


def _type_line(name: str, shape: Any) -> str:
    base = f"list[{_scalar(shape.member, '')}]" if shape.type_name == "list" else _SCALARS[shape.type_name]
    return f"{name} = Annotated[{base}, {', '.join(_constraints(shape))}]"


def _constraints(shape: Any) -> list[str]:
    """Return the constraints of a type, as Python has them."""
    if shape.type_name in {"structure", "map"}:
        return []
    metadata = shape.metadata
    found = [_one_of(shape.name, tuple(metadata["enum"]))] if "enum" in metadata else []
    if not found and ("min" in metadata or "max" in metadata):
        kind = "Range" if shape.type_name == "integer" else "Length"
        found.append(f"{kind}({metadata['min']}, {metadata['max']})")
    if pattern := _PATTERNS.get(shape.name) or metadata.get("pattern"):
        found.append(f'Pattern(r"{pattern}")')
    return [*found, *(["Sensitive()"] if metadata.get("sensitive") else [])]


def _one_of(name: str, values: tuple[str, ...]) -> str:
    shown = SHOWN.get(name, values)
    taken = values + _TAKEN.get(name, ())
    return f"OneOf({shown})" if set(shown) == set(taken) else f"OneOf({taken}, shown={shown})"


# Structures


def _parts_file() -> str:
    inputs, outputs = _of_inputs(), _of_outputs()
    tops = {shape.name for each in _operation_models() for shape in (each.input_shape, each.output_shape) if shape}
    parts = {name: shape for name, shape in (inputs | outputs).items() if shape.type_name == "structure"}
    ordered = sorted(parts.keys() - tops, key=lambda name: (len(_below([parts[name]])), name))
    texts = [
        _structure(name, f"{name} of the model.", parts[name], "Output" if name in outputs else "Input", name in inputs)
        for name in ordered
    ]
    head = _HEAD.format(title="The structures that inputs and outputs are made of.")
    return "\n".join([head, _FUTURE, _imports(texts, "shapes_types"), *texts]).replace("shapes_parts.", "")


def _operations_file(name: str, operations: tuple[str, ...]) -> str:
    texts = []
    for operation in operations:
        shapes = service_model().operation_model(operation)
        for base, noun, shape in (("Input", "input", shapes.input_shape), ("Output", "output", shapes.output_shape)):
            if shape is not None:
                sentence = f"The {noun} of {operation}."
                texts.append(_structure(f"{operation}{base}", sentence, shape, base, base == "Input"))
    head = _HEAD.format(title=f"The inputs and outputs of operations: {_SUBJECTS[name]}.")
    return "\n".join([head, _FUTURE, _imports(texts, "shapes_parts", "shapes_types"), *texts])


def _inputs_file() -> str:
    """Return the table of operations and their inputs."""
    rows = [f'    "{name}": {file}.{name}Input,' for file, operations in FILES.items() for name in sorted(operations)]
    imports = f"from fuin.kms.model import {', '.join(sorted(FILES))}\nfrom fuin.kms.model.shape import Input\n"
    head = _HEAD.format(title="The input of each operation.")
    return "\n".join([head, _FUTURE, imports, "INPUTS: dict[str, type[Input]] = {", *rows, "}", ""])


def _imports(texts: list[str], *modules: str) -> str:
    """Return the imports that classes need."""
    body = "\n".join(texts)
    used = [module for module in modules if f"{module}." in body]
    bases = [base for base in ("Input", "Output") if f"({base}, " in body]
    lines = [f"from fuin.kms.model import {', '.join(used)}\n"] if used else []
    return "".join([*lines, f"from fuin.kms.model.shape import {', '.join(bases)}\n"])


def _structure(name: str, sentence: str, shape: Any, base: str, constrained: bool) -> str:
    """Return a class; `constrained` tells whether it is an input, whose members' types have constraints."""
    required = tuple(member for member in shape.members if member in shape.required_members) if constrained else ()
    hidden = tuple(member for member, below in shape.members.items() if _is_hidden(below))
    lines = [f"class {name}({base}, frozen=True):", f'    """{sentence}"""', ""]
    lines += [f"    required = {required}"] if required else []
    lines += [f"    hidden = {hidden}"] if hidden else []
    lines += [""] if required or hidden else []
    lines += [
        f"    {member}: {_scalar(below, 'shapes_types.' if constrained else None)} | None = None"
        for member, below in shape.members.items()
    ]
    return "\n".join([*lines, "", ""])


def _is_hidden(shape: Any) -> bool:
    return shape.type_name == "blob" or bool(shape.metadata.get("sensitive"))


def _scalar(shape: Any, prefix: str | None) -> str:
    """Return the type of a member; `prefix` is where the types with constraints are, None if none is wanted."""
    if prefix is not None and _constraints(shape):
        return f"{prefix}{shape.name}"
    match shape.type_name:
        case "structure":
            return f"shapes_parts.{shape.name}"
        case "list":
            return f"list[{_scalar(shape.member, prefix)}]"
        case "map":
            return "dict[str, str]"
    return _SCALARS[shape.type_name]


if __name__ == "__main__":
    for name, text in sources().items():
        (FOLDER / f"{name}.py").write_text(text, encoding="utf-8")
