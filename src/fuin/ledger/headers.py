"""What the header of a stored message says about the key that encrypts its data key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fuin.blobs.interface import BlobMissing, ReadInto
from fuin.blobs.memory import open_messages
from fuin.errors import FormatError
from fuin.formats import blob, message
from fuin.store.s3.key_use import KeyUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.blobs.interface import Blob, BlobStore, ReadSteps
    from fuin.blobs.memory import StoredMessage
    from fuin.formats.message import Header

# Of a data key under an S3 Bucket Key. Its ciphertext begins with two bytes, the length of the bucket key's ciphertext
# blob, and that blob.
_BUCKET_KEY_PROVIDER = "fuin-bucket-key"
_FIRST = 4096  # bytes; nearly every header is shorter, and a store on S3 brings as many when it opens a blob


class UnreadableHeader(Exception):
    """The blob is missing, or does not begin with the header of a message."""


async def read_headers(blobs: BlobStore, messages: Sequence[StoredMessage]) -> list[Header | UnreadableHeader]:
    """Return the header of each message, side by side; raises StoreUnavailable when the store fails."""
    try:
        opened = await open_messages(blobs, messages)
    except BlobMissing:
        if len(messages) == 1:
            return [UnreadableHeader("the blob is missing")]
        return [header for message in messages for header in await read_headers(blobs, [message])]
    try:
        return await asyncio.gather(*map(_read_header, opened))
    finally:
        for each in opened:
            each.close()


async def _read_header(opened: Blob) -> Header | UnreadableHeader:
    try:
        return await opened.read(_header_steps())
    except FormatError as error:
        return UnreadableHeader(str(error))


def _header_steps() -> ReadSteps[Header]:
    for length in (_FIRST, message.HEADER_LIMIT):
        view = memoryview(bytearray(length))
        count = yield ReadInto(view, 0)
        try:
            return message.parse_header(view[:count])
        except FormatError:
            if count < length or length == message.HEADER_LIMIT:
                raise
    raise AssertionError("unreachable")


def header_key_use(header: Header, indexed: KeyUse) -> KeyUse:
    """Return the values that the index has of a message with this header.

    A message under a KMS key does not say its scheme, so that is the one that is indexed.
    """
    entry = header.encrypted_data_keys[0]
    info, ciphertext = entry.info.decode(errors="replace"), entry.ciphertext
    if entry.provider == _BUCKET_KEY_PROVIDER:
        ciphertext = ciphertext[2 : 2 + int.from_bytes(ciphertext[:2])]
    elif entry.provider != message.KMS_PROVIDER:
        return KeyUse(info, None, None)
    try:
        material_id = blob.parse_ids(ciphertext)[1]
    except FormatError:
        material_id = None
    return KeyUse(indexed.scheme, info, material_id)
