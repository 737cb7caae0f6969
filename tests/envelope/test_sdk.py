"""Both directions against the official AWS Encryption SDK for Python, through real HTTP to a KMS stand-in."""

import io
from collections.abc import Iterator
from functools import cache

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy

from fuin.envelope import files
from fuin.envelope.kms import KmsClient
from fuin.envelope.reader import Reader
from fuin.envelope.stream import Opener, Sealer, parse_header, stored_length
from fuin.errors import FormatError
from tests.envelope.kms_stand_in import ARN, KmsStandIn, serve_kms

SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
SIGNED_SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
CONTEXT = {"aws:s3:arn": "arn:aws:s3:::bucket/a key with 印", "é": "", "z": "𝄞", "": "empty key"}
# (plaintext length, frame length); the SDK itself writes frame lengths that are multiples of 128 only.
SIZES = [
    (0, 128), (1, 128), (127, 128), (128, 128), (129, 128), (256, 128), (257, 128),
    (0, 4096), (4095, 4096), (4096, 4096), (4097, 4096), (12288, 4096),
    (300_000, 102_400), (262_144, 262_144), (600_000, 262_144),
]  # fmt: skip
ODD_SIZES = [(0, 1), (5, 1), (0, 16), (15, 16), (32, 16), (33, 16), (1000, 999)]


@pytest.fixture(scope="module", autouse=True)
def _stand_in() -> Iterator[KmsStandIn]:
    """Lead both sides to one KMS stand-in for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        yield from serve_kms(patch)


@cache
def client() -> KmsClient:
    """Return our KMS client, made once: that takes longer than the test."""
    return KmsClient()


def sdk() -> aws_encryption_sdk.EncryptionSDKClient:
    """Return the official client, which demands key commitment."""
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


@cache
def provider() -> aws_encryption_sdk.StrictAwsKmsMasterKeyProvider:
    """Return the SDK's KMS key provider; the environment leads it to the stand-in."""
    return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[ARN])


def ours(plaintext: bytes, frame_length: int, context: dict[str, str]) -> bytes:
    """Return a message that Fuin wrote under the stand-in's key."""
    target = io.BytesIO()
    files.encrypt(
        io.BytesIO(plaintext), target, client(), ARN, context, lambda _: None, frame_length=frame_length
    )  # fmt: skip
    return target.getvalue()


@pytest.mark.parametrize(("length", "frame_length"), SIZES + ODD_SIZES)
def test_sdk_opens_what_fuin_writes(length: int, frame_length: int) -> None:
    """The official SDK reads plaintext, context and frame length of our message."""
    plaintext = bytes(index % 251 for index in range(length))
    message = ours(plaintext, frame_length, CONTEXT)
    opened, header = sdk().decrypt(source=message, key_provider=provider())
    assert opened == plaintext
    assert header.encryption_context == CONTEXT
    assert header.frame_length == frame_length
    assert header.algorithm is SUITE


@pytest.mark.parametrize(("length", "frame_length"), SIZES)
def test_fuin_opens_what_the_sdk_writes(length: int, frame_length: int) -> None:
    """We read the official SDK's message, and it has exactly the length that ours would have."""
    plaintext = bytes(index % 251 for index in range(length))
    message, _ = sdk().encrypt(
        source=plaintext,
        key_provider=provider(),
        algorithm=SUITE,
        frame_length=frame_length,
        encryption_context=dict(CONTEXT),
    )
    target = io.BytesIO()
    assert files.decrypt(io.BytesIO(message), target, client(), lambda _: None, key=ARN, context=CONTEXT) == ARN
    assert target.getvalue() == plaintext
    assert len(message) == stored_length(parse_header(message).length, frame_length, length)


@pytest.mark.parametrize("length", [0, 128, 300])
def test_same_keys_and_message_id_give_the_same_bytes(length: int) -> None:
    """With the SDK's data key, context and message id, our message equals the SDK's bit by bit."""
    plaintext = bytes(length)
    message, _ = sdk().encrypt(
        source=plaintext, key_provider=provider(), algorithm=SUITE, frame_length=128, encryption_context=dict(CONTEXT)
    )
    header = parse_header(message)
    data_key = files.open_data_key(header, client(), None).plaintext.reveal()
    sealer = Sealer(data_key, header.encrypted_data_keys, CONTEXT, 128, header.message_id)
    assert sealer.header + b"".join(sealer.update(plaintext)) + sealer.finish() == message
    reader = Reader(Opener(header, data_key))
    assert b"".join(reader.feed(message[header.length :])) == plaintext


def test_empty_context_both_ways() -> None:
    """No context is a section of length zero for both."""
    assert sdk().decrypt(source=ours(b"text", 16, {}), key_provider=provider())[0] == b"text"
    message, _ = sdk().encrypt(source=b"text", key_provider=provider(), algorithm=SUITE)
    target = io.BytesIO()
    files.decrypt(io.BytesIO(message), target, client(), lambda _: None)
    assert target.getvalue() == b"text"


@pytest.mark.parametrize(("algorithm", "frame_length"), [(SIGNED_SUITE, 128), (SUITE, 0)])
def test_other_kinds_of_message_are_refused(algorithm: Algorithm, frame_length: int) -> None:
    """Signed and unframed messages are not ours to read."""
    message, _ = sdk().encrypt(source=b"text", key_provider=provider(), algorithm=algorithm, frame_length=frame_length)
    with pytest.raises(FormatError):
        files.decrypt(io.BytesIO(message), io.BytesIO(), client(), lambda _: None)


def test_version_1_message_is_refused() -> None:
    """The format without key commitment is not read."""
    old = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    message, _ = old.encrypt(source=b"text", key_provider=provider())
    with pytest.raises(FormatError, match="version"):
        files.decrypt(io.BytesIO(message), io.BytesIO(), client(), lambda _: None)
