"""Inline policies: documents that belong to one user, group or role, by name."""

from sqlalchemy import Connection, delete, select

from fuin.store.engine import schema
from fuin.store.errors import NotFound, TooMany

INLINE = "inline"  # the name of the one policy that `fuin user policy` replaces

_p = schema.inline_policies
_ID, _NAME = schema.parameter("p_id"), schema.parameter("p_name")
_FIND = select(_p.c.document).where(_p.c.id == _ID, _p.c.name == _NAME)
_ALL = select(_p.c.name, _p.c.document).where(_p.c.id == _ID).order_by(_p.c.name)
_DELETE = delete(_p).where(_p.c.id == _ID, _p.c.name == _NAME)


class InlinePoliciesTooLong(TooMany):
    """The inline policies of one identity would be too long together; white space does not count."""


def total_length(document: str) -> int:
    """Return a document's length as IAM counts it: white space does not count."""
    return len("".join(document.split()))


def put(conn: Connection, owner: str, name: str, document: str, at_most: int | None = None) -> None:
    """Add or replace a policy of a user, group or role (an id); raises InlinePoliciesTooLong beyond `at_most`."""
    conn.execute(_DELETE, {"p_id": owner, "p_name": name})
    conn.execute(_p.insert(), {"id": owner, "name": name, "document": document})
    if at_most is not None and sum(map(total_length, list_documents(conn, owner))) > at_most:
        raise InlinePoliciesTooLong("inline policies", at_most)


def find(conn: Connection, owner: str, name: str) -> str | None:
    """Return a policy's document."""
    document: str | None = conn.execute(_FIND, {"p_id": owner, "p_name": name}).scalar()
    return document


def remove(conn: Connection, owner: str, name: str) -> None:
    """Remove a policy; raises NotFound."""
    if conn.execute(_DELETE, {"p_id": owner, "p_name": name}).rowcount == 0:
        raise NotFound(f"policy {name}")


def list_names(conn: Connection, owner: str) -> list[str]:
    """Return the names of a user's, group's or role's policies."""
    return [row.name for row in conn.execute(_ALL, {"p_id": owner})]


def list_documents(conn: Connection, owner: str) -> list[str]:
    """Return the documents of a user's, group's or role's policies, by name."""
    return [row.document for row in conn.execute(_ALL, {"p_id": owner})]
