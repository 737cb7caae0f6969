"""The database's rows about its installation: account, Region, id, and the last position in log and blobs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from fuin.store.engine import epoch, schema
from fuin.store.errors import MovedAway, UnfinishedMove

# The row of a database that `fuin move` fills and has not finished: the id of the installation that it comes from.
MOVING = "moving"
# The row of a database whose installation `fuin move` has moved: the place where it is since.
MOVED = "moved"

_ALL = select(schema.meta.c.name, schema.meta.c.value)
_INSERT = schema.meta.insert().values(name=schema.parameter("p_name"), value=schema.parameter("p_value"))
_DELETE = delete(schema.meta).where(schema.meta.c.name == schema.parameter("p_name"))


@dataclass(frozen=True, slots=True)
class Meta:
    """The default account and Region, which the first start fixed, and the time of that start."""

    account: str
    region: str
    created: float


@dataclass(frozen=True, slots=True)
class Standing:
    """The installation of the database, the number of its commits, and that number at the last override.

    By an override somebody accepted a database, log or blobs that were behind; it is 0 without one. The installation is
    `unswept` until a sweep has moved everything that the database has not named since.
    """

    serial: int
    installation: str
    accepted: int
    unswept: bool = False


def find_meta(conn: Connection) -> Meta | None:
    """Return the values of the first start, or None before it."""
    values = find_values(conn)
    if "account" not in values:
        return None
    return Meta(values["account"], values["region"], float(values["created"]))


def insert_meta(conn: Connection, meta: Meta) -> None:
    """Write the values of the first start, with a new id of the installation; raises IntegrityError the second time."""
    rows = {
        "account": meta.account, "region": meta.region, "created": repr(meta.created),
        "installation": secrets.token_hex(16),
    }  # fmt: skip
    conn.execute(_INSERT, [{"p_name": name, "p_value": value} for name, value in rows.items()])


def find_values(conn: Connection) -> dict[str, str]:
    """Return all values by name."""
    return {row[0]: row[1] for row in conn.execute(_ALL)}


def put_values(conn: Connection, values: Mapping[str, str | None]) -> None:
    """Write values by name, in place of present ones; None removes a value."""
    for name, value in values.items():
        conn.execute(_DELETE, {"p_name": name})
        if value is not None:
            conn.execute(_INSERT, {"p_name": name, "p_value": value})


def require_finished_move(is_moving: bool, place: str) -> None:
    """Raise UnfinishedMove for a database that holds only a part of an installation so far."""
    if is_moving:
        raise UnfinishedMove(
            f"{place} is being filled by `fuin move`, which has not finished: run it again, with the server that it "
            "moves stopped, until it says that the move is finished"
        )


def require_here(moved: str, place: str) -> None:
    """Raise MovedAway for a database whose installation is at another place since, which `moved` names."""
    if moved:
        raise MovedAway(
            f"{place} was moved to {moved}, and what has changed there since is unknown here. Serve that one; "
            "to use this one again all the same, give `fuin move --take-back` with it"
        )


def require_served(moves: Mapping[str, str], place: str) -> None:
    """Raise UnfinishedMove or MovedAway by the values about moves, read behind the lock of the epoch."""
    require_finished_move(MOVING in moves, place)
    require_here(moves.get(MOVED, ""), place)


def name_for(name: str, node: str) -> str:
    """Return the name of a value that each node of many has of its own."""
    return f"{name}/{node}" if node else name


def find_standing(conn: Connection) -> Standing:
    """Return the installation, serial and last override."""
    values = find_values(conn)
    return Standing(
        epoch.read_total(conn), values.get("installation", ""), int(values.get("accepted", "0")), "unswept" in values
    )
