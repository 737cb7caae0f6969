"""Selects of one version of an object, by whatever its name says: the newest, an id, or null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, literal_column

from fuin.store.engine import schema
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.s3 import version_id
from fuin.store.s3.object_name import UNVERSIONED

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from fuin.store.s3.object_name import ObjectName

_o = schema.objects
# Numbers and texts are part of the statements: only so does the database see that a partial index has the rows.
IS_CURRENT = _o.c.is_current == literal_column("1")
IS_FROM_BEFORE = _o.c.version_order == literal_column("0")
IS_OF_SUSPENDED = and_(_o.c.version_id == literal_column("'null'"), _o.c.version_order != literal_column("0"))
_HAS_KEY = and_(_o.c.bucket == schema.parameter("p_bucket"), _o.c.key == schema.parameter("p_key", schema.BYTES))
_HAS_ID = and_(
    _o.c.version_order == schema.parameter("p_order", schema.LONG), _o.c.version_id == schema.parameter("p_version")
)


class VersionSelect:
    """A select of columns of `objects`, for one version."""

    def __init__(self, columns: Select[Any]) -> None:
        """Prepare the statement for each way in which a name gives the version."""
        self._newest = PreparedSelect(columns.where(_HAS_KEY, IS_CURRENT))
        self._with_id = PreparedSelect(columns.where(_HAS_KEY, _HAS_ID))
        nulls = (columns.where(_HAS_KEY, which) for which in (IS_FROM_BEFORE, IS_OF_SUSPENDED))
        self._null = tuple(map(PreparedSelect, nulls))

    def first(self, conn: Connection, name: ObjectName) -> Any:
        """Return the row, or None if there is no such version; a delete marker is a version."""
        given = {"p_bucket": name.bucket, "p_key": name.key.encode()}
        if name.version is None:
            return self._newest.first(conn, given)
        if name.version == UNVERSIONED:
            rows = (statement.first(conn, given) for statement in self._null)
            return next((row for row in rows if row is not None), None)
        order = version_id.parse_order(name.version)
        if order is None:
            return None
        return self._with_id.first(conn, {**given, "p_order": order, "p_version": name.version})
