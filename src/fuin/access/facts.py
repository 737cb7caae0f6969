"""The facts of a question: condition keys with their values. Most values are found only if a condition asks for them.

Ann reads an object of the bucket `papers` under SSE-KMS, so the object store asks KMS for Decrypt as Ann. About forty
condition keys belong to that question, but the key policy asks for only one or two of them. So facts have two layers:

1. **Tables.** A table maps a condition key to a function that finds its values: `"aws:sourceip"` from the request,
   `"kms:keyspec"` from the key, `"aws:username"` from the principal. A table is written once, for all requests. A
   question only adds a reference to the table and the arguments for its functions, which costs one tuple. If the name
   of an entry ends in `/` or `:`, the entry is for all keys with that beginning: the function of `"aws:resourcetag/"`
   returns all tags of a key, as pairs of name and value.
2. **Known values.** These are the values that the operation gives at once (the operations of a grant, a header of S3),
   and the values that a table has already found.

A known value is used before any table, and an earlier table before a later one. The first table is the one of the
request and the resource, then come those of the operation, and last the one of the principal. Where the values come
from outside, as in a simulation, `question.py` drops those that follow from the principal: nobody can claim them.

An example: the key policy has the condition `"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}`. The condition
calls `get("kms:viaservice")`. No value is known yet. The first table has a function for this key; `get` calls it with
the request and the resource, and keeps the value. For `kms:EncryptionContext:App`, no table has the key itself. But
the table of the operation has `"kms:encryptioncontext:"`, so all pairs of the encryption context become known. If the
context has both `App` and `app`, they become two values of one key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Values = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
FactLookup = Callable[[], Values]
Given = Mapping[str, str | Values | FactLookup]  # names as AWS writes them
AddFacts = Callable[["Facts"], None]  # adds condition keys to the facts
# A condition key in lower case and the function that finds its values. For a beginning of keys, the function finds
# pairs: the rest of each key, and its value.
Table = Mapping[str, Callable[..., Any]]


class Facts(Mapping[str, Values]):
    """Condition keys in lower case with their values; a key without values is absent.

    A single-valued key has several values only if the request has it in upper and lower case (an encryption context
    may hold both `App` and `app`). Conditions then choose the interpretation that grants less.
    """

    __slots__ = ("_expanded", "_tables", "known")

    def __init__(self) -> None:
        """Begin with no facts."""
        self.known: dict[str, Values] = {}
        self._tables: list[tuple[Table, tuple[Any, ...]]] = []
        self._expanded: tuple[str, ...] = ()  # beginnings with keys that are all known

    def add_table(self, table: Table, *arguments: Any) -> None:
        """Add the keys of a table; its functions are called with these arguments."""
        self._tables.append((table, arguments))

    def add(self, given: Given) -> None:
        """Add keys as AWS writes them, each with one value, several values, or a function that finds the values."""
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
            for table, arguments in self._tables:  # an error of its function ends the decision
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
        """Find the values of all keys with this beginning."""
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
        """Return all keys with their values, also those that no condition has asked for."""
        for key in [key for table, _ in self._tables for key in table]:
            if key[-1] not in "/:":
                self.get(key)
            elif key not in self._expanded:
                self._expand(key)
        return {key: values for key, values in self.known.items() if values}


def _shared_prefix(key: str) -> str:
    """Return the beginning that a key shares with others, such as aws:resourcetag/ or kms:encryptioncontext:, or ""."""
    slash, colon = key.find("/"), key.find(":", key.find(":") + 1)
    if slash < 0 or (0 <= colon < slash):
        slash = colon
    return key[: slash + 1]
