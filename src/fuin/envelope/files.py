"""Encryption and decryption of whole streams in constant memory, with a data key from KMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fuin.envelope.kms import KmsClient, KmsError, MessageDataKey
from fuin.envelope.reader import Reader
from fuin.envelope.stream import FRAME_LENGTH, EncryptedDataKey, Opener, Sealer, parse_header
from fuin.errors import FormatError, FuinError, TamperedError
from fuin.formats.message import HEADER_LIMIT, KMS_PROVIDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Buffer

    from fuin.formats.message import Header

    Progress = Callable[[int], None]


class BinarySource(Protocol):
    """An open binary file to read, also standard input."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most `size` bytes, and no bytes at the end."""

    def readinto(self, buffer: Buffer, /) -> int | None:
        """Fill the beginning of `buffer` and return the number of bytes."""


class BinarySink(Protocol):
    """A buffered binary file to write to."""

    def write(self, data: Buffer, /) -> object:
        """Write all of `data`, which may change after the call."""


PIECE = 1024 * 1024
_RESERVED = "aws-crypto-"  # encryption context keys that the AWS Encryption SDK reserves for itself


def encrypt(
    source: BinarySource,
    target: BinarySink,
    client: KmsClient,
    key: str,
    context: Mapping[str, str],
    progress: Progress,
    *,
    frame_length: int = FRAME_LENGTH,
) -> str:
    """Write `source` to `target` as one message under a fresh data key of `key`; return the KMS key's ARN.

    `progress` gets the number of plaintext bytes of each step. Raises KmsError, FormatError, OSError.
    """
    reserved = [name for name in context if name.startswith(_RESERVED)]
    if reserved:
        raise FormatError(f"encryption context keys that start with {_RESERVED} are reserved: {reserved[0]}")
    data_key = client.generate_data_key(key, context)
    entry = EncryptedDataKey.from_kms(data_key.key_arn, data_key.ciphertext)
    sealer = Sealer(data_key.plaintext.reveal(), [entry], context, frame_length)
    data_key.plaintext.wipe()
    target.write(sealer.header)
    buffer = memoryview(bytearray(PIECE))
    while count := source.readinto(buffer):
        for frame in sealer.update(buffer[:count]):
            target.write(frame)
        progress(count)
    target.write(sealer.finish())
    return data_key.key_arn


def decrypt(
    source: BinarySource,
    target: BinarySink,
    client: KmsClient,
    progress: Progress,
    *,
    key: str | None = None,
    context: Mapping[str, str] | None = None,
) -> str:
    """Write the plaintext of the message in `source` to `target`, frame by frame; return the KMS key's ARN.

    `key`, if given, is the KMS key that must have encrypted the data key; `context` holds pairs that the message's
    own context must contain. Plaintext written before an error is genuine but incomplete, so the caller must delete it.
    `progress` gets the number of message bytes of each step. Raises KmsError, FormatError, TamperedError, OSError.
    """
    start = _read_start(source)
    header = parse_header(start)
    require_context(header, context or {})
    data_key = open_data_key(header, client, key)
    reader = Reader(Opener(header, data_key.plaintext.reveal()))
    data_key.plaintext.wipe()
    _write_plaintext(target, reader, memoryview(start)[header.length :])
    progress(len(start))
    buffer = memoryview(bytearray(PIECE))
    while count := source.readinto(buffer):
        _write_plaintext(target, reader, buffer[:count])
        progress(count)
    _finish(reader)
    return data_key.key_arn


def _read_start(source: BinarySource) -> bytes:
    """Return as many bytes as a header may have, or all bytes of a shorter source."""
    start = bytearray()
    while piece := source.read(HEADER_LIMIT - len(start)):
        start += piece
    return bytes(start)


def _write_plaintext(target: BinarySink, reader: Reader, data: memoryview) -> None:
    try:
        opened = reader.feed(data)
    except TamperedError as error:
        place = f"at byte {reader.position:,} or after it"
        raise TamperedError(f"the message was changed or damaged, {place}: {error}") from error
    for plaintext in opened:
        target.write(plaintext)


def _finish(reader: Reader) -> None:
    try:
        reader.finish()
    except TamperedError as error:
        raise TamperedError(f"the message was cut off after byte {reader.position:,}: {error}") from error


def require_context(header: Header, context: Mapping[str, str]) -> None:
    """Check that the message's encryption context contains all pairs of `context`; raises TamperedError."""
    for name, value in context.items():
        if header.context.get(name) != value:
            raise TamperedError(f"the message's encryption context does not contain {name}={value}")


def open_data_key(header: Header, client: KmsClient, key: str | None) -> MessageDataKey:
    """Return the data key that KMS decrypts from the header; raises KmsError with the first refusal.

    Only entries of the provider aws-kms are tried. `key` may be an ARN or id, which is compared here, or an alias,
    which KMS compares.
    """
    entries = [entry for entry in header.encrypted_data_keys if entry.provider == KMS_PROVIDER]
    if not entries:
        raise FuinError("no KMS key can decrypt this message: it has no encrypted data key of aws-kms")
    entries = [entry for entry in entries if key is None or _may_be_under(_key_arn(entry), key)]
    if not entries:
        raise FuinError(f"the message was not encrypted under the key {key}")
    refusals: list[KmsError] = []
    for entry in entries:
        arn = _key_arn(entry)
        try:
            data_key = client.decrypt(entry.ciphertext, arn, header.context, alias=_alias_or_none(key))
        except KmsError as refusal:
            refusals.append(refusal)
            continue
        if data_key.key_arn == arn:
            return data_key
        refusals.append(KmsError(f"KMS decrypted the data key under {data_key.key_arn}, the message names {arn}"))
    raise refusals[0]


def _key_arn(entry: EncryptedDataKey) -> str:
    try:
        return entry.info.decode()
    except UnicodeDecodeError:
        raise FormatError("the message's key ARN is not UTF-8") from None


def _alias_or_none(key: str | None) -> str | None:
    """Return `key` if it is an alias name or alias ARN, else None."""
    return key if key and (key.startswith("alias/") or ":alias/" in key) else None


def _may_be_under(arn: str, key: str) -> bool:
    return bool(_alias_or_none(key)) or key in (arn, arn.rpartition(":key/")[2])
