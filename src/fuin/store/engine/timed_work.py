"""Which node does the timed work of an installation of many: one row, which its holder keeps while it is a node.

A node is in the list of nodes while it renews its lease. Another node removes its row only after the row has stood
still for two leases on that other node's own clock. So the work changes hands when the holder has left or was removed,
and two nodes never hold it at once in the database. What a removed holder still has under way is fenced by `require`,
or may be done twice.
"""

from sqlalchemy import Connection, select, update

from fuin.errors import StoreUnavailable
from fuin.store.engine import schema

_NAME = "timed"
_j, _n = schema.jobs, schema.nodes
_LOOK = select(_j.c.node, _j.c.incarnation).where(_j.c.name == _NAME)
_HOLDER = _LOOK.with_for_update()
_LISTED = select(_n.c.name).where(
    _n.c.name == schema.parameter("p_node"), _n.c.incarnation == schema.parameter("p_incarnation")
)
_INSERT = _j.insert()
_HERE = update(_j).where(_j.c.name == _NAME)
_KEEP = _HERE.values(beat=_j.c.beat + 1)
_TAKE = _HERE.values(node=schema.parameter("p_node"), incarnation=schema.parameter("p_incarnation"), beat=0)


def take(conn: Connection, node: str, incarnation: bytes) -> bool:
    """Return whether a node holds the timed work; it takes the work that nobody in the list of nodes holds."""
    own = {"p_node": node, "p_incarnation": incarnation}
    if not _is_listed(conn, node, incarnation):
        return False
    holder = conn.execute(_HOLDER).first()
    if holder is None:
        conn.execute(_INSERT, {"name": _NAME, "node": node, "incarnation": incarnation, "beat": 0})
    elif tuple(holder) == (node, incarnation):
        conn.execute(_KEEP)
    elif _is_listed(conn, *holder):
        return False
    else:
        conn.execute(_TAKE, own)
    return True


def find_holder(conn: Connection) -> str:
    """Return the name of the node that holds the timed work, empty if no node in the list does."""
    holder = conn.execute(_LOOK).first()
    return holder[0] if holder is not None and _is_listed(conn, *holder) else ""


def require(conn: Connection, node: str, incarnation: bytes) -> None:
    """Raise StoreUnavailable unless a node still holds the timed work; nobody takes it before this transaction ends."""
    holder = conn.execute(_HOLDER).first()
    if holder is None or tuple(holder) != (node, incarnation):
        raise StoreUnavailable("another node does the timed work now")


def _is_listed(conn: Connection, node: str, incarnation: bytes) -> bool:
    return conn.execute(_LISTED, {"p_node": node, "p_incarnation": incarnation}).first() is not None
