"""The facts of a question: condition keys with their values. Most of them are found only if a condition asks.

Ann reads an object of the bucket `papers` under SSE-KMS, so the object store asks KMS for Decrypt as Ann. About forty
condition keys belong to that question, and her key policy asks for one or two of them. So facts have two layers:

1. **Tables**, each with the arguments that its functions take. A table says how to find the values of its keys:
   `"aws:sourceip"` from the request, `"kms:keyspec"` from the key, `"aws:username"` from the principal. A table is
   written once, for all requests. A question only brings the arguments, which costs a tuple. An entry with a name that
   ends in `/` or `:` is for all keys that begin so; its function returns pairs, such as the tags of a key for
   `"aws:resourcetag/"`.
2. **What is known**: what the request itself says (a grant's operations, a header of S3), and what a table has found.

A key that is known goes before all tables, and an earlier table before a later one. Anyone who fills the facts uses
that: what the resource says of itself is in the first table, and what follows from the principal cannot be claimed by a
request (`question.py`).

Ann's policy has the condition `"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}`. `get("kms:viaservice")` finds
nothing known, finds the function in the first table, calls it with the request, and keeps the value. For
`kms:EncryptionContext:App` no table has the key itself; the table of the use has `"kms:encryptioncontext:"`, so all
pairs of the encryption context become known, and `App` and `app` become two values of one key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Values = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
FactLookup = Callable[[], Values]
Given = Mapping[str, str | Values | FactLookup]  # names as AWS writes them
AddFacts = Callable[["Facts"], None]  # adds condition keys to the facts
# Condition keys in lower case, and what finds the values of each; for a beginning, what finds the rest with the values.
Table = Mapping[str, Callable[..., Any]]


class Facts(Mapping[str, Values]):
    """Condition keys in lower case with their values; a key without values is absent.

    A single-valued key has several values only when the request named it in several cases (the encryption context may
    hold both `App` and `app`); conditions then take the reading that grants less.
    """

    __slots__ = ("_expanded", "_tables", "known")

    def __init__(self) -> None:
        """Begin with no facts."""
        self.known: dict[str, Values] = {}
        self._tables: list[tuple[Table, tuple[Any, ...]]] = []
        self._expanded: tuple[str, ...] = ()  # beginnings of keys that are known already

    def add_table(self, table: Table, *arguments: Any) -> None:
        """Add the keys of a table, whose functions take the arguments."""
        self._tables.append((table, arguments))

    def add(self, given: Given) -> None:
        """Add keys as AWS writes them, with a value, several, or a way to find them."""
        for key, value in given.items():
            folded = key.lower()
            if isinstance(value, str):
                self.known[folded] = (*self.known.get(folded, ()), value)
            elif callable(value):
                self.add_table({folded: value})
            elif value:
                self.known[folded] = (*self.known.get(folded, ()), *value)

    def get(self, key: str, default: Values | None = None) -> Values | None:  # type: ignore[override]
        """Return a key's values, or `default` if it is absent."""
        values: Values | None = self.known.get(key)
        if values is None:
            for table, arguments in self._tables:  # what its function raises ends the decision
                find = table.get(key)
                if find is not None and (values := find(*arguments)) is not None:
                    self.known[key] = values
                    return values or default
            beginning = _shared_prefix(key)
            if beginning and beginning not in self._expanded:
                self._expand(beginning)
                values = self.known.get(key)
        return values or default

    def _expand(self, beginning: str) -> None:
        """Make all keys known that begin so."""
        self._expanded = (*self._expanded, beginning)
        for table, arguments in self._tables:
            find = table.get(beginning)
            for name, value in () if find is None else find(*arguments):
                key = beginning + name.lower()
                self.known[key] = (*self.known.get(key, ()), value)

    def keys_of(self, beginning: str) -> set[str]:
        """Return all keys that begin with a text such as kms:encryptioncontext: in lower case."""
        if beginning not in self._expanded:
            self._expand(beginning)
        return {key for key in self.known if key.startswith(beginning)}

    def __getitem__(self, key: str) -> Values:
        values = self.get(key)
        if values is None:
            raise KeyError(key)
        return values

    def __iter__(self) -> Iterator[str]:
        """Go over all keys."""
        return iter(self.find_all())

    def __len__(self) -> int:
        return len(self.find_all())

    def find_all(self) -> Mapping[str, Values]:
        """Return all keys with their values, after finding those that nobody has asked for."""
        for key in [key for table, _ in self._tables for key in table]:
            if key[-1] not in "/:":
                self.get(key)
            elif key not in self._expanded:
                self._expand(key)
        return {key: values for key, values in self.known.items() if values}


def _shared_prefix(key: str) -> str:
    """Return the beginning that a key shares with others: aws:resourcetag/ or kms:encryptioncontext:, or nothing."""
    slash, colon = key.find("/"), key.find(":", key.find(":") + 1)
    if slash < 0 or (0 <= colon < slash):
        slash = colon
    return key[: slash + 1]
