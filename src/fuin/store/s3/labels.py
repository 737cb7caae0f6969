"""The labels of objects and uploads: their columns are named and put in order here, and nowhere else.

A new label is one field of `Labels` and one column in each of both tables.
"""

from typing import Any, NamedTuple

from sqlalchemy import Table


class Labels(NamedTuple):
    """The labels of an object; the fields have the columns' names. `headers` (content-type …), `metadata` are JSON.

    No field has a default: code that makes labels gives a value for each of them. A `storage_class` of None is
    STANDARD. `tags` are JSON, values by name; None means no tags. `object_lock` is JSON (`object_lock.py`); None means
    neither retention nor legal hold.
    """

    headers: str
    metadata: str
    storage_class: str | None
    tags: str | None
    object_lock: str | None


COUNT = len(Labels._fields)  # of the columns, which are the last ones of a selected row


def columns(table: Table) -> tuple[Any, ...]:
    """Return a table's columns in the order of the fields of `Labels`."""
    return tuple(table.c[name] for name in Labels._fields)


def fill_row(row: dict[str, Any], labels: Labels) -> None:
    """Add labels to the values of a row that is to be inserted; this makes no second dictionary."""
    row.update(zip(Labels._fields, labels, strict=True))


def parse_row(row: Any) -> Labels:
    """Return the labels of a selected row; their columns are its last ones."""
    return Labels(*row[-COUNT:])
