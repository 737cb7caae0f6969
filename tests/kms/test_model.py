"""The model's checks, without a server: AWS's words for what does not satisfy the constraints."""

from collections.abc import Iterator
from typing import get_args, get_type_hints

import msgspec
import pytest
from tools import kms_shapes

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.service import service_model
from fuin.kms.model.shape import Structure
from fuin.kms.model.shapes_inputs import INPUTS
from fuin.kms.operations import OPERATIONS

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


def refusal(operation: str, members: dict[str, object]) -> str:
    """Return the message of the ValidationException that an input gets."""
    with pytest.raises(KmsFault) as caught:
        OPERATIONS[operation].decode(msgspec.json.encode(members))
    assert caught.value.code == "ValidationException"
    return str(caught.value)


@pytest.mark.parametrize(
    ("operation", "members", "text"),
    [
        ("DescribeKey", {}, "Value null at 'keyId' failed to satisfy constraint: Member must not be null"),
        ("DescribeKey", {"KeyId": None}, "Value null at 'keyId' failed to satisfy constraint: Member must not be null"),
        (
            "GenerateRandom", {"NumberOfBytes": 0},
            ("Value '0' at 'numberOfBytes' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"),
        ),
        (
            "GenerateRandom", {"NumberOfBytes": 1025},
            ("Value '1025' at 'numberOfBytes' failed to satisfy constraint: "
            "Member must have value less than or equal to 1024"),
        ),
        (
            "GenerateDataKey", {"KeyId": KEY, "KeySpec": "AES_512"},  # AWS lists the specs of keys
            ("Value 'AES_512' at 'keySpec' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(kms_shapes.SHOWN['KeySpec'])}]"),
        ),
        (
            "GenerateMac", {"KeyId": KEY, "Message": b"x", "MacAlgorithm": "hmac_sha_256"},
            ("Value 'hmac_sha_256' at 'macAlgorithm' failed to satisfy constraint: "
            "Member must satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"),
        ),
        (
            "Encrypt", {"KeyId": KEY, "Plaintext": b"x" * 4097},
            "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        ),
        (
            "Encrypt", {"KeyId": KEY, "Plaintext": b""},
            "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "Decrypt", {"CiphertextBlob": b"x" * 6145},
            ("Value at 'ciphertextBlob' failed to satisfy constraint: "
            "Member must have length less than or equal to 6144"),
        ),
        (
            "CreateAlias", {"AliasName": "alias/a b", "TargetKeyId": KEY},
            ("Value 'alias/a b' at 'aliasName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"),
        ),
        (
            "CreateAlias", {"AliasName": "alias/line\n", "TargetKeyId": KEY},
            ("Value 'alias/line\n' at 'aliasName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"),
        ),
        (
            "TagResource", {"KeyId": KEY, "Tags": [{"TagKey": "a" * 129, "TagValue": ""}]},
            (f"Value '{'a' * 129}' at 'tags.1.member.tagKey' failed to satisfy constraint: "
            "Member must have length less than or equal to 128"),
        ),
        (
            "TagResource", {"KeyId": KEY, "Tags": [{"TagKey": "a", "TagValue": "b"}, {"TagKey": "c"}]},
            "Value null at 'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null",
        ),
        (
            "UntagResource", {"KeyId": KEY, "TagKeys": ["a", ""]},
            ("Value '[a, ]' at 'tagKeys' failed to satisfy constraint: "
            "Member must satisfy constraint: [Member must have length greater than or equal to 1]"),
        ),
        (
            "DescribeKey", {"KeyId": KEY, "GrantTokens": ["t"] * 11},
            (f"Value '[{', '.join(['t'] * 11)}]' at 'grantTokens' failed to satisfy constraint: "
            "Member must have length less than or equal to 10"),
        ),
        (
            "PutKeyPolicy", {"KeyId": KEY, "Policy": "\u0100"},
            ("Value '\u0100' at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: "
            "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"),
        ),
        (
            "DescribeKey", {"KeyId": "\u30ad\u30fc"},
            ("Value '\u30ad\u30fc' at 'keyId' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^\\p{ASCII}+$"),
        ),
        (
            "Encrypt", {"KeyId": KEY},  # sensitive: nothing is said of the value
            "Value at 'plaintext' failed to satisfy constraint: Member must not be null",
        ),
        (
            "GenerateDataKey", {"KeyId": KEY, "Recipient": {"KeyEncryptionAlgorithm": "RSA"}},
            ("Value 'RSA' at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint: "
            "Member must satisfy enum value set: [RSAES_OAEP_SHA_256]"),
        ),
    ],
)  # fmt: skip
def test_one_error(operation: str, members: dict[str, object], text: str) -> None:
    """One unsatisfied constraint is told in AWS's words."""
    assert refusal(operation, members) == f"1 validation error detected: {text}"


def test_several_errors() -> None:
    """All errors of a request are told at once, in the model's order of members."""
    assert refusal("PutKeyPolicy", {"PolicyName": "a-b"}) == (
        "3 validation errors detected: "
        "Value null at 'keyId' failed to satisfy constraint: Member must not be null; "
        "Value 'a-b' at 'policyName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\w]+; "
        "Value null at 'policy' failed to satisfy constraint: Member must not be null"
    )


def test_an_empty_key_id() -> None:
    """AWS has a pattern for identifiers of keys that its model lacks: two errors, not one."""
    assert refusal("GetPublicKey", {"KeyId": ""}) == (
        "2 validation errors detected: "
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value '' at 'keyId' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^\\p{ASCII}+$"
    )


@pytest.mark.parametrize("shape", sorted(kms_shapes.SHOWN.keys() - {"DataKeySpec"}))
def test_values_in_the_order_of_aws(shape: str) -> None:
    """Where AWS lists values in an order of its own, they are those of the model."""
    assert sorted(kms_shapes.SHOWN[shape]) == sorted(service_model().shape_for(shape).metadata["enum"])


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("GenerateRandom", {"NumberOfBytes": 1}),
        ("GenerateRandom", {"NumberOfBytes": 1024}),
        ("Encrypt", {"KeyId": "k" * 2048, "Plaintext": b"x" * 4096}),
        ("Decrypt", {"CiphertextBlob": b"x" * 6144}),
        ("CreateAlias", {"AliasName": "a" * 256, "TargetKeyId": KEY}),
        ("TagResource", {"KeyId": KEY, "Tags": [{"TagKey": "a" * 128, "TagValue": "b" * 256}]}),
        ("TagResource", {"KeyId": KEY, "Tags": []}),
        ("CreateKey", {"Policy": "x" * 131072, "Description": "d" * 8192}),
        ("DescribeKey", {"KeyId": KEY, "Unknown": {"deep": [1, 2]}}),
        ("ScheduleKeyDeletion", {"KeyId": KEY, "PendingWindowInDays": 365}),
        ("Sign", {"KeyId": KEY, "Message": b"x", "SigningAlgorithm": "SYMMETRIC_DEFAULT"}),
    ],
)
def test_limits_are_taken(operation: str, members: dict[str, object]) -> None:
    """Values at the limits pass, and members that the model does not know are ignored."""
    OPERATIONS[operation].decode(msgspec.json.encode(members))


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"null", b'"text"', b"{} {}", b'{"KeyId":1}', b'{"KeyId":["a"]}', b'{"KeyId":"\xff"}',
        b'{"KeyId":"\\ud800"}', b'{"KeyId":"a","Plaintext":"no base64"}',
        b'{"KeyId":"a","EncryptionContext":{"a":null}}',
        b'{"KeyId":"a","EncryptionContext":{"a":1}}', b'{"KeyId":"a","DryRun":"true"}', b'{"x":' + b"[" * 100_000,
        b'{"x":' + b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_wrong_types_are_serialization_errors(body: bytes) -> None:
    """Whatever is not JSON of the right types is SerializationException, which says nothing more."""
    with pytest.raises(KmsFault) as caught:
        OPERATIONS["Encrypt"].decode(body)
    assert (caught.value.code, caught.value.message) == ("SerializationException", None)


def test_empty_body_is_an_empty_object() -> None:
    """A request without a body has no members."""
    OPERATIONS["ListKeys"].decode(b"")


def test_shapes_are_what_the_program_writes() -> None:
    """The committed shapes are those of the model; after a new one, run `python -m tools.kms_shapes`."""
    committed = {path.stem: path.read_text(encoding="utf-8") for path in kms_shapes.FOLDER.glob("shapes_*.py")}
    assert committed == kms_shapes.sources()


def test_shapes_of_every_operation_built() -> None:
    """There is an input for each operation, and for nothing else."""
    assert INPUTS.keys() == OPERATIONS.keys()
    assert all(INPUTS[name] is operation.input for name, operation in OPERATIONS.items())


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_functions_take_the_input_of_their_operation(name: str) -> None:
    """The function of each row is annotated with the input that its row decodes."""
    annotations = list(OPERATIONS[name].function.__annotations__.values())
    assert annotations[1] == f"{name}Input"


def _structures(kind: type[Structure]) -> Iterator[type[Structure]]:
    for below in kind.__subclasses__():
        yield below
        yield from _structures(below)


def test_no_secret_is_in_a_representation() -> None:
    """Each member that the model calls sensitive is left out of what a log or a traceback shows, and all bytes are."""
    secrets = {"KeyStorePassword", "RawSecretAccessKey"}
    for kind in _structures(Structure):
        hints = get_type_hints(kind)
        for name in kind.__struct_fields__:
            if bytes in get_args(hints[name]) or name in secrets:
                assert name in kind.hidden, (kind, name)
    shown = repr(INPUTS["CreateCustomKeyStore"](CustomKeyStoreName="store", KeyStorePassword="secret"))
    assert shown == "CreateCustomKeyStoreInput(CustomKeyStoreName='store')"
