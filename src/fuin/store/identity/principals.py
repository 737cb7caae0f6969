"""Principals that stored policies and grants name: whether they exist, and what replaces the name of a deleted one.

AWS keeps a principal by its unique id: a policy that names a deleted user shows that id from then on, and gives a new
user of the old name nothing (IAM user guide, "AWS JSON policy elements: Principal"). Here the ARN stays as it was put
as long as the user or role is there; when it ends or is renamed, the same transaction writes the id, or the new ARN,
into everything that names it: key policies, bucket policies, trust policies, grants.
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, and_, func, literal, or_, select, update

from fuin.store.engine import schema
from fuin.store.errors import NotFound, StoreRefusal
from fuin.store.identity import accounts, identities
from fuin.store.identity.identities import Identity
from fuin.store.volumes import hosts

_ACCOUNT, _ROOT = re.compile(r"([0-9]{12})"), re.compile(r"arn:aws:iam::([0-9]{12}):root")
_IDENTITY = re.compile(r"arn:aws:iam::([0-9]{12}):(user|role)/.+")
_HOST = re.compile(rf"arn:aws:sts::([0-9]{{12}}):assumed-role/{hosts.ROLE}/(i-[0-9a-f]{{17}})")
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/]+)/.+")
_FEDERATED = re.compile(r"arn:aws:sts::([0-9]{12}):federated-user/.+")

# Without white space, so that a document is not longer than it was, and with each number as it was written.
_written = msgspec.json.Encoder(decimal_format="number").encode

# Where documents stand that name principals: their table's key, and the column.
_DOCUMENTS: tuple[tuple[tuple[Column[Any], ...], Column[Any]], ...] = (
    ((schema.keys.c.key_id, schema.keys.c.region), schema.keys.c.policy),
    ((schema.buckets.c.name,), schema.buckets.c.policy),
    ((schema.roles.c.id,), schema.roles.c.trust_policy),
)


def exists(conn: Connection, name: str, *, with_hosts: bool = False) -> bool:
    """Return whether an AWS principal of a policy or grant exists: an account, user, role or role's session.

    A host counts only `with_hosts`: EC2's own grants name it, and nobody else may give it a key. Unique ids are not
    names of principals: AWS shows them for deleted principals, and does not accept them in a policy.
    """
    if name == "*":
        return True
    if found := _ACCOUNT.fullmatch(name) or _ROOT.fullmatch(name) or _FEDERATED.fullmatch(name):
        return accounts.account_exists(conn, found[1])
    if found := _IDENTITY.fullmatch(name):
        try:
            identities.find_id(conn, found[1], found[2], name)
        except NotFound:
            return False
        return True
    if found := _HOST.fullmatch(name):
        host = hosts.find_host(conn, found[2])
        return with_hosts and host is not None and host.account == found[1]
    if found := _SESSION.fullmatch(name):
        return identities.is_taken(conn, found[1], identities.ROLE, found[2])
    return False


class NoSuchPrincipal(StoreRefusal):
    """A policy or grant names a principal that does not exist: `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no principal {name}")
        self.name = name


def check(conn: Connection, names: Iterable[str], *, with_hosts: bool = False) -> None:
    """Raise NoSuchPrincipal for the first of the names that does not exist, see `exists`.

    Call this inside the change that stores the names: a later deletion of the principal then finds them.
    """
    for name in names:
        if not exists(conn, name, with_hosts=with_hosts):
            raise NoSuchPrincipal(name)


def replace_arn_by_id(conn: Connection, identity: Identity) -> None:
    """Name a deleted user or role by its unique id wherever it is named by its ARN."""
    _replace(conn, identity.arn, identity.id)
    if identity.kind == identities.ROLE:
        sessions = f"arn:aws:sts::{identity.account}:assumed-role/{identity.name}/"
        _replace(conn, sessions, f"{identity.id}:", starts=True)


def replace_arn(conn: Connection, before: Identity, after: Identity) -> None:
    """Name a user by its new ARN wherever it is named by its old one."""
    if before.arn != after.arn:
        _replace(conn, before.arn, after.arn)


def _replace(conn: Connection, old: str, new: str, *, starts: bool = False) -> None:
    """Write `new` for the principal `old`, or for this start of principals."""
    for key, column in _DOCUMENTS:
        # JSON can write any character as an escape, so what has a backslash is looked into as well.
        named = or_(column.contains(old, autoescape=True), column.contains("\\"))
        for *found, document in conn.execute(select(*key, column).where(named)).all():
            changed = _with_other_principal(document, old, new, starts=starts)
            if changed is not None:
                is_row = and_(*(one == value for one, value in zip(key, found, strict=True)))
                conn.execute(update(column.table).where(is_row).values({column: changed}))
    for column in (schema.grants.c.grantee, schema.grants.c.retiring):
        value = new + func.substr(column, len(old) + 1) if starts else literal(new)
        is_named = func.substr(column, 1, len(old)) == old if starts else column == old
        conn.execute(update(schema.grants).where(is_named).values({column: value}))


def _with_other_principal(document: str, old: str, new: str, *, starts: bool) -> str | None:
    """Return a policy with another name in its principals, or None when it does not name the old one."""
    policy = json.loads(document, parse_float=Decimal, parse_int=Decimal)  # numbers of any size and precision
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    changed = False

    def name(text: str) -> str:
        nonlocal changed
        if text == old or (starts and text.startswith(old)):
            changed = True
            return new + text[len(old) :]
        return text

    for statement in statements:
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element)
            if isinstance(named, dict) and "AWS" in named:
                aws = named["AWS"]
                named["AWS"] = [name(text) for text in aws] if isinstance(aws, list) else name(aws)
    return _written(policy).decode() if changed else None
