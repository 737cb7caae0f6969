"""The facts of a question: condition keys with their values, and what is costly to find only if a condition asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

Values = tuple[str, ...]
Late = Callable[[], Values]
Given = Mapping[str, str | Values | Late]  # names as AWS writes them
Fill = Callable[["Facts"], None]  # puts condition keys into the facts


class Facts(Mapping[str, Values]):
    """Condition keys in lower case with their values; a key without values is absent.

    A single-valued key has several values only when the request named it in several cases (the encryption context may
    hold both `App` and `app`); conditions then take the reading that grants less.
    """

    __slots__ = ("_late", "known")

    def __init__(self) -> None:
        """Begin with no facts."""
        self.known: dict[str, Values] = {}
        self._late: dict[str, Late] = {}

    def later(self, key: str, find: Late) -> None:
        """Put a key, in lower case, whose values are found when they are first asked for."""
        self._late[key] = find

    def also(self, key: str, value: str) -> None:
        """Put one more value to a key, in whatever case it is written."""
        folded = key.lower()
        self.known[folded] = (*self.known.get(folded, ()), value)

    def add(self, given: Given) -> None:
        """Put keys as AWS writes them, with a value, several, or a way to find them."""
        for key, value in given.items():
            folded = key.lower()
            if isinstance(value, str):
                self.known[folded] = (*self.known.get(folded, ()), value)
            elif callable(value):
                self._late[folded] = value
            elif value:
                self.known[folded] = (*self.known.get(folded, ()), *value)

    def get(self, key: str, default: Values | None = None) -> Values | None:  # type: ignore[override]
        """Return a key's values, or `default` if it is absent."""
        values = self.known.get(key)
        if values is None and key in self._late:
            values = self._find(key)
        return default if values is None else values

    def _find(self, key: str) -> Values | None:
        values = self._late[key]()  # what it raises ends the decision
        del self._late[key]
        if values:
            self.known[key] = values
        return values or None

    def __getitem__(self, key: str) -> Values:
        values = self.get(key)
        if values is None:
            raise KeyError(key)
        return values

    def __iter__(self) -> Iterator[str]:
        """Go over the keys that are known by now; `everything` knows all."""
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def everything(self) -> Mapping[str, Values]:
        """Return all keys with their values, after finding those that nobody has asked for."""
        for key in list(self._late):
            self._find(key)
        return self.known
