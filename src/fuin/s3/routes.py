"""Which operation a request asks for, by its method, level, query and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.operations import OPERATIONS
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from fuin.s3.request.operation import S3Operation

# Query names that choose an operation: with a method that has none for them the request must not become another one.
_CHOOSERS = frozenset(
    entry.partition("=")[0]
    for row in OPERATIONS.values()
    for entry in row.query
    if entry not in {"id", "partNumber", "list-type=2"}
)


def _rows_by_request() -> dict[tuple[str, str], tuple[S3Operation, ...]]:
    """Return the operations of each method and level, those with most conditions first."""
    table: dict[tuple[str, str], list[S3Operation]] = {}
    for row in OPERATIONS.values():
        if row.newer_name is None:
            table.setdefault((row.method, row.level), []).append(row)
    return {
        request: tuple(sorted(rows, key=lambda row: -len(row.query) - len(row.headers)))
        for request, rows in table.items()
    }


_BY_REQUEST = _rows_by_request()
_WITHOUT_QUERY = {request: tuple(row for row in rows if not row.query) for request, rows in _BY_REQUEST.items()}


def match(method: str, level: str, query: Mapping[str, str], headers: Container[bytes]) -> S3Operation:
    """Return the operation that a request asks for; raises S3Fault (405).

    A sub-resource that the method does not know is refused: `PUT /bucket/key?unknown-to-put` must never be PutObject.
    """
    for row in (_BY_REQUEST if query else _WITHOUT_QUERY).get((method, level), ()):
        if row.matches(query, headers):
            if not row.query and (not _CHOOSERS.isdisjoint(query) or (method == "PUT" and "partNumber" in query)):
                break
            return row
    raise S3Fault("MethodNotAllowed", Method=method, ResourceType=level.upper())
