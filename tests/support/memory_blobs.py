"""A store of blobs in memory: each method really waits on the event loop, and fails or is held when a test says so."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from typing_extensions import Buffer

from fuin.blobs.interface import (
    Blob,
    BlobMissing,
    Hold,
    Marker,
    NewBlob,
    OrphanGroup,
    ReadSteps,
    Removal,
    StoredBlob,
    SweepNote,
)

T = TypeVar("T")
Hook = Callable[[str], Awaitable[None]]
UNFINISHED = ".part"


async def _do_nothing(_step: str) -> None:
    return


class MemoryBlobs:
    """A `BlobStore` of dictionaries; `hook` is awaited at each step, by its name, and may wait or raise."""

    is_shared = False
    place = "memory"
    marker_place = "memory, marker"

    def __init__(self) -> None:
        self.content: dict[str, bytearray] = {}
        self.writing: set[str] = set()  # names that somebody writes, or that a sweep holds
        self.open_blobs = 0
        self.waits = 0
        self.hook: Hook = _do_nothing
        self.marker: Marker | None = None
        self.tasks: set[Future[Any]] = set()
        self.removals: set[Future[None]] = set()
        self.orphans = MemoryOrphans(self)

    async def step(self, name: str) -> None:
        """Let others have their turn, and then do what the test wants."""
        self.waits += 1
        await asyncio.sleep(0)
        await self.hook(name)
        await asyncio.sleep(0)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a piece of work."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    def create(self, blob: str) -> NewBlob:
        """Return a new blob."""
        return MemoryNewBlob(self, blob)

    def open(self, blobs: Sequence[str]) -> Future[list[Blob]]:
        """Open blobs, those among the orphans as well."""
        return self.start(self._open(blobs))

    async def _open(self, blobs: Sequence[str]) -> list[Blob]:
        await self.step("open")
        for blob in blobs:
            if blob not in self.content:
                await self.orphans.put_back(blob)
        if any(blob not in self.content for blob in blobs):
            raise BlobMissing("a blob is missing")
        return [MemoryBlob(self, bytes(self.content[blob])) for blob in blobs]

    def remove(self, blobs: Iterable[str]) -> Future[None]:
        """Remove blobs."""
        task = self.start(self._remove(list(blobs)))
        self.removals.add(task)
        task.add_done_callback(self.removals.discard)
        return task

    async def _remove(self, blobs: Sequence[str]) -> None:
        await self.step("remove")
        for blob in blobs:
            self.content.pop(blob, None)

    def list_removals(self) -> Future[list[Removal]]:
        """Return nothing: blobs go at once."""
        return self.start(self._after("list removals", list))

    def end_removal(self, removal: Removal, unnamed: Sequence[str]) -> Future[None]:
        """Raise ValueError: there is no removal."""
        raise ValueError(removal.name)

    async def list_batches(self, size: int) -> AsyncIterator[list[StoredBlob]]:
        """Yield all that is stored."""
        names = sorted(self.content)
        for start in range(0, len(names), size):
            await self.step("list")
            yield [stored(name) for name in names[start : start + size]]

    def hold_unused(self, blobs: Sequence[StoredBlob]) -> Future[Hold]:
        """Return what nobody writes."""
        return self.start(self._hold(blobs))

    async def _hold(self, blobs: Sequence[StoredBlob]) -> Hold:
        await self.step("hold")
        unused = [each for each in blobs if each.name in self.content and each.name not in self.writing]
        self.writing |= {each.name for each in unused}
        return MemoryHold(self, unused)

    def holds_any(self) -> Future[bool]:
        """Return whether there is any blob."""
        return self.start(self._after("list", lambda: bool(self.content or self.orphans.content)))

    def has_room(self, size: int) -> Future[bool]:
        """Return that there is room."""
        return self.start(self._after("room", lambda: size >= 0))

    def read_marker(self) -> Future[Marker | None]:
        """Return the mark."""
        return self.start(self._after("read marker", lambda: self.marker))

    def write_marker(self, marker: Marker) -> Future[None]:
        """Keep the mark."""
        return self.start(self._after("write marker", lambda: setattr(self, "marker", marker)))

    async def _after(self, name: str, work: Callable[[], T]) -> T:
        await self.step(name)
        return work()


def stored(name: str) -> StoredBlob:
    """Return what is stored under a name."""
    return StoredBlob(name, "" if name.endswith(UNFINISHED) else name)


class MemoryBlob:
    """An open blob."""

    def __init__(self, store: MemoryBlobs, content: bytes) -> None:
        self._store: MemoryBlobs | None = store
        self._all = store
        self._content = content
        self.size = len(content)
        store.open_blobs += 1

    def read(self, steps: ReadSteps[T]) -> Future[T]:
        """Begin to read; the event loop has its turn at each step."""
        return self._all.start(self._read(steps))

    async def _read(self, steps: ReadSteps[T]) -> T:
        try:
            step = next(steps)
            while True:
                await self._all.step("read")
                piece = self._content[step.offset : step.offset + len(step.view)]
                step.view[: len(piece)] = piece
                step = steps.send(len(piece))
        except StopIteration as end:
            value: T = end.value
            return value

    def close(self) -> None:
        """Close it."""
        if self._store is not None:
            self._store.open_blobs -= 1
            self._store = None


class MemoryNewBlob:
    """A blob that is being written."""

    def __init__(self, store: MemoryBlobs, blob: str) -> None:
        self.blob = blob
        self.size = 0
        self._store = store
        self._name = blob + UNFINISHED

    def append(self, pieces: Iterable[Buffer]) -> Future[None]:
        """Append the pieces, each after others have had their turn."""
        return self._store.start(self._append(pieces))

    async def _append(self, pieces: Iterable[Buffer]) -> None:
        for piece in pieces:
            await self._store.step("append")
            self._store.writing.add(self._name)
            self._store.content.setdefault(self._name, bytearray()).extend(memoryview(piece))
            self.size += len(memoryview(piece))

    def commit(self, pieces: Iterable[Buffer] = ()) -> Future[None]:
        """Give it its name."""
        return self._store.start(self._commit(pieces))

    async def _commit(self, pieces: Iterable[Buffer]) -> None:
        await self._append(pieces)
        await self._store.step("commit")
        self._store.content[self.blob] = self._store.content.pop(self._name)
        self._store.writing.add(self.blob)

    def discard(self) -> Future[None]:
        """Remove it."""
        return self._store.start(self._discard())

    async def _discard(self) -> None:
        await asyncio.sleep(0)
        for name in (self._name, self.blob):
            self._store.content.pop(name, None)
        self.release()

    def release(self) -> None:
        """Let it go."""
        self._store.writing -= {self._name, self.blob}


@dataclass
class MemoryHold:
    """Blobs that a sweep holds."""

    store: MemoryBlobs
    blobs: Sequence[StoredBlob]

    def release(self) -> None:
        """Let them go."""
        self.store.writing -= {each.name for each in self.blobs}


@dataclass
class MemoryOrphans:
    """Orphans in memory: each with the name of its group."""

    store: MemoryBlobs
    notes: dict[str, SweepNote] = field(default_factory=dict)
    content: dict[str, tuple[str, bytearray]] = field(default_factory=dict)
    served: float = 0.0

    def groups(self) -> Future[list[OrphanGroup]]:
        """Return all groups."""
        return self.store.start(self._groups())

    async def _groups(self) -> list[OrphanGroup]:
        await self.store.step("groups")
        return [self._group(name) for name in sorted(self.notes)]

    def _group(self, name: str) -> OrphanGroup:
        orphans = tuple(stored(orphan) for orphan, (group, _) in sorted(self.content.items()) if group == name)
        return OrphanGroup(name, f"memory, group {name}", self.notes[name], orphans)

    def begin_group(self, note: SweepNote) -> Future[OrphanGroup]:
        """Return a new group."""
        return self.store.start(self._begin(note))

    async def _begin(self, note: SweepNote) -> OrphanGroup:
        await self.store.step("begin")
        name = f"{note.sequence}-{len(self.notes)}"
        self.notes[name] = note
        return self._group(name)

    def move(self, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> Future[None]:
        """Move blobs."""
        return self.store.start(self._move(group, blobs))

    async def _move(self, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> None:
        await self.store.step("move")
        for each in blobs:
            if each.name in self.store.content:
                self.content[each.name] = (group.name, self.store.content.pop(each.name))

    def put_back(self, blob: str) -> Future[None]:
        """Put a blob back."""
        return self.store.start(self._put_back(blob))

    async def _put_back(self, blob: str) -> None:
        await self.store.step("put back")
        if blob in self.content:
            _, self.store.content[blob] = self.content.pop(blob)

    def delete(self, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> Future[None]:
        """Delete orphans."""
        return self.store.start(self._delete(group, orphans))

    async def _delete(self, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> None:
        await self.store.step("delete")
        for each in orphans:
            assert self.content.pop(each.name)[0] == group.name

    def remove_if_empty(self, group: OrphanGroup) -> Future[None]:
        """Remove an empty group."""
        return self.store.start(self._remove_if_empty(group))

    async def _remove_if_empty(self, group: OrphanGroup) -> None:
        await self.store.step("remove group")
        if not self._group(group.name).orphans:
            del self.notes[group.name]

    def time_served(self) -> Future[float]:
        """Return the seconds served."""
        return self.add_time_served(0)

    def add_time_served(self, seconds: float) -> Future[float]:
        """Add to the seconds served."""
        return self.store.start(self._add(seconds))

    async def _add(self, seconds: float) -> float:
        await self.store.step("served")
        self.served += seconds
        return self.served
