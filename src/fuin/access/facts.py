"""The facts of a question: condition keys with their values, and what is costly to find only if a condition asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Values = tuple[str, ...]
Late = Callable[[], Values]
Given = Mapping[str, str | Values | Late]  # names as AWS writes them
Fill = Callable[["Facts"], None]  # puts condition keys into the facts
Table = Mapping[str, Callable[..., Values | None]]  # condition keys in lower case, and what finds the values of each


class Facts(Mapping[str, Values]):
    """Condition keys in lower case with their values; a key without values is absent.

    Most policies ask for one or two of thirty keys, so most keys wait to be asked for: in tables, in families of keys
    that begin alike, each for itself, or until nothing else has them. What is put into `known` comes before all.

    A single-valued key has several values only when the request named it in several cases (the encryption context may
    hold both `App` and `app`); conditions then take the reading that grants less.
    """

    __slots__ = ("_families", "_fills", "_late", "_tables", "known")

    def __init__(self) -> None:
        """Begin with no facts."""
        self.known: dict[str, Values] = {}
        self._tables: list[tuple[Table, tuple[Any, ...]]] = []
        self._late: dict[str, Late] | None = None  # made when there are some: most decisions need few of these
        self._families: dict[str, Fill] | None = None
        self._fills: tuple[Fill, ...] = ()

    def later(self, key: str, find: Late) -> None:
        """Put a key, in lower case, whose values are found when they are first asked for."""
        self._late = {**(self._late or {}), key: find}

    def by_table(self, table: Table, *given: Any) -> None:
        """Put the keys of a table, whose functions take what is given; an earlier table comes before a later one."""
        self._tables.append((table, given))

    def by_family(self, beginning: str, fill: Fill) -> None:
        """Put all keys with a beginning, in lower case, which `fill` adds when the first of them is asked for."""
        self._families = {**(self._families or {}), beginning: fill}

    def then(self, fill: Fill) -> None:
        """Put what `fill` adds, when a key is asked for that is not known and in no table until then."""
        self._fills = (*self._fills, fill)

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
                self.later(folded, value)
            elif value:
                self.known[folded] = (*self.known.get(folded, ()), *value)

    def get(self, key: str, default: Values | None = None) -> Values | None:  # type: ignore[override]
        """Return a key's values, or `default` if it is absent."""
        values = self.known.get(key)
        if values is None:
            for table, given in self._tables:  # what its function raises ends the decision
                find = table.get(key)
                if find is not None and (values := find(*given)):
                    self.known[key] = values
                    return values
            values = self._find(key)
        return default if values is None else values

    def _find(self, key: str) -> Values | None:
        """Find a key that is neither known nor in a table."""
        values = self._waiting(key)
        if values is None and self._fills:
            self._fill()
            values = self.get(key)
        return values

    def _fill(self) -> None:
        fills, self._fills = self._fills, ()
        for fill in fills:
            fill(self)

    def _waiting(self, key: str) -> Values | None:
        if self._late and key in self._late:
            values = self._late[key]()
            del self._late[key]
            if values:
                self.known[key] = values
            return values or None
        for beginning in self._families or ():
            if key.startswith(beginning):
                self._add_family(beginning)
                return self.known.get(key)
        return None

    def _add_family(self, beginning: str) -> None:
        if self._families:
            self._families.pop(beginning)(self)

    def beginning(self, text: str) -> set[str]:
        """Return all keys that begin with a text, in lower case, which is no shorter than its family's."""
        self._fill()
        for family in [family for family in self._families or () if text.startswith(family)]:
            self._add_family(family)
        return {key for key in self.known if key.startswith(text)}

    def __getitem__(self, key: str) -> Values:
        values = self.get(key)
        if values is None:
            raise KeyError(key)
        return values

    def __iter__(self) -> Iterator[str]:
        """Go over all keys."""
        return iter(self.everything())

    def __len__(self) -> int:
        return len(self.everything())

    def everything(self) -> Mapping[str, Values]:
        """Return all keys with their values, after finding those that nobody has asked for."""
        self._fill()
        waiting = [*(self._late or ()), *(key for table, _ in self._tables for key in table)]
        for key in waiting:
            self.get(key)
        for family in list(self._families or ()):
            self._add_family(family)
        return self.known
