"""Hosts: the machines that open volumes, each with credentials of its own."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError

from fuin import ids
from fuin.access.principal import Principal
from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.errors import NotFound, StillUsed

# AWS opens volumes as a session of this role. IAM lets nobody make a role with a colon in its name.
ROLE = "aws:ec2-infrastructure"

_h, _a = schema.hosts, schema.volume_attachments
_ID = schema.parameter("p_id")
_ALL = select(
    _h.c.host_id, _h.c.account, _h.c.region, _h.c.zone, _h.c.name, _h.c.access_key_id, _h.c.sealed_secret,
    _h.c.created_at,
)  # fmt: skip
_FIND = _ALL.where(_h.c.host_id == _ID)
_FIND_BY_KEY = _ALL.where(_h.c.access_key_id == _ID)
_LIST = _ALL.where(_h.c.account == schema.parameter("p_account")).order_by(_h.c.region, _h.c.name)
_DELETE = delete(_h).where(_h.c.host_id == _ID)
_HAS_VOLUME = select(_a.c.volume_id).where(_a.c.host_id == _ID).limit(1)


@dataclass(frozen=True, slots=True)
class Host:
    """A host; its secret is sealed, only the keyholder opens it."""

    host_id: str  # i-…
    account: str
    region: str
    zone: str
    name: str
    access_key_id: str
    sealed_secret: bytes
    created_at: float

    @property
    def principal(self) -> Principal:
        """Return the principal of the host's requests: AWS's session of the role that opens volumes."""
        return host_principal(self.account, self.host_id)


def host_principal(account: str, host_id: str) -> Principal:
    """Return the principal of a host. It has no policies: only grants name it."""
    arn = ids.session_arn(account, ROLE, host_id)
    role = ids.iam_arn(account, "role", "/", ROLE)
    return Principal("role", arn, account, f"{account}:{ROLE}:{host_id}", ROLE, role, session=host_id)


def insert_host(conn: Connection, host: Host) -> None:
    """Add a host; raises AlreadyExists for a name that another one has, and NotFound for an unknown account."""
    row = {name: getattr(host, name) for name in Host.__slots__}
    try:
        conn.execute(_h.insert(), row)
    except IntegrityError as error:
        raise insert_refusal(error, missing=f"account {host.account}", taken=f"host {host.name}") from None


def find_host(conn: Connection, host_id: str) -> Host | None:
    """Return a host by its id."""
    row = conn.execute(_FIND, {"p_id": host_id}).first()
    return None if row is None else Host(*row)


def find_by_access_key(conn: Connection, access_key_id: str) -> Host | None:
    """Return the host that has an access key."""
    row = conn.execute(_FIND_BY_KEY, {"p_id": access_key_id}).first()
    return None if row is None else Host(*row)


def list_hosts(conn: Connection, account: str) -> list[Host]:
    """Return all hosts of an account, by Region and name."""
    return [Host(*row) for row in conn.execute(_LIST, {"p_account": account})]


def delete_host(conn: Connection, host_id: str) -> None:
    """Remove a host; raises NotFound, or StillUsed while volumes are attached to it."""
    if conn.execute(_HAS_VOLUME, {"p_id": host_id}).first() is not None:
        raise StillUsed("volumes")
    if conn.execute(_DELETE, {"p_id": host_id}).rowcount == 0:
        raise NotFound(f"host {host_id}")
