"""What a store of blobs does. Nobody outside of an implementation knows where the bytes are.

A blob is ciphertext under an id: 64 hexadecimal digits, from a random message id that no client chooses. It is written
once, whole or not at all, and it is durable before `NewBlob.commit` is done; only then may the index name it.

**Waiting.** A method that returns a future has begun its work when it returns; the caller awaits the result, and
the event loop serves others meanwhile. A store of files and one on S3 work in threads of their own.

**Work on the bytes.** Digests, encryption and decryption take as long as the writing and reading itself. So a store
does them where the bytes are, and a request changes threads once, not twice: `NewBlob.append` iterates its pieces where
that may take long, and `Blob.read` runs a generator that says which bytes it needs next. Neither may touch the event
loop.

**Failures.** Every method raises StoreUnavailable when the store fails, such as on a full disk.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol, TypeVar

import msgspec

from fuin.errors import FuinError

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from typing_extensions import Buffer

T = TypeVar("T")


class BlobMissing(FuinError):
    """The store has no blob of this id: it was removed, or lost."""


class ReadInto(NamedTuple):
    """One step of reading: fill this view with the blob's bytes from this offset on."""

    view: memoryview
    offset: int


ReadSteps = Generator[ReadInto, int, T]  # each step is answered with the number of bytes that there were


def run_steps(steps: ReadSteps[T], fill: Callable[[memoryview, int], int]) -> T:
    """Do all steps, each by `fill(view, offset)`, which returns how many bytes there were; return their result."""
    try:
        step = next(steps)
        while True:
            step = steps.send(fill(step.view, step.offset))
    except StopIteration as end:
        value: T = end.value
        return value


class Removal(NamedTuple):
    """Blobs that were removed together, and whether they were kept for long enough."""

    name: str
    blobs: list[str]
    is_due: bool


class Blob(Protocol):
    """A blob that is open for reading; it stays readable when it is removed meanwhile. One `read` at a time."""

    @property
    def size(self) -> int:
        """Return the number of stored bytes."""

    def read(self, steps: ReadSteps[T]) -> Future[T]:
        """Begin to do the steps; the future gives what the generator returns, or raises what it raises."""

    def close(self) -> None:
        """Close it; may be repeated. No `read` may be under way."""


class NewBlob(Protocol):
    """A blob that is being written; one method at a time.

    It is in use from its first byte until `release`, or until the end of this process: no sweep takes it.
    """

    @property
    def blob(self) -> str:
        """Return the blob's id."""

    @property
    def size(self) -> int:
        """Return the number of bytes so far."""

    def append(self, pieces: Iterable[Buffer]) -> Future[None]:
        """Append the pieces, in order; what their iterator raises passes through."""

    def commit(self, pieces: Iterable[Buffer] = ()) -> Future[None]:
        """Append the last pieces, and make the whole blob durable under its id."""

    def discard(self) -> Future[None]:
        """Remove the blob, finished or not, and release it; never raises, since the sweep takes what is left."""

    def release(self) -> None:
        """Stop using the blob: it is an orphan from now on unless the index names it. May be repeated."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """Something that the store holds, finished or not: its name for records, and its blob id."""

    name: str
    blob: str  # empty for one that was never finished

    @property
    def id(self) -> str:
        """Return the blob's id, also of one that was never finished: every name begins with it."""
        return self.name[:64]


class Hold(Protocol):
    """Stored blobs that nobody writes, and that nobody can begin to write before `release`."""

    @property
    def blobs(self) -> Sequence[StoredBlob]:
        """Return them."""

    def release(self) -> None:
        """Let them go; may be repeated."""


class SweepNote(msgspec.Struct, frozen=True):
    """When orphans were moved: the log's last record, the database's serial, the wall clock, and the time served."""

    installation: str
    sequence: int
    serial: int
    time: float  # seconds since 1970
    served: float  # seconds


@dataclass(frozen=True, slots=True)
class OrphanGroup:
    """The orphans that one sweep has moved; `note` is None where it cannot be read, and then nothing is deleted."""

    name: str
    place: str  # for people
    note: SweepNote | None
    orphans: tuple[StoredBlob, ...]


class Orphans(Protocol):
    """Blobs that no index names, out of the way but not deleted, in groups. Opening one puts it back in its place."""

    def groups(self) -> Future[list[OrphanGroup]]:
        """Return all groups, oldest first."""

    def begin_group(self, note: SweepNote) -> Future[OrphanGroup]:
        """Return a new group, durable with its note."""

    def move(self, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> Future[None]:
        """Move blobs out of the way, durably; those that have gone meanwhile are passed over."""

    def put_back(self, blob: str) -> Future[None]:
        """Put a blob back in its place, durably, if it is here and not there."""

    def delete(self, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> Future[None]:
        """Delete orphans of a group for good."""

    def remove_if_empty(self, group: OrphanGroup) -> Future[None]:
        """Remove a group that has no orphan left."""

    def time_served(self) -> Future[float]:
        """Return for how many seconds servers have run while there were orphans; an unreadable count is 0."""

    def add_time_served(self, seconds: float) -> Future[float]:
        """Add to the seconds served, and return them."""


class Marker(msgspec.Struct, frozen=True):
    """The mark in a store of blobs: the installation's id, and the database's serial at the last start.

    So a disk that is not mounted, another installation's store, or one that was restored from another moment is
    detected.
    """

    installation: str
    serial: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class BlobStore(Protocol):
    """Where the stored objects' ciphertext is."""

    @property
    def is_shared(self) -> bool:
        """Return whether other machines may write and sweep here, so that `hold_unused` cannot see who writes a blob.

        Then each writer says so in the index's database before the first byte (`store/s3/upload_intents.py`).
        """

    @property
    def orphans(self) -> Orphans:
        """Return its orphans."""

    @property
    def place(self) -> str:
        """Return where the store is, for people."""

    @property
    def marker_place(self) -> str:
        """Return where its mark is, for people."""

    def create(self, blob: str) -> NewBlob:
        """Return a new blob, which exists from its first byte on; raises ValueError unless `blob` is an id."""

    def open(self, blobs: Sequence[str]) -> Future[list[Blob]]:
        """Open blobs that the index names, all or none; raises BlobMissing. One that was moved is put back first."""

    def remove(self, blobs: Iterable[str]) -> Future[None]:
        """Remove blobs that the index does not name any longer; never raises, since the sweep takes what is left."""

    def list_removals(self) -> Future[list[Removal]]:
        """Return the removals whose blobs are still there, for who still reads them."""

    def end_removal(self, removal: Removal, unnamed: Sequence[str]) -> Future[None]:
        """Delete those of its blobs that the index does not name; the others are as if they were never removed."""

    def list_batches(self, size: int) -> AsyncIterator[list[StoredBlob]]:
        """Yield all that is stored, orphans excepted, in batches of up to `size`."""

    def hold_unused(self, blobs: Sequence[StoredBlob]) -> Future[Hold]:
        """Return those that nobody writes; those that have gone, or cannot be asked, are left out."""

    def holds_any(self) -> Future[bool]:
        """Return whether there is any blob, also among the orphans."""

    def has_room(self, size: int) -> Future[bool]:
        """Return whether so many bytes more can be stored."""

    def read_marker(self) -> Future[Marker | None]:
        """Return the store's mark, None if it has none; raises StoreUnavailable when it cannot be read."""

    def write_marker(self, marker: Marker) -> Future[None]:
        """Write the store's mark, durably."""
