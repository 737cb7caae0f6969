"""Custom key stores: their row, their connection state, and the keys in them."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from fuin.formats.wrapped import Material
from fuin.store.engine import schema
from fuin.store.errors import AlreadyExists, NotFound, StoreRefusal, WrongState
from fuin.store.kms import keys
from fuin.store.kms.keys import Key

CONNECTED, DISCONNECTED, FAILED = "CONNECTED", "DISCONNECTED", "FAILED"

_s, _k = schema.custom_key_stores, schema.keys
_ID = schema.parameter("p_id")
_IN_REGION = and_(_s.c.account == schema.parameter("p_account"), _s.c.region == schema.parameter("p_region"))
_ALL = select(
    _s.c.id, _s.c.account, _s.c.region, _s.c.name, _s.c.type, _s.c.state, _s.c.error_code, _s.c.created,
    _s.c.settings, _s.c.sealed_secret,
)  # fmt: skip
_FIND = _ALL.where(_s.c.id == _ID)
_LIST = (
    _ALL.where(_IN_REGION, _s.c.id > schema.parameter("p_after"))
    .order_by(_s.c.id)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_COUNT = select(func.count()).where(_IN_REGION)
_BY_NAME = _ALL.where(_IN_REGION, _s.c.name == schema.parameter("p_name"))
_STATE = select(_s.c.state).where(_s.c.id == _ID)
_SET_STATE = (
    update(_s).where(_s.c.id == _ID).values(state=schema.parameter("p_state"), error_code=schema.parameter("p_error"))
)
_CHANGE = (
    update(_s)
    .where(_s.c.id == _ID)
    .values(
        name=schema.parameter("p_name"),
        settings=schema.parameter("p_settings"),
        sealed_secret=schema.parameter("p_secret", schema.BYTES),
    )
)
_KEYS = select(_k.c.key_id).where(_k.c.custom_key_store == _ID).limit(1)
_LIST_KEYS = select(_k.c.account, _k.c.region, _k.c.key_id).where(_k.c.custom_key_store == _ID)
_KEY_BY_EXTERNAL = select(_k.c.key_id).where(
    _k.c.custom_key_store == _ID, _k.c.xks_key_id == schema.parameter("p_external")
)
_DELETE = delete(_s).where(_s.c.id == _ID)


class HasKeys(StoreRefusal):
    """The custom key store still has keys."""


class ExternalKeyInUse(StoreRefusal):
    """Another key of the custom key store has this external key."""


class TooManyKeyStores(StoreRefusal):
    """The account has as many custom key stores in the Region as it may have."""


@dataclass(frozen=True, slots=True)
class KeyStore:
    """A custom key store; `state` and `error_code` are AWS's ConnectionState and ConnectionErrorCode.

    `settings` is JSON that the key service writes and reads, `sealed_secret` opens in the keyholder only.
    """

    id: str
    account: str
    region: str
    name: str
    type: str
    state: str
    error_code: str | None
    created: float
    settings: str
    sealed_secret: bytes = field(repr=False)


def insert_key_store(conn: Connection, store: KeyStore, at_most: int) -> None:
    """Add a key store; raises AlreadyExists for a name in use, TooManyKeyStores beyond `at_most` in its Region."""
    place = {"p_account": store.account, "p_region": store.region}
    if conn.execute(_COUNT, place).scalar_one() >= at_most:
        raise TooManyKeyStores
    try:
        conn.execute(_s.insert(), {column: getattr(store, column) for column in store.__slots__})
    except IntegrityError:
        raise AlreadyExists(store.name) from None


def find_key_store(conn: Connection, store_id: str) -> KeyStore | None:
    """Return a key store by its id."""
    row = conn.execute(_FIND, {"p_id": store_id}).first()
    return None if row is None else KeyStore(**row._mapping)


def find_by_name(conn: Connection, account: str, region: str, name: str) -> KeyStore | None:
    """Return a key store by its friendly name."""
    row = conn.execute(_BY_NAME, {"p_account": account, "p_region": region, "p_name": name}).first()
    return None if row is None else KeyStore(**row._mapping)


def list_key_stores(conn: Connection, account: str, region: str, after: str, limit: int) -> list[KeyStore]:
    """Return up to `limit` key stores with ids greater than `after`."""
    parameters = {"p_account": account, "p_region": region, "p_after": after, "p_limit": limit}
    return [KeyStore(**row._mapping) for row in conn.execute(_LIST, parameters)]


def set_state(
    conn: Connection, store_id: str, allowed: tuple[str, ...], state: str, error_code: str | None = None
) -> None:
    """Change the connection state; raises NotFound, or WrongState unless it is one of `allowed` now."""
    _check_state(conn, store_id, allowed)
    conn.execute(_SET_STATE, {"p_id": store_id, "p_state": state, "p_error": error_code})


def change_key_store(conn: Connection, store: KeyStore, allowed: tuple[str, ...]) -> None:
    """Replace name, settings and secret; raises NotFound, WrongState, AlreadyExists (the name)."""
    _check_state(conn, store.id, allowed)
    parameters = {
        "p_id": store.id, "p_name": store.name, "p_settings": store.settings, "p_secret": store.sealed_secret,
    }  # fmt: skip
    try:
        conn.execute(_CHANGE, parameters)
    except IntegrityError:
        raise AlreadyExists(store.name) from None


def list_keys(conn: Connection, store_id: str) -> list[tuple[str, str, str]]:
    """Return account, Region and id of the keys in a key store."""
    return [(account, region, key_id) for account, region, key_id in conn.execute(_LIST_KEYS, {"p_id": store_id})]


def delete_key_store(conn: Connection, store_id: str) -> None:
    """Remove a key store that is disconnected and empty; raises NotFound, WrongState, HasKeys."""
    _check_state(conn, store_id, (DISCONNECTED,))
    if conn.execute(_KEYS, {"p_id": store_id}).first() is not None:
        raise HasKeys
    conn.execute(_DELETE, {"p_id": store_id})


def insert_external_key(conn: Connection, key: Key, material: Material) -> None:
    """Add a key to its key store; raises NotFound, WrongState (no longer connected), ExternalKeyInUse."""
    store_id = key.custom_key_store or ""
    _check_state(conn, store_id, (CONNECTED,))
    if external_key_in_use(conn, store_id, key.xks_key_id or ""):
        raise ExternalKeyInUse
    keys.insert_key(conn, key, material)


def external_key_in_use(conn: Connection, store_id: str, external_key: str) -> bool:
    """Return whether a key of the store has this external key, in whatever state it is."""
    return conn.execute(_KEY_BY_EXTERNAL, {"p_id": store_id, "p_external": external_key}).first() is not None


def _check_state(conn: Connection, store_id: str, allowed: tuple[str, ...]) -> None:
    # Read inside the transaction: the caller's answer from the proxy took its time.
    current = conn.execute(_STATE, {"p_id": store_id}).scalar_one_or_none()
    if current is None:
        raise NotFound(store_id)
    if current not in allowed:
        raise WrongState(current)
