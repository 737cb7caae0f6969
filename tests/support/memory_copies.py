"""A place for the copies of logs in memory, which fails as a test says."""

from collections.abc import Iterable, Iterator

from fuin.audit.copies import AlreadyThere, CopyMissing
from fuin.errors import StoreUnavailable


class MemoryCopies:
    """`audit.copies.Copies`; while `fails`, it takes and gives nothing."""

    place = "memory"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.fails = False
        self.loses_answer = False  # the next put is done, but its answer is lost

    def put(self, name: str, content: memoryview) -> None:
        """Keep bytes under a new name."""
        self._check()
        if name in self.kept:
            raise AlreadyThere(name)
        self.kept[name] = bytes(content)
        if self.loses_answer:
            self.loses_answer = False
            raise StoreUnavailable("the answer is lost")

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return what was kept."""
        self._check()
        if name not in self.kept:
            raise CopyMissing(name)
        return self.kept[name][start : None if length is None else start + length]

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the names."""
        self._check()
        for name in sorted(self.kept):
            if name.startswith(folder):
                yield name.removeprefix(folder), len(self.kept[name])

    def remove(self, names: Iterable[str]) -> None:
        """Forget names."""
        self._check()
        for name in names:
            self.kept.pop(name, None)

    def _check(self) -> None:
        if self.fails:
            raise StoreUnavailable("the place fails")
