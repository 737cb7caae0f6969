"""The walk over all rows of the index: what they say about keys, held against the stored envelopes.

There are two witnesses for each row: the JSON of its column `encryption`, which the object store reads, and for objects
and parts the header of the stored message, which any AWS Encryption SDK reads. A message that was re-wrapped has the
header from before, of which the JSON has the SHA-256. The walk has one page of rows in memory.
It can run beside a server: a row that differs from its message is read again, since the object may have been replaced
or encrypted anew meanwhile. Uploads come before objects, so that none is passed over which becomes an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fuin.ledger.headers import UnreadableHeader, header_key_use, read_headers
from fuin.ledger.pages import read_pages
from fuin.store.s3 import key_use_rows
from fuin.store.s3.key_use import KeyUse, default_key_use, object_key_use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from fuin.blobs.interface import BlobStore
    from fuin.formats.message import Header
    from fuin.store.s3.key_use_rows import BucketRow, ObjectRow, PartRow, UploadRow
    from fuin.store.store import Store

T = TypeVar("T")
PAGE = 1000  # rows
_SIDE_BY_SIDE = 64  # messages that are open at once
_TRIES = 3  # of a row that changes while it is looked at
_COLUMNS = ("scheme", "kms_key_arn", "kms_material_id")


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of the index that is not the one of a stored envelope; both are texts, and None without a value.

    `column` is empty if the envelope cannot be read: `stored` then says why.
    """

    kind: str  # object, upload or bucket
    bucket: str
    column: str
    indexed: str | None
    stored: str | None
    witness: str  # where `stored` was found
    key: str = ""
    version: str = ""
    upload: str = ""
    part: int = 0  # 0: the row itself

    @property
    def row(self) -> str:
        """Return the name of the row for people."""
        if self.kind == "bucket":
            return f"bucket {self.bucket}"
        place = f"s3://{self.bucket}/{self.key}"
        name = f"upload {self.upload} to {place}" if self.upload else f"object {place}, version {self.version}"
        return f"{name}, part {self.part}" if self.part else name

    @property
    def sentence(self) -> str:
        """Return the difference for people."""
        if not self.column:
            return f"{self.row}: {self.witness} cannot be read: {self.stored}"
        return f"{self.row}: {self.column} is {self.indexed} in the index, and {self.stored} in {self.witness}"


@dataclass(slots=True)
class LedgerCheck:
    """One walk; `rows` and `differences` count. `report` is called with the number of rows that were gone through."""

    store: Store
    blobs: BlobStore
    report: Callable[[int], None] = lambda _: None
    page_size: int = PAGE
    rows: int = field(default=0, init=False)
    differences: int = field(default=0, init=False)

    async def run(self) -> AsyncIterator[Difference]:
        """Yield each difference; raises StoreUnavailable when the database or the blobs cannot be read."""
        for walk in (
            self._rows(key_use_rows.page_of_buckets, "", _bucket_differences),
            self._rows(key_use_rows.page_of_uploads, "", _upload_differences),
            self._messages(key_use_rows.START_OF_UPLOAD_PARTS),
            self._rows(key_use_rows.page_of_objects, 0, _object_differences),
            self._messages(key_use_rows.START_OF_OBJECT_PARTS),
        ):
            async for found in walk:
                self.differences += 1
                yield found

    async def _read_pages(self, read: Callable[..., list[Any]], after: Any) -> AsyncIterator[list[Any]]:
        async for page in read_pages(self.store, read, after, self.page_size):
            yield page
            self.rows += len(page)
            self.report(len(page))

    async def _rows(
        self, read: Callable[..., list[Any]], after: Any, compare: Callable[[Any], Iterator[Difference]]
    ) -> AsyncIterator[Difference]:
        async for page in self._read_pages(read, after):
            for row in page:
                for found in compare(row):
                    yield found

    async def _messages(self, after: tuple[int | str, int]) -> AsyncIterator[Difference]:
        async for page in self._read_pages(key_use_rows.page_of_parts, after):
            for start in range(0, len(page), _SIDE_BY_SIDE):
                async for found in self._part_differences(page[start : start + _SIDE_BY_SIDE]):
                    yield found

    async def _part_differences(self, parts: Sequence[PartRow]) -> AsyncIterator[Difference]:
        headers = await read_headers(self.blobs, parts)
        for part, header in zip(parts, headers, strict=True):
            if list(_message_differences(part, header)):
                for found in await self._look_again(part):
                    yield found

    async def _look_again(self, part: PartRow) -> list[Difference]:
        """Return the differences of a part as it is now: it may have changed since its page was read."""
        found: list[Difference] = []
        for _ in range(_TRIES):
            now = await self.store.read(key_use_rows.find_part, part.mark)
            if now is None:
                return []
            [header] = await read_headers(self.blobs, [now])
            found = list(_message_differences(now, header))
            if now == part:
                break
            part = now
        return found


def _bucket_differences(row: BucketRow) -> Iterator[Difference]:
    stored = _parse(lambda: default_key_use(row.encryption, row.account, row.region))
    return _compare(row.use, stored, kind="bucket", bucket=row.mark, witness="the column encryption")


def _upload_differences(row: UploadRow) -> Iterator[Difference]:
    return _compare(
        row.use, _parse(lambda: object_key_use(row.encryption)), kind="upload", bucket=row.name.bucket,
        key=row.name.key, upload=row.mark, witness="the column encryption",
    )  # fmt: skip


def _object_differences(row: ObjectRow) -> Iterator[Difference]:
    return _compare(
        row.use, _parse(lambda: object_key_use(row.encryption)), kind="object", bucket=row.name.bucket,
        key=row.name.key, version=row.name.version, witness="the column encryption",
    )  # fmt: skip


def _message_differences(part: PartRow, header: Header | UnreadableHeader) -> Iterator[Difference]:
    name, upload = part.name, part.upload_id
    row = {
        "kind": "upload" if upload else "object", "bucket": name.bucket, "key": name.key, "upload": upload,
        "version": "" if upload else name.version, "part": part.mark[1],
        "witness": f"the header of {'blob' if part.content is None else 'message'} {part.blob}",
    }  # fmt: skip
    if isinstance(header, UnreadableHeader):
        return _compare(part.use, str(header), **row)
    rewrapped = _parse(lambda: part.rewrapped_header)
    if rewrapped is None or isinstance(rewrapped, str):  # not re-wrapped, or unreadable, which is found elsewhere
        return _compare(part.use, header_key_use(header, part.use), **row)
    return _rewrapped_differences(header, rewrapped, row)


def _rewrapped_differences(header: Header, digest: bytes, row: dict[str, Any]) -> Iterator[Difference]:
    """Yield the difference of a message that was re-wrapped, if its header is not the one from before."""
    found = header.encrypted_data_keys[0].digest()
    if found != digest:
        yield Difference(column="encryption", indexed=digest.hex(), stored=found.hex(), **row)


def _parse(make: Callable[[], T]) -> T | str:
    """Return what an envelope says, or why it cannot be read."""
    try:
        return make()
    except (msgspec.DecodeError, UnicodeError) as error:
        return str(error)


def _compare(indexed: KeyUse, stored: KeyUse | str, **row: Any) -> Iterator[Difference]:
    if isinstance(stored, str):
        yield Difference(column="", indexed=None, stored=stored, **row)
    elif indexed != stored:
        for column, ours, theirs in zip(_COLUMNS, indexed, stored, strict=True):
            if ours != theirs:
                yield Difference(column=column, indexed=_text(ours), stored=_text(theirs), **row)


def _text(value: str | bytes | None) -> str | None:
    return value.hex() if isinstance(value, bytes) else value
