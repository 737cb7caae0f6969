"""Snapshots: what they are of, whose they are, under which data key, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, literal, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.errors import NotFound, StoreRefusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

PENDING, COMPLETED, ERROR = "pending", "completed", "error"
NO_VOLUME = "vol-ffffffff"  # of a snapshot that was not taken of a volume here: AWS's
INDEX, BLOCKS = "index", "blocks"  # the kinds of a snapshot's blobs

_s, _shares, _u, _b = schema.snapshots, schema.snapshot_shares, schema.snapshot_uses, schema.snapshot_blobs
_ID = schema.parameter("p_id")
_ACCOUNT, _REGION = schema.parameter("p_account"), schema.parameter("p_region")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot; docs/formats/snapshot.md and the table `snapshots` say what its members are."""

    snapshot_id: str
    account: str
    region: str
    volume_id: str
    size: int
    state: str
    progress: int
    message: str
    description: str
    started_at: float
    completed_at: float | None
    kms_key_arn: str
    kms_material_id: bytes | None
    data_key: bytes
    context_id: str
    parent_id: str
    client_token: str
    request_digest: bytes
    timeout_minutes: int
    last_write_at: float
    index_blob: str
    block_count: int

    @property
    def is_of_start_snapshot(self) -> bool:
        """Return whether StartSnapshot began it: it alone keeps a digest of its request."""
        return self.request_digest != b""

    @property
    def is_overdue_at(self) -> float:
        """Return the time after which a pending snapshot without another write is an error; infinite without one."""
        return self.last_write_at + self.timeout_minutes * 60.0 if self.timeout_minutes else float("inf")


class WrongSnapshotState(StoreRefusal):
    """The snapshot is in a state that does not allow this."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the snapshot is {state}")
        self.state = state


_NAMES = tuple(each.name for each in fields(Snapshot))
_ALL = select(*(_s.c[name] for name in _NAMES))
_FIND = _ALL.where(_s.c.snapshot_id == _ID)
_SHARED = _s.c.snapshot_id.in_(select(_shares.c.snapshot_id).where(_shares.c.account == _ACCOUNT))
_FIND_FOR = PreparedSelect(_FIND.where(or_(_s.c.account == _ACCOUNT, _SHARED)))
_BY_TOKEN = _ALL.where(
    _s.c.account == _ACCOUNT, _s.c.region == _REGION, _s.c.client_token == schema.parameter("p_token")
)
_LIST = _ALL.where(_s.c.region == _REGION, or_(_s.c.account == _ACCOUNT, _SHARED)).order_by(_s.c.snapshot_id)
_LATEST = (
    _ALL.where(
        _s.c.volume_id == schema.parameter("p_volume"),
        _s.c.state == COMPLETED,
        _s.c.data_key == schema.parameter("p_data_key", schema.BYTES),
    )
    .order_by(_s.c.started_at.desc(), _s.c.snapshot_id)
    .limit(1)
)
_PENDING = _ALL.where(_s.c.state == literal_column("'pending'")).order_by(_s.c.snapshot_id)
_COPIES = select(func.count()).where(
    _s.c.state == literal_column("'pending'"),
    _s.c.account == _ACCOUNT,
    _s.c.region == _REGION,
    _s.c.volume_id == NO_VOLUME,
    _s.c.context_id == _s.c.snapshot_id,
    _s.c.request_digest == b"",  # StartSnapshot keeps one
)
_OF_VOLUMES = _PENDING.where(_s.c.volume_id.in_(schema.parameter("p_volumes", many=True)))
# On PostgreSQL a parent is not deleted while another one begins.
_LOCK_PARENT = select(_s.c.state).where(_s.c.snapshot_id == _ID).with_for_update(read=True, key_share=True)
_INHERIT = insert(_u).from_select(
    ["snapshot_id", "blob", "blocks"],
    select(schema.parameter("p_id", schema.TEXT), _u.c.blob, literal(0)).where(
        _u.c.snapshot_id == schema.parameter("p_parent")
    ),
)
_PARENT_INDEX = (
    select(_b.c.blob).join_from(_u, _b, _u.c.blob == _b.c.blob).where(_u.c.snapshot_id == _ID, _b.c.kind == INDEX)
)
_LIST_SHARES = select(_shares.c.account).where(_shares.c.snapshot_id == _ID).order_by(_shares.c.account)


def find_snapshot(conn: Connection, snapshot: str) -> Snapshot | None:
    """Return a snapshot by its id."""
    row = conn.execute(_FIND, {"p_id": snapshot}).first()
    return None if row is None else Snapshot(*row)


def find_for(conn: Connection, snapshot: str, account: str) -> Snapshot | None:
    """Return a snapshot that an account may see: its own, or one that is shared with it."""
    row = _FIND_FOR.first(conn, {"p_id": snapshot, "p_account": account})
    return None if row is None else Snapshot(*row)


def find_by_token(conn: Connection, account: str, region: str, token: str) -> Snapshot | None:
    """Return the snapshot that a request with this ClientToken has begun."""
    row = conn.execute(_BY_TOKEN, {"p_account": account, "p_region": region, "p_token": token}).first()
    return None if row is None else Snapshot(*row)


def find_latest(conn: Connection, volume: str, data_key: bytes) -> Snapshot | None:
    """Return the latest completed snapshot of a volume under this very data key: the parent of the next one."""
    row = conn.execute(_LATEST, {"p_volume": volume, "p_data_key": data_key}).first()
    return None if row is None else Snapshot(*row)


def list_snapshots(conn: Connection, account: str, region: str) -> list[Snapshot]:
    """Return the snapshots of a Region that an account may see, in the order of their ids."""
    return [Snapshot(*row) for row in conn.execute(_LIST, {"p_account": account, "p_region": region})]


def list_pending(conn: Connection, volumes: Sequence[str] | None = None) -> list[Snapshot]:
    """Return the pending snapshots, all or those of some volumes."""
    if volumes is None:
        return [Snapshot(*row) for row in conn.execute(_PENDING)]
    return [Snapshot(*row) for row in conn.execute(_OF_VOLUMES, {"p_volumes": list(volumes)})]


def count_copies(conn: Connection, account: str, region: str) -> int:
    """Return how many copies of an account are being made in a Region."""
    return conn.execute(_COPIES, {"p_account": account, "p_region": region}).scalar_one()


def add_snapshot(conn: Connection, snapshot: Snapshot) -> None:
    """Add a snapshot; it needs all that its parent needs.

    Raises NotFound if the parent has gone or is not complete, and AlreadyExists for a client token that was used.
    """
    if snapshot.parent_id:
        hold_completed(conn, snapshot.parent_id)
    try:
        conn.execute(insert(_s), {name: getattr(snapshot, name) for name in _NAMES})
    except IntegrityError as error:
        raise insert_refusal(error, missing=f"account {snapshot.account}", taken=snapshot.client_token) from None
    if snapshot.parent_id:
        conn.execute(_INHERIT, {"p_id": snapshot.snapshot_id, "p_parent": snapshot.parent_id})


def hold_completed(conn: Connection, snapshot: str) -> None:
    """Keep a snapshot until the transaction ends; raises NotFound if it has gone or is not complete."""
    if conn.execute(_LOCK_PARENT, {"p_id": snapshot}).scalar() != COMPLETED:
        raise NotFound(snapshot)


def find_parent_index(conn: Connection, snapshot: str) -> str:
    """Return the index of a pending snapshot's parent, which stays while it is needed; empty without one."""
    return conn.execute(_PARENT_INDEX, {"p_id": snapshot}).scalar() or ""


def change_snapshot(conn: Connection, snapshot: str, values: Mapping[str, Any]) -> None:
    """Set columns of a snapshot."""
    conn.execute(update(_s).where(_s.c.snapshot_id == snapshot).values(dict(values)))


def list_shares(conn: Connection, snapshot: str) -> list[str]:
    """Return the accounts with which a snapshot is shared."""
    return list(conn.execute(_LIST_SHARES, {"p_id": snapshot}).scalars())


def change_shares(conn: Connection, snapshot: str, add: Iterable[str], remove: Iterable[str]) -> None:
    """Share a snapshot with some accounts, and no longer with others."""
    gone = list(remove)
    if gone:
        conn.execute(delete(_shares).where(_shares.c.snapshot_id == snapshot, _shares.c.account.in_(gone)))
    present = set(list_shares(conn, snapshot))
    if new := [{"snapshot_id": snapshot, "account": each} for each in dict.fromkeys(add) if each not in present]:
        conn.execute(insert(_shares), new)
