"""The counters of the database: the epoch, which every change raises, and the serial, which numbers the commits.

The upper half of the epoch's 64 bits is the epoch of rights: it counts the changes that can take a right from somebody.
"""

from sqlalchemy import Connection, func, literal_column, select, update

from fuin.store.engine import schema
from fuin.store.engine.prepared import PreparedSelect

_EPOCH = select(schema.epoch.c.value).where(schema.epoch.c.id == literal_column("1"))
_READ = PreparedSelect(_EPOCH)
_LOCK = _EPOCH.with_for_update()
_SERIAL = select(schema.epoch.c.serial).where(schema.epoch.c.id == 1)
_GATE = select(schema.gates.c.serial).where(schema.gates.c.node == schema.parameter("p_node"))
_GATES = select(func.coalesce(func.sum(schema.gates.c.serial), 0))
_LOWER = 0xFFFFFFFF
_HERE = update(schema.epoch).where(schema.epoch.c.id == 1)
_BUMP = _HERE.values(value=schema.epoch.c.value + 1)
_BUMP_RIGHTS = _HERE.values(value=schema.epoch.c.value.bitwise_or(_LOWER) + 1)
_SET_SERIAL = _HERE.values(serial=schema.parameter("p_serial", schema.LONG))
_SET_GATE = (
    update(schema.gates)
    .where(schema.gates.c.node == schema.parameter("p_node"))
    .values(serial=schema.parameter("p_serial", schema.LONG))
)


def read_epoch(conn: Connection) -> int:
    """Return the counter that every change to keys, policies, identities and buckets raises."""
    return int(_READ.first(conn, {})[0])


def bump_epoch(conn: Connection, *, takes_rights: bool = True) -> None:
    """Raise the epoch, which makes every catalog stale; part of the transaction of the change.

    The upper half of the 64 bits counts the changes that can take a right from somebody: `rights_part`.
    """
    conn.execute(_BUMP_RIGHTS if takes_rights else _BUMP)


def next_epoch(epoch: int, *, takes_rights: bool) -> int:
    """Return the epoch that `bump_epoch` makes of this one."""
    return (epoch | _LOWER) + 1 if takes_rights else epoch + 1


def lock_epoch(conn: Connection) -> None:
    """Let no other transaction that changes rights pass until this one ends; SQLite's transactions wait anyway."""
    conn.execute(_LOCK)


def rights_part(epoch: int) -> int:
    """Return the part of an epoch that moves only when somebody may have lost a right."""
    return epoch >> 32


def read_serial(conn: Connection, node: str = "") -> int:
    """Return the number of the last commit, or of the last one of a node: each node of many counts its own commits."""
    if node:
        return int(conn.execute(_GATE, {"p_node": node}).scalar() or 0)
    return int(conn.execute(_SERIAL).scalar_one())


def read_total(conn: Connection) -> int:
    """Return a number that grows with each commit, whichever node makes it."""
    return read_serial(conn) + int(conn.execute(_GATES).scalar_one())


def begin_branch(conn: Connection, known: int, node: str = "") -> None:
    """Raise the serial's upper half: the serial is then greater than `known` and than any on the abandoned branch.

    Commits that no request asked for are not in the log. With such commits the abandoned database could have a higher
    serial than this one. If it were put back, it would be accepted, and the acknowledged commits of this branch would
    be lost without a warning.
    """
    serial = (max(read_serial(conn, node), known) | _LOWER) + 1
    if node:
        conn.execute(_SET_GATE, {"p_node": node, "p_serial": serial})
    else:
        conn.execute(_SET_SERIAL, {"p_serial": serial})
