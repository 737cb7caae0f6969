"""The list of nodes, as people see it, and what a node says of itself there beside its lease."""

from typing import NamedTuple

from sqlalchemy import Connection, extract, func, select, update

from fuin.store.engine import epoch, schema, timed_work

_n = schema.nodes
_LIST = select(
    _n.c.name, _n.c.version, _n.c.address, _n.c.joined, _n.c.renewed, _n.c.lease, _n.c.acked, _n.c.log_head, _n.c.load
).order_by(_n.c.name)
_NOW = select(extract("epoch", func.clock_timestamp()))
_REPORT = (
    update(_n)
    .where(_n.c.name == schema.parameter("p_node"))
    .values(load=schema.parameter("p_load", schema.TEXT), log_head=schema.parameter("p_head", schema.TEXT))
)


class NodeRow(NamedTuple):
    """A node: the clock times are the database's, `lease` is its --revocation-bound, `load` is JSON."""

    name: str
    version: str
    address: str
    joined: float
    renewed: float
    lease: float
    acked: int
    log_head: str
    load: str


class Sight(NamedTuple):
    """All nodes by name at one moment: by the database's clock, and its epoch; `holder` does the timed work."""

    nodes: tuple[NodeRow, ...]
    now: float
    epoch: int
    holder: str


def look(conn: Connection) -> Sight:
    """Return the nodes and the moment."""
    nodes = tuple(NodeRow(*row) for row in conn.execute(_LIST))
    return Sight(nodes, float(conn.execute(_NOW).scalar_one()), epoch.read_epoch(conn), timed_work.find_holder(conn))


def report(conn: Connection, node: str, load: str, log_head: str) -> None:
    """Write a node's load and the head of its log into its row, if it has one."""
    conn.execute(_REPORT, {"p_node": node, "p_load": load, "p_head": log_head})
