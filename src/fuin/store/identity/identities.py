"""The common part of users, groups, roles, policies and instance profiles: id, name, path, tags, boundary.

The rest of each kind is in `users.py`, `groups.py`, `roles.py`, `managed_policies.py` and `instance_profiles.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from fuin import ids
from fuin.store.engine import schema
from fuin.store.engine.rows import ALL
from fuin.store.errors import AlreadyExists, NotFound, TooMany, TooManyTags
from fuin.store.identity import accounts

USER, GROUP, ROLE, POLICY, INSTANCE_PROFILE = "user", "group", "role", "policy", "instance-profile"
_OF_AWS = "arn:aws:iam::aws:policy/"

Tags = tuple[tuple[str, str], ...]

_i, _t, _m, _a = schema.identities, schema.identity_tags, schema.memberships, schema.attachments
_b = _i.alias("boundaries")
_ID, _ACCOUNT, _KIND = schema.parameter("p_id"), schema.parameter("p_account"), schema.parameter("p_kind")
_LIMIT = schema.parameter("p_limit", schema.LONG)
_IN_ACCOUNT = and_(_i.c.account == _ACCOUNT, _i.c.kind == _KIND)
_ALL = select(
    _i.c.account, _i.c.name, _i.c.id, _i.c.created, _i.c.path,
    _b.c.account.label("b_account"), _b.c.path.label("b_path"), _b.c.name.label("b_name"),
).select_from(_i.outerjoin(_b, _b.c.id == _i.c.boundary))  # fmt: skip
_BY_ID = _ALL.where(_i.c.id == _ID, _i.c.kind == _KIND)
_BY_NAME = _ALL.where(_IN_ACCOUNT, _i.c.name == schema.parameter("p_name"))
_PREFIX = schema.parameter("p_prefix")
_PAGE = (
    _ALL.where(_IN_ACCOUNT, _i.c.name > schema.parameter("p_after"))
    .where(func.substr(_i.c.path, 1, func.length(_PREFIX)) == _PREFIX)
    .order_by(_i.c.name)
    .limit(_LIMIT)
)
_MEMBERS = (
    _ALL.join(_m, _m.c.user_id == _i.c.id)
    .where(_m.c.group_id == _ID, _i.c.name > schema.parameter("p_after"))
    .order_by(_i.c.name)
    .limit(_LIMIT)
)
# Those that have a policy, by kind and name together, as the markers of such lists have them.
_PLACE, _AFTER_PLACE = _i.c.kind + "/" + _i.c.name, schema.parameter("p_after")
_HOLDERS = (
    _ALL.add_columns(_i.c.kind)
    .where(_i.c.account == _ACCOUNT, _AFTER_PLACE < _PLACE)
    .where(_i.c.kind.in_(schema.parameter("p_kinds", many=True)))
    .where(func.substr(_i.c.path, 1, func.length(_PREFIX)) == _PREFIX)
    .order_by(_PLACE)
    .limit(_LIMIT)
)
_ATTACHED = _i.c.id.in_(select(_a.c.id).where(_a.c.policy == _ID))
_LIMITED = _i.c.boundary == _ID
_HOLDERS_BY = {
    (True, False): _HOLDERS.where(_ATTACHED),
    (False, True): _HOLDERS.where(_LIMITED),
    (True, True): _HOLDERS.where(or_(_ATTACHED, _LIMITED)),
}
_FOLDED = select(_i.c.id).where(_IN_ACCOUNT, _i.c.folded == schema.parameter("p_folded"))
_COUNT = select(func.count()).select_from(_i).where(_IN_ACCOUNT)
_RENAME = (
    update(_i)
    .where(_i.c.id == _ID)
    .values(name=schema.parameter("p_name"), folded=schema.parameter("p_folded"), path=schema.parameter("p_path"))
)
_SET_BOUNDARY = update(_i).where(_i.c.id == _ID).values(boundary=schema.parameter("p_boundary"))
_DELETE = delete(_i).where(_i.c.id == _ID)
_TAGS = select(_t.c.name, _t.c.value).where(_t.c.id == _ID).order_by(_t.c.folded)
_DELETE_TAG = delete(_t).where(_t.c.id == _ID, _t.c.folded == schema.parameter("p_folded"))
_BOUNDED = select(func.count()).select_from(_i).where(_i.c.boundary == _ID, _i.c.account == _ACCOUNT)


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity, policy or instance profile; `boundary` is a managed policy's ARN. No `id` is ever used again.

    Lists give no tags.
    """

    kind: ClassVar[str]

    account: str
    name: str
    id: str
    created: float
    path: str = "/"
    boundary: str | None = None
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Return its ARN, which has the path in it."""
        return ids.iam_arn(self.account, self.kind, self.path, self.name)


T = TypeVar("T", bound=Identity)
P = ParamSpec("P")
R = TypeVar("R")


def insert(conn: Connection, identity: Identity, at_most: int | None = None) -> None:
    """Add one, with its tags and boundary; raises NotFound (account, boundary), AlreadyExists or TooMany."""
    accounts.check_account(conn, identity.account)
    if at_most is not None and count(conn, identity.account, identity.kind) >= at_most:
        raise TooMany(identity.kind, at_most)
    check_free(conn, identity.account, identity.kind, identity.name)
    row = {
        "id": identity.id, "account": identity.account, "kind": identity.kind, "name": identity.name,
        "folded": identity.name.lower(), "path": identity.path, "created": identity.created,
    }  # fmt: skip
    try:
        conn.execute(_i.insert(), row)
    except IntegrityError:
        raise AlreadyExists(f"{identity.kind} {identity.name}") from None
    put_tags(conn, identity.id, identity.tags)
    if identity.boundary is not None:
        set_boundary(conn, identity, identity.boundary)


def check_free(conn: Connection, account: str, kind: str, name: str, but: str | None = None) -> None:
    """Raise AlreadyExists when another one (not `but`, an id) has the name, in whatever case."""
    named = {"p_account": account, "p_kind": kind, "p_folded": name.lower()}
    if any(found != but for found in conn.execute(_FOLDED, named).scalars()):
        raise AlreadyExists(f"{kind} {name}")


def find(conn: Connection, cls: type[T], account: str, name: str) -> T | None:
    """Return one by name, in its exact case."""
    row = conn.execute(_BY_NAME, {"p_account": account, "p_kind": cls.kind, "p_name": name}).first()
    return None if row is None else from_row(cls, row, list_tags(conn, row.id))


def is_taken(conn: Connection, account: str, kind: str, name: str) -> bool:
    """Return whether one has that name, in its exact case."""
    return conn.execute(_BY_NAME, {"p_account": account, "p_kind": kind, "p_name": name}).first() is not None


def find_by_id(conn: Connection, cls: type[T], identity_id: str) -> T | None:
    """Return one by id; None also for an id of another kind."""
    row = conn.execute(_BY_ID, {"p_id": identity_id, "p_kind": cls.kind}).first()
    return None if row is None else from_row(cls, row, list_tags(conn, row.id))


def get(conn: Connection, cls: type[T], account: str, name: str) -> T:
    """Return one by name; raises NotFound."""
    one = find(conn, cls, account, name)
    if one is None:
        raise NotFound(f"{cls.kind} {name}")
    return one


def apply_to(
    conn: Connection,
    identity: Identity,
    fn: Callable[Concatenate[Connection, str, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Return `fn(conn, id, …)` for one that still exists; raises NotFound when it was deleted meanwhile."""
    if find_by_id(conn, type(identity), identity.id) is None:
        raise NotFound(f"{identity.kind} {identity.name}")
    return fn(conn, identity.id, *args, **kwargs)


def page(conn: Connection, cls: type[T], account: str, prefix: str = "/", after: str = "", limit: int = ALL) -> list[T]:
    """Return up to `limit` by name, greater than `after`, whose paths start with `prefix`; without tags."""
    given = {"p_account": account, "p_kind": cls.kind, "p_prefix": prefix, "p_after": after, "p_limit": limit}
    return [from_row(cls, row) for row in conn.execute(_PAGE, given)]


def page_members(conn: Connection, cls: type[T], group_id: str, after: str = "", limit: int = ALL) -> list[T]:
    """Return up to `limit` of a group's users by name, greater than `after`; without tags."""
    return [
        from_row(cls, row) for row in conn.execute(_MEMBERS, {"p_id": group_id, "p_after": after, "p_limit": limit})
    ]


def page_holders(
    conn: Connection,
    policy_id: str,
    account: str,
    kinds: Sequence[type[T]],
    prefix: str = "/",
    after: str = "",
    limit: int = ALL,
    *,
    attached: bool = True,
    bounded: bool = True,
) -> list[T]:
    """Return up to `limit` of an account's users, groups and roles that have a policy attached, or as their boundary.

    They come by `KIND/NAME`, greater than `after`; without tags.
    """
    classes = {cls.kind: cls for cls in kinds}
    given = {
        "p_id": policy_id, "p_account": account, "p_kinds": list(classes), "p_prefix": prefix, "p_after": after,
        "p_limit": limit,
    }  # fmt: skip
    return [from_row(classes[row.kind], row) for row in conn.execute(_HOLDERS_BY[attached, bounded], given)]


def count(conn: Connection, account: str, kind: str) -> int:
    """Return how many of a kind an account has."""
    return int(conn.execute(_COUNT, {"p_account": account, "p_kind": kind}).scalar_one())


def from_row(cls: type[T], row: Any, tags: Tags = ()) -> T:
    """Return a value of a row with this module's columns."""
    boundary = None if row.b_name is None else ids.iam_arn(row.b_account, POLICY, row.b_path, row.b_name)
    return cls(row.account, row.name, row.id, row.created, row.path, boundary, tags)


def rename(conn: Connection, identity: Identity, name: str, path: str) -> None:
    """Give another name and path; raises AlreadyExists."""
    check_free(conn, identity.account, identity.kind, name, but=identity.id)
    conn.execute(_RENAME, {"p_id": identity.id, "p_name": name, "p_folded": name.lower(), "p_path": path})


def delete_identity(conn: Connection, identity_id: str) -> None:
    """Remove the row and the rows that belong to it; the caller has checked that it may be deleted."""
    conn.execute(_DELETE, {"p_id": identity_id})


def set_boundary(conn: Connection, identity: Identity, policy_arn: str | None) -> None:
    """Set or remove the permissions boundary; raises NotFound (the policy)."""
    policy = None if policy_arn is None else find_id(conn, identity.account, POLICY, policy_arn)
    conn.execute(_SET_BOUNDARY, {"p_id": identity.id, "p_boundary": policy})


def policy_owner(account: str, arn: str) -> str:
    """Return the owner of a policy by its ARN: AWS, or else the account in which it is named."""
    return accounts.AWS if arn.startswith(_OF_AWS) else account


def find_id(conn: Connection, account: str, kind: str, arn: str) -> str:
    """Return the id for an ARN in an account, or for a policy of AWS; raises NotFound."""
    account = policy_owner(account, arn) if kind == POLICY else account
    row = conn.execute(_BY_NAME, {"p_account": account, "p_kind": kind, "p_name": arn.rpartition("/")[2]}).first()
    if row is None or ids.iam_arn(account, kind, row.path, row.name) != arn:
        raise NotFound(arn)
    return str(row.id)


def count_bounded(conn: Connection, policy_id: str, account: str) -> int:
    """Return how many users and roles of an account have a policy as their boundary."""
    return int(conn.execute(_BOUNDED, {"p_id": policy_id, "p_account": account}).scalar_one())


def list_tags(conn: Connection, identity_id: str) -> Tags:
    """Return the tags by name."""
    return tuple((name, value) for name, value in conn.execute(_TAGS, {"p_id": identity_id}))


def put_tags(conn: Connection, identity_id: str, tags: Iterable[tuple[str, str]], at_most: int = 50) -> None:
    """Add tags, or replace those of the same name in whatever case; raises TooManyTags."""
    for name, value in tags:
        folded = {"p_id": identity_id, "p_folded": name.lower()}
        conn.execute(_DELETE_TAG, folded)
        conn.execute(_t.insert(), {"id": identity_id, "folded": name.lower(), "name": name, "value": value})
    if len(list_tags(conn, identity_id)) > at_most:
        raise TooManyTags(identity_id)


def remove_tags(conn: Connection, identity_id: str, names: Iterable[str]) -> None:
    """Remove tags; names without a tag do not matter."""
    for name in names:
        conn.execute(_DELETE_TAG, {"p_id": identity_id, "p_folded": name.lower()})
