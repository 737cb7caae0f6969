"""KMS keys: their rows, their states and their deletion."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from fuin import ids
from fuin.formats.wrapped import Material
from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.errors import NotFound, WrongState
from fuin.store.kms import key_tags, materials

ENABLED, DISABLED, PENDING_DELETION = "Enabled", "Disabled", "PendingDeletion"
PENDING_IMPORT, PENDING_REPLICA_DELETION = "PendingImport", "PendingReplicaDeletion"
CUSTOMER, AWS, SERVICE = "CUSTOMER", "AWS", "SERVICE"
IN_USE = (ENABLED, "Updating")
_MAY_END = (ENABLED, DISABLED, PENDING_IMPORT, "Creating")
_DAY = 86400.0  # seconds

_k = schema.keys
_ID, _REGION, _ACCOUNT = schema.parameter("p_id"), schema.parameter("p_region"), schema.parameter("p_account")
_IS_KEY = and_(_k.c.key_id == _ID, _k.c.region == _REGION)
_STORE_STATE = (
    select(schema.custom_key_stores.c.state)
    .where(schema.custom_key_stores.c.id == _k.c.custom_key_store)
    .scalar_subquery()
)
_FIND = select(
    _k.c.key_id, _k.c.account, _k.c.region, _k.c.state, _k.c.description, _k.c.spec, _k.c.usage, _k.c.origin,
    _k.c.manager, _k.c.service, _k.c.multi_region, _k.c.created, _k.c.deletion_date, _k.c.policy, _k.c.current_material,
    _k.c.custom_key_store, _k.c.xks_key_id, _k.c.primary_region, _k.c.deletion_window, _k.c.rotation_period,
    _k.c.rotation_due, _k.c.expiration_model, _k.c.valid_to, _STORE_STATE.label("store_state"),
).where(_IS_KEY)  # fmt: skip
_STATE = select(_k.c.state).where(_IS_KEY)
_PRIMARY = select(_k.c.primary_region).where(_IS_KEY)
_m = schema.materials
_OF_KEY = and_(_m.c.key_id == _k.c.key_id, _m.c.region == _k.c.region)
_WAITS = select(
    and_(
        _k.c.origin == "EXTERNAL",
        or_(
            ~exists().where(_OF_KEY, _m.c.state == materials.CURRENT),
            exists().where(
                _OF_KEY,
                _m.c.state.in_((materials.CURRENT, materials.NON_CURRENT)),
                _m.c.import_state != materials.IMPORTED,
            ),
        ),
    )
).where(_IS_KEY)
_NOW = schema.parameter("p_now", schema.TIME)
_REMAINS = or_(_k.c.deletion_date.is_(None), _k.c.deletion_date > _NOW)
_LIST = (
    select(_k.c.key_id)
    .where(
        _k.c.account == _ACCOUNT,
        _k.c.region == _REGION,
        _k.c.key_id > schema.parameter("p_after"),
        _k.c.manager != SERVICE,
        _REMAINS,
    )
    .order_by(_k.c.key_id)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_REGIONS = select(_k.c.region).where(_k.c.key_id == _ID, _REMAINS).order_by(_k.c.region)
_counted = select(func.count()).select_from(_k).where(_k.c.account == _ACCOUNT, _k.c.region == _REGION)
# Two counts, since each has an index that holds all it needs; a count of the customers' would read every key's row.
_COUNT = select(_counted.scalar_subquery() - _counted.where(_k.c.service != "").scalar_subquery())
_SERVICE_KEY = select(_k.c.key_id).where(
    _k.c.account == _ACCOUNT, _k.c.region == _REGION, _k.c.manager == schema.parameter("p_manager"),
    _k.c.service == schema.parameter("p_service"), _k.c.service != "",
)  # fmt: skip
_SET_STATE = (
    update(_k)
    .where(_IS_KEY)
    .values(
        state=schema.parameter("p_state"),
        deletion_date=schema.parameter("p_date", schema.TIME),
        deletion_window=schema.parameter("p_window", schema.LONG),
    )
)
_SET_POLICY = update(_k).where(_IS_KEY).values(policy=schema.parameter("p_policy"))
_SET_DESCRIPTION = update(_k).where(_IS_KEY).values(description=schema.parameter("p_description"))
_EXPIRED = select(_k.c.key_id, _k.c.region, _k.c.account).where(
    _k.c.state == PENDING_DELETION, _k.c.deletion_date <= _NOW
)
_related = _k.alias()
_LAST_REPLICA_ENDED = (
    update(_k)
    .where(
        _k.c.key_id == _ID,
        _k.c.state == PENDING_REPLICA_DELETION,
        ~exists().where(_related.c.key_id == _k.c.key_id, _related.c.region != _k.c.region),
    )
    .values(state=PENDING_DELETION, deletion_date=_NOW + _k.c.deletion_window * _DAY, deletion_window=None)
)
_DELETE = delete(_k).where(_IS_KEY)


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key; the fields have AWS's values (`spec` SYMMETRIC_DEFAULT, `usage` ENCRYPT_DECRYPT, `origin` AWS_KMS).

    `manager` is CUSTOMER, AWS (alias/aws/…) or SERVICE (a service's own key, which the API does not show); `service`
    names the service of the latter two, and there is one such key per account, Region, manager and service.
    `current_material` is the id of the material that encrypts, empty without one. Tags are sorted by name.
    """

    key_id: str
    account: str
    region: str
    state: str
    description: str
    spec: str
    usage: str
    origin: str
    manager: str
    service: str
    multi_region: bool
    created: float
    deletion_date: float | None
    policy: str
    current_material: bytes
    tags: tuple[tuple[str, str], ...] = field(default=())
    custom_key_store: str | None = None
    xks_key_id: str | None = None
    primary_region: str | None = None
    deletion_window: int | None = None
    rotation_period: int | None = None
    rotation_due: float | None = None
    expiration_model: str | None = None
    valid_to: float | None = None
    store_state: str | None = None  # of its custom key store, when the key was read

    @property
    def arn(self) -> str:
        """Return the key's ARN."""
        return ids.key_arn(self.account, self.region, self.key_id)

    @property
    def enabled(self) -> bool:
        """Return whether the key may be used."""
        return self.state == ENABLED


class ExpiredKey(NamedTuple):
    """A key whose deletion date has come."""

    key_id: str
    region: str
    account: str


def insert_key(conn: Connection, key: Key, material: Material | None) -> None:
    """Add a key with its tags and first material; raises AlreadyExists (also for a service's second key)."""
    row = {name: getattr(key, name) for name in _k.columns.keys()}  # noqa: SIM118 - column names, not columns
    row["multi_region"] = int(key.multi_region)
    try:
        conn.execute(_k.insert(), row)
    except IntegrityError as error:
        raise insert_refusal(error, missing=f"account {key.account}", taken=f"key {key.key_id}") from None
    if material is not None:
        materials.insert_material(conn, key.region, material, key.created)
    if key.tags:
        key_tags.set_tags(conn, key.key_id, key.region, dict(key.tags))


def find_key(conn: Connection, key_id: str, region: str) -> Key | None:
    """Return a key with its tags."""
    row = conn.execute(_FIND, {"p_id": key_id, "p_region": region}).first()
    if row is None:
        return None
    values = dict(row._mapping)
    values["multi_region"] = bool(values["multi_region"])
    return Key(**values, tags=key_tags.list_tags(conn, key_id, region))


def list_keys(conn: Connection, account: str, region: str, after: str, limit: int, now: float = 0.0) -> list[str]:
    """Return up to `limit` key ids greater than `after` (empty for the first page), without services' own keys.

    Keys whose deletion date is not after `now`, and which only wait to be purged, are left out as well.
    """
    given = {"p_account": account, "p_region": region, "p_after": after, "p_limit": limit, "p_now": now}
    return list(conn.execute(_LIST, given).scalars())


def list_regions(conn: Connection, key_id: str, now: float = 0.0) -> list[str]:
    """Return the Regions that have a key at `now`; only a multi-Region key is in several."""
    return list(conn.execute(_REGIONS, {"p_id": key_id, "p_now": now}).scalars())


def count_keys(conn: Connection, account: str, region: str) -> int:
    """Return how many keys of its own an account has in a Region, without those that are managed for it."""
    return int(conn.execute(_COUNT, {"p_account": account, "p_region": region}).scalar_one())


def find_service_key(conn: Connection, account: str, region: str, manager: str, service: str) -> str | None:
    """Return the id of the key that AWS manages for a service (manager AWS) or of a service's own (SERVICE)."""
    return conn.execute(
        _SERVICE_KEY, {"p_account": account, "p_region": region, "p_manager": manager, "p_service": service}
    ).scalar_one_or_none()


def _move(conn: Connection, key_id: str, region: str, allowed: tuple[str, ...], state: str) -> None:
    # The state is read again inside the transaction: the caller's catalog may be older than another worker's change.
    _check(conn, key_id, region, allowed)
    _set(conn, key_id, region, state)


def _check(conn: Connection, key_id: str, region: str, allowed: tuple[str, ...]) -> None:
    current = conn.execute(_STATE, {"p_id": key_id, "p_region": region}).scalar_one_or_none()
    if current is None:
        raise NotFound(f"key {key_id}")
    if current not in allowed:
        raise WrongState(current)


def _set(
    conn: Connection, key_id: str, region: str, state: str, date: float | None = None, window: int | None = None
) -> None:
    values = {"p_id": key_id, "p_region": region, "p_state": state, "p_date": date, "p_window": window}
    conn.execute(_SET_STATE, values)


def set_state(conn: Connection, key_id: str, region: str, state: str) -> None:
    """Enable or disable a key; raises NotFound, or WrongState unless it is Enabled or Disabled now."""
    _move(conn, key_id, region, (ENABLED, DISABLED), state)


def schedule_deletion(
    conn: Connection, key_id: str, region: str, date: float, window: int | None = None, now: float = 0.0
) -> bool:
    """Schedule the key's deletion at `date`; raises NotFound, or WrongState when a deletion is scheduled already.

    A primary key with replicas at `now` waits until the last one is deleted, and then for `window` days; returns
    whether the date is fixed.
    """
    _check(conn, key_id, region, _MAY_END)
    primary = conn.execute(_PRIMARY, {"p_id": key_id, "p_region": region}).scalar_one()
    if window is not None and primary == region and list_regions(conn, key_id, now) != [region]:
        _set(conn, key_id, region, PENDING_REPLICA_DELETION, window=window)
        return False
    _set(conn, key_id, region, PENDING_DELETION, date)
    return True


def cancel_deletion(conn: Connection, key_id: str, region: str) -> None:
    """Cancel the deletion, which leaves the key Disabled as in AWS; raises NotFound or WrongState.

    A key that lacks imported material goes on waiting for it.
    """
    _check(conn, key_id, region, (PENDING_DELETION, PENDING_REPLICA_DELETION))
    waits = conn.execute(_WAITS, {"p_id": key_id, "p_region": region}).scalar_one()
    _set(conn, key_id, region, PENDING_IMPORT if waits else DISABLED)


def set_policy(conn: Connection, key_id: str, region: str, policy: str) -> None:
    """Replace the key policy; raises NotFound."""
    if conn.execute(_SET_POLICY, {"p_id": key_id, "p_region": region, "p_policy": policy}).rowcount == 0:
        raise NotFound(f"key {key_id}")


def set_description(conn: Connection, key_id: str, region: str, description: str) -> None:
    """Replace the description; raises NotFound."""
    parameters = {"p_id": key_id, "p_region": region, "p_description": description}
    if conn.execute(_SET_DESCRIPTION, parameters).rowcount == 0:
        raise NotFound(f"key {key_id}")


def expired_keys(conn: Connection, now: float) -> list[ExpiredKey]:
    """Return the keys whose window has ended and that `purge_expired` would remove."""
    return [ExpiredKey(*row) for row in conn.execute(_EXPIRED, {"p_now": now})]


def has_expired(conn: Connection, now: float) -> bool:
    """Return whether a key's window has ended."""
    return conn.execute(_EXPIRED, {"p_now": now}).first() is not None


def purge_expired(conn: Connection, due: float, now: float | None = None) -> list[str]:
    """Remove the keys whose window has ended at `due`, with materials, aliases and tags; returns their ids.

    For a primary key that waited for its last replica's deletion, its own window begins at `now` (by default `due`).
    Part of `Store.purge`, which then also clears the removed bytes from the database's files.
    """
    ended = expired_keys(conn, due)
    for key_id, region, _ in ended:
        materials.destroy_materials(conn, key_id, region)
        conn.execute(_DELETE, {"p_id": key_id, "p_region": region})  # the rest goes by ON DELETE CASCADE
        conn.execute(_LAST_REPLICA_ENDED, {"p_id": key_id, "p_now": due if now is None else now})
    return [key.key_id for key in ended]
