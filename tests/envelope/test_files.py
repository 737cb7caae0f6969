"""Streams under a data key from KMS: what is asked, what is refused, and how KMS's answers are told."""

import io
import tracemalloc

import pytest
from typing_extensions import Buffer

from fuin.envelope import files
from fuin.envelope.kms import KmsClient, KmsError
from fuin.envelope.stream import EncryptedDataKey, Sealer, parse_header
from fuin.errors import FormatError, FuinError, TamperedError
from tests.envelope.kms_stand_in import ALIAS, ARN, KEY_ID, OTHER_ARN, KmsStandIn
from tests.envelope.messages import DATA_KEY

CONTEXT = {"team": "finance", "year": "2026"}


def sealed(plaintext: bytes = b"plaintext", context: dict[str, str] | None = None) -> bytes:
    """Return a message made through the stand-in."""
    target = io.BytesIO()
    files.encrypt(io.BytesIO(plaintext), target, KmsClient(), ARN, CONTEXT if context is None else context, _ignore)
    return target.getvalue()


def opened(message: bytes, key: str | None = None, context: dict[str, str] | None = None) -> bytes:
    """Return the plaintext of a message opened through the stand-in."""
    target = io.BytesIO()
    files.decrypt(io.BytesIO(message), target, KmsClient(), _ignore, key=key, context=context)
    return target.getvalue()


def _ignore(count: int) -> None:
    """Take no notice of progress."""


class Zeros:
    """A source of so many zero bytes."""

    def __init__(self, length: int) -> None:
        self.left = length

    def read(self, size: int) -> bytes:
        """Return nothing: only readinto is used here."""
        raise AssertionError

    def readinto(self, buffer: Buffer) -> int:
        """Claim to have filled the buffer."""
        count = min(len(memoryview(buffer)), self.left)
        self.left -= count
        return count


class Count:
    """A sink that only counts."""

    count = 0

    def write(self, data: Buffer) -> None:
        """Count the bytes."""
        self.count += len(memoryview(data))


@pytest.mark.parametrize("length", [0, 1, 262_143, 262_144, 262_145, 1_048_576, 3_000_000])
def test_stream_round_trip(kms: KmsStandIn, length: int) -> None:
    """What is encrypted decrypts, and both tell their progress completely."""
    plaintext, message, found = bytes(length), io.BytesIO(), io.BytesIO()
    told: list[int] = []
    assert files.encrypt(io.BytesIO(plaintext), message, KmsClient(), ARN, CONTEXT, told.append) == ARN
    assert sum(told) == length
    told.clear()
    message.seek(0)
    assert files.decrypt(message, found, KmsClient(), told.append) == ARN
    assert found.getvalue() == plaintext
    assert sum(told) == len(message.getvalue())


@pytest.mark.parametrize("change", ["between frames", "in a frame"])
def test_cut_message_is_refused(kms: KmsStandIn, change: str) -> None:
    """A message without its end is an error also when all that is there is genuine."""
    message = sealed(bytes(1_000_000))
    header = parse_header(message)
    whole = header.length + 2 * (header.frame_length + 32)
    with pytest.raises(TamperedError, match="before its final frame"):
        opened(message[: whole if change == "between frames" else whole + 100])


def test_only_generate_data_key_and_decrypt_are_asked(kms: KmsStandIn) -> None:
    """Writing needs kms:GenerateDataKey alone, reading kms:Decrypt alone, each with the context and the key."""
    opened(sealed())
    (write, first), (read, second) = kms.requests
    assert (write, first["KeyId"], first["KeySpec"], first["EncryptionContext"]) == (
        "GenerateDataKey",
        ARN,
        "AES_256",
        CONTEXT,
    )
    assert (read, second["KeyId"], second["EncryptionContext"]) == ("Decrypt", ARN, CONTEXT)


def test_memory_is_constant(kms: KmsStandIn) -> None:
    """64 MiB pass both ways with a few buffers of memory."""

    sink = Count()
    tracemalloc.start()
    files.encrypt(Zeros(64 << 20), sink, KmsClient(), ARN, {}, _ignore)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sink.count > 64 << 20
    assert peak < 24 << 20


@pytest.mark.parametrize("key", [ARN, KEY_ID, ALIAS])
def test_given_key_may_be_arn_id_or_alias(kms: KmsStandIn, key: str) -> None:
    """A reader may say which key it expects; an alias is compared by KMS."""
    assert opened(sealed(), key=key) == b"plaintext"


@pytest.mark.parametrize("key", [OTHER_ARN, OTHER_ARN[-36:], "55", "alias/other", f"{ARN}5", ""])
def test_other_key_is_refused(kms: KmsStandIn, key: str) -> None:
    """A message under another key than the expected one is refused."""
    with pytest.raises(FuinError):
        opened(sealed(), key=key)


def test_answer_under_another_key_is_refused(kms: KmsStandIn) -> None:
    """KMS must have decrypted under the key that the header names."""
    message = sealed()
    kms.claims = OTHER_ARN
    with pytest.raises(KmsError, match="the message names"):
        opened(message)


@pytest.mark.parametrize("context", [{}, {"team": "finance"}, CONTEXT])
def test_contained_context_is_taken(kms: KmsStandIn, context: dict[str, str]) -> None:
    """The reader may name some of the pairs."""
    assert opened(sealed(), context=context) == b"plaintext"


@pytest.mark.parametrize("context", [{"team": "sales"}, {"Team": "finance"}, {**CONTEXT, "more": ""}])
def test_missing_context_is_refused(kms: KmsStandIn, context: dict[str, str]) -> None:
    """A pair that the message does not have is refused before KMS is asked."""
    message = sealed()
    kms.requests.clear()
    with pytest.raises(TamperedError, match="does not contain"):
        opened(message, context=context)
    assert kms.requests == []


def test_reserved_context_is_refused(kms: KmsStandIn) -> None:
    """Keys that the AWS Encryption SDK keeps for itself would make the message unreadable for it."""
    with pytest.raises(FormatError, match="reserved"):
        sealed(context={"aws-crypto-public-key": "x"})
    assert kms.requests == []


def test_message_without_kms_key_is_refused(kms: KmsStandIn) -> None:
    """Only keys of aws-kms can be asked for."""
    sealer = Sealer(DATA_KEY, [EncryptedDataKey("raw", b"info", b"ciphertext")], {})
    with pytest.raises(FuinError, match="no KMS key"):
        opened(sealer.header + sealer.finish())


def test_second_data_key_opens_where_the_first_is_refused(kms: KmsStandIn) -> None:
    """Any one of the keys is enough."""
    good = parse_header(sealed())
    data_key = files.open_data_key(good, KmsClient(), None).plaintext.reveal()
    entries = [EncryptedDataKey.from_kms(OTHER_ARN, b"not ours"), *good.encrypted_data_keys]
    sealer = Sealer(data_key, entries, CONTEXT)
    assert opened(sealer.header + sealer.finish()) == b""


@pytest.mark.parametrize("code", ["AccessDeniedException", "DisabledException", "InvalidCiphertextException"])
def test_refusal_is_told_in_one_line(kms: KmsStandIn, code: str) -> None:
    """KMS's code and message stand in the error, on one line."""
    message = sealed()
    kms.refuse = code
    with pytest.raises(KmsError) as refusal:
        opened(message)
    assert str(refusal.value) == f"KMS refused Decrypt: {code}: no: {code}"


def test_unreachable_kms_is_told(kms: KmsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the endpoint that does not answer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    with pytest.raises(KmsError, match=r"cannot be reached: .*127\.0\.0\.1:9"):
        sealed()


def test_missing_credentials_are_told(kms: KmsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says which variables to set."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KmsError, match="AWS_ACCESS_KEY_ID"):
        sealed()


def test_missing_region_is_told(kms: KmsStandIn) -> None:
    """An alias does not name a Region; nothing is guessed."""
    with pytest.raises(KmsError, match="--region"):
        KmsClient().generate_data_key(ALIAS, {})


def test_bad_endpoint_is_told() -> None:
    """An endpoint that is no URL is an error in one line as well."""
    with pytest.raises(KmsError, match="cannot be asked"):
        KmsClient("nonsense", "us-east-1").generate_data_key(ALIAS, {})


@pytest.mark.parametrize("name", ["AWS_DEFAULT_REGION", "AWS_REGION"])
def test_settings_lead_to_kms(kms: KmsStandIn, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Endpoint and Region may be given as arguments, or come from the environment."""
    assert KmsClient(kms.url, "us-east-1").generate_data_key(ALIAS, {}).key_arn == ARN
    monkeypatch.setenv(name, "us-east-1")
    client = KmsClient()
    assert client.generate_data_key(ALIAS, {}).key_arn == client.generate_data_key(ALIAS, {}).key_arn == ARN
