"""The walk of the proof: owners from the index, their messages side by side, and what is wrong with each.

A fault never ends the walk. What seems wrong is looked at again with the rows as they are now, and is a finding only if
they are the same: one that was replaced or deleted meanwhile is not named. Only a database or a keyholder that is away
ends the walk early. At most `SIDE_BY_SIDE` messages are read at once, each in a window of a mebibyte. The threads of
the blob store read them; there digests and ciphers do their work without the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from fuin.blobs.interface import BlobMissing
from fuin.blobs.memory import open_messages
from fuin.blobs.waiting import wait_until_done
from fuin.errors import FormatError, FuinError, StoreUnavailable, TamperedError
from fuin.proof import orphans, row, scope
from fuin.proof.data_keys import KeyRefused
from fuin.proof.finding import FAULT, UNPROVEN, Finding
from fuin.proof.message import ExpectedMessage, prove
from fuin.proof.pace import Pace
from fuin.store.s3 import message_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.blobs.interface import BlobStore
    from fuin.proof.data_keys import DataKeys
    from fuin.proof.scope import Scope
    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.store.s3.message_rows import Owner
    from fuin.store.s3.parts import Part
    from fuin.store.store import Store

SIDE_BY_SIDE = 16  # messages
_TRIES = 3  # of an owner that changes while it is looked at
# A message that does not hold, and a row whose values cannot be read or be those of a message.
_UNFIT = (TamperedError, FormatError, ValueError, struct.error, msgspec.DecodeError)
Problem = tuple[str, str]  # the kind of a finding, and its reason


@dataclass(slots=True)
class Counts:
    """How much was looked at. A message is opened, or under a customer's key, or neither."""

    versions: int = 0
    uploads: int = 0
    messages: int = 0
    stored_bytes: int = 0
    opened: int = 0
    under_customer_keys: int = 0
    changed: int = 0  # owners that were replaced or deleted while they were looked at
    moved_orphans: int = 0
    findings: dict[str, int] = field(default_factory=dict)  # by kind


class OwnerProof:
    """A version or an upload whose messages are looked at; its data key is opened once for all of them."""

    def __init__(self, owner: Owner, data_keys: DataKeys | None) -> None:
        self.owner = owner
        self.stored: StoredEncryption | None = row.parse_encryption(owner)
        self._data_keys = data_keys
        self._opening: asyncio.Future[bytes | None] | None = None

    @property
    def has_customer_key(self) -> bool:
        """Return whether its data key is under a key that the client keeps: then nobody here can open it."""
        return self.stored is not None and not self.stored.key

    async def data_key(self) -> tuple[bytes | None, Problem | None]:
        """Return the data key, or why it does not open; only the first caller gets the reason."""
        is_first = self._opening is None
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        try:
            return await wait_until_done(self._opening), None
        except TamperedError as error:
            problem = (FAULT, str(error))
        except (KeyRefused, StoreUnavailable) as error:
            problem = (UNPROVEN, str(error))
        return None, problem if is_first else None

    async def _open(self) -> bytes | None:
        if self._data_keys is None or self.stored is None or self.has_customer_key:
            return None
        return await self._data_keys.open(self.owner, self.stored)


@dataclass(slots=True)
class Proof:
    """One walk over a scope; without `data_keys` it proves the structure only.

    `show` is called with each finding, `report` with the bytes of each step, from any thread.
    """

    store: Store
    blobs: BlobStore
    data_keys: DataKeys | None
    scope: Scope
    show: Callable[[Finding], None]
    report: Callable[[int], None] = lambda _: None
    pace: Pace = field(default_factory=Pace)
    counts: Counts = field(default_factory=Counts)

    async def run(self) -> Counts:
        """Look at everything, and return how much that was.

        Raises StoreUnavailable, KeyholderUnavailable, or FuinError if the bucket does not exist.
        """
        suspects = await orphans.list_suspects(self.store, self.blobs) if self.scope.is_whole else []
        try:
            await self._walk()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        if self.scope.is_whole:
            async for found in orphans.list_orphans(self.store, self.blobs, suspects):
                self._name(found)
            self.counts.moved_orphans = await orphans.count_moved(self.blobs)
        return self.counts

    async def _walk(self) -> None:
        jobs: asyncio.Queue[tuple[OwnerProof, Part | None] | None] = asyncio.Queue(SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(self._work(jobs))
            async for owner in scope.list_owners(self.store, self.scope):
                if owner.upload_id:
                    self.counts.uploads += 1
                else:
                    self.counts.versions += 1
                looked_at = OwnerProof(owner, self.data_keys)
                if row.row_faults(owner):
                    await jobs.put((looked_at, None))
                for part in owner.parts if looked_at.stored is not None else ():
                    await jobs.put((looked_at, part))
            for _ in range(SIDE_BY_SIDE):
                await jobs.put(None)

    async def _work(self, jobs: asyncio.Queue[tuple[OwnerProof, Part | None] | None]) -> None:
        while (job := await jobs.get()) is not None:
            await self._settle(*job)

    async def _settle(self, looked_at: OwnerProof, part: Part | None) -> None:
        """Look at a message, or at the row of an owner (no part), until the result is about what is there now."""
        problems: list[Problem] = []
        for _ in range(_TRIES):
            owner = looked_at.owner
            problems = await self._look(looked_at, part)
            if not problems:
                return
            now = await self.store.read(message_rows.find_owner, owner)
            if now is not None and _is_same(owner, now, part):
                break
            self.counts.changed += 1
            number = 0 if part is None else part.number
            part = None if now is None else next((one for one in now.parts if one.number == number), None)
            if now is None or (number and part is None):
                return
            looked_at = OwnerProof(now, self.data_keys)
        else:
            problems = [(UNPROVEN, "it was changed each time that it was looked at")]
        for kind, reason in problems:
            self._name(_finding(kind, reason, looked_at.owner, part))

    async def _look(self, looked_at: OwnerProof, part: Part | None) -> list[Problem]:
        if part is None:
            return [(FAULT, reason) for reason in row.row_faults(looked_at.owner)]
        try:
            (blob,) = await open_messages(self.blobs, [part])
        except (BlobMissing, ValueError):
            return [(FAULT, "the blob is missing")]
        except StoreUnavailable as error:
            return [(UNPROVEN, _text(error))]
        try:
            data_key, problem = await looked_at.data_key()
            problems = [] if problem is None else [problem]
            steps = prove(blob.size, _expected_message(looked_at, part), data_key, self._note)
            await wait_until_done(blob.read(steps))
        except _UNFIT as error:
            return [*problems, (FAULT, str(error))]
        except StoreUnavailable as error:
            return [*problems, (UNPROVEN, _text(error))]
        finally:
            blob.close()
        self._count(looked_at, part, is_open=data_key is not None)
        return problems

    def _count(self, looked_at: OwnerProof, part: Part, *, is_open: bool) -> None:
        self.counts.messages += 1
        self.counts.stored_bytes += part.stored_size
        self.counts.opened += is_open
        self.counts.under_customer_keys += looked_at.has_customer_key

    def _note(self, count: int) -> None:
        self.report(count)
        self.pace.wait(count)

    def _name(self, found: Finding) -> None:
        self.counts.findings[found.kind] = self.counts.findings.get(found.kind, 0) + 1
        self.show(found)


def _expected_message(looked_at: OwnerProof, part: Part) -> ExpectedMessage:
    stored, name = looked_at.stored, looked_at.owner.name
    if stored is None:
        raise FormatError("the column encryption cannot be read")
    return ExpectedMessage(
        part, stored.header_entries(), stored.full_context(name.bucket, name.key), stored.scheme.has_md5_etag
    )  # fmt: skip


def _is_same(before: Owner, now: Owner, part: Part | None) -> bool:
    """Return whether an owner is as it was, in all that the look at one part, or at the row, has seen."""
    if part is None:
        return before == now
    return part in now.parts and replace(before, parts=()) == replace(now, parts=())


def _finding(kind: str, reason: str, owner: Owner, part: Part | None) -> Finding:
    upload = owner.upload_id
    return Finding(
        kind, reason, owner.name.bucket, owner.name.key, "" if upload else owner.name.version or "", upload,
        0 if part is None else part.number, "" if part is None else part.blob,
    )  # fmt: skip


def _text(error: FuinError) -> str:
    """Return an error with its cause, such as the reason of the file system."""
    return f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)
