"""The proof of the rows: what an owner of messages says about itself agrees with its parts and with its own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.s3.multipart import completion
from fuin.s3.objects import index
from fuin.s3.payload import checksums
from fuin.s3.sealing import schemes
from fuin.store.s3.key_use import object_key_use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.store.s3.message_rows import Owner, WholeContent

_UNREADABLE = (msgspec.DecodeError, UnicodeError, KeyError)


def parse_encryption(owner: Owner) -> StoredEncryption | None:
    """Return the encryption of an owner, None if its row has none that can be read; `row_faults` says so."""
    try:
        return schemes.parse_stored(owner.encryption)
    except _UNREADABLE:
        return None


def row_faults(owner: Owner) -> list[str]:
    """Return the faults of the row of an owner, in words."""
    stored = parse_encryption(owner)
    if stored is None:
        return ["the column encryption cannot be read"]
    found = list(_key_faults(owner, stored))
    if owner.whole is not None:
        try:
            found += _whole_faults(owner, owner.whole, stored)
        except (*_UNREADABLE, ValueError):
            found.append("the checksums or ETags of the row cannot be read")
    return found


def _key_faults(owner: Owner, stored: StoredEncryption) -> Iterator[str]:
    if object_key_use(owner.encryption) != owner.use:
        yield "the columns about the KMS key differ from the column encryption: `fuin ledger check` says in what"
    if owner.upload_id and owner.data_key != stored.blob:
        yield "the column data_key differs from the column encryption"


def _whole_faults(owner: Owner, whole: WholeContent, stored: StoredEncryption) -> Iterator[str]:
    parts = owner.parts
    if len(parts) != whole.part_count or not parts:
        yield f"the index has {len(parts)} of its {whole.part_count} parts"
        return
    if (size := sum(part.size for part in parts)) != whole.size:
        yield f"its parts have {size:,} bytes of content, and the whole {whole.size:,}"
    if whole.made_by is not None:
        if completion.multipart_etag(parts) != whole.etag:
            yield "its ETag does not follow from those of its parts"
    elif len(parts) != 1:
        yield f"it was written in one request, and has {len(parts)} parts"
    elif stored.scheme.has_md5_etag and parts[0].etag != whole.etag:
        yield "its ETag is not that of its content"
    checksum = index.parse_checksum(whole.checksum)
    if checksum is None:
        return
    algorithm = checksums.ALGORITHMS[checksum.algorithm]
    if whole.made_by is not None:
        expected = completion.combined_value(algorithm, checksum.kind, parts)
    else:
        expected = index.parse_values(parts[0])[algorithm.name]
    if expected != checksum.value:
        yield f"its {algorithm.name} does not follow from those of its parts"
