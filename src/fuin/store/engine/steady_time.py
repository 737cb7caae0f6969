"""The steady time as it was last saved: one row, which the worker with the timed jobs writes. See `fuin.clock`."""

from collections.abc import Callable

from sqlalchemy import Connection, delete, select

from fuin import clock
from fuin.clock import Kept, Reading
from fuin.store.engine import schema
from fuin.store.errors import NotFound

_c = schema.clock
_FIND = select(
    _c.c.wall, _c.c.steady, _c.c.boot, _c.c.uptime, _c.c.boottime, _c.c.counted, _c.c.jump_limit, _c.c.held, _c.c.since
)
_DELETE = delete(_c)


def find(conn: Connection) -> Kept | None:
    """Return the saved clock state, None before the first save."""
    row = conn.execute(_FIND).first()
    return None if row is None else Kept(*row)


def get(conn: Connection) -> Kept:
    """Return the saved clock state; raises NotFound: without it nobody knows how much time has passed."""
    kept = find(conn)
    if kept is None:
        raise NotFound("steady time: start the server again")
    return kept


def save(conn: Connection, kept: Kept) -> None:
    """Save the clock state in place of the last one."""
    conn.execute(_DELETE)
    row = dict(zip((column.name for column in _c.columns), (1, *kept), strict=True))
    conn.execute(_c.insert(), row)


def advance(
    conn: Connection, seen: Reading, limit: float, first_seen: tuple[Kept, Reading] | None = None,
    fence: Callable[[Connection], None] | None = None,
) -> Kept:  # fmt: skip
    """Save the clock state after a look at the clocks, and return it; one transaction, so no confirmation is lost.

    Of many nodes one saves: `fence` raises in any other one, and `first_seen` is the state that an earlier one has
    saved, with the look at this machine's clocks that met it first.
    """
    if fence is not None:
        fence(conn)
    saved = get(conn)
    if first_seen is not None:
        saved = clock.on_this_machine(saved, first_seen[1] if first_seen[0] == saved else seen)
    kept = clock.advance(saved._replace(limit=limit), seen)
    save(conn, kept)
    return kept


def confirm(conn: Connection, seen: Reading) -> None:
    """Save that a person has confirmed the wall clock."""
    save(conn, clock.confirm(get(conn), seen))
