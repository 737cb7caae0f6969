"""Keys that nobody creates: the AWS-managed keys, such as that of alias/aws/s3, and the service-owned key of SSE-S3.

An AWS-managed key is made when it is first described, and that of S3 on first use. It shows in the API and has AWS's
key policy: anybody in the account, but only through its service. The service-owned key is made on first use, is in no
list and has no alias that a request could name.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin import ids
from fuin.errors import StoreUnavailable
from fuin.kms.keys.managed_services import ALIASES, MANAGED, description, key_policy
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.specs import ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT
from fuin.kms.reach.key import OpenKey, encode_context
from fuin.kms.reach.key_identifiers import parse_identifier
from fuin.kms.reach.states import ENABLED, PENDING_IMPORT
from fuin.store.errors import AlreadyExists
from fuin.store.kms import aliases, keys
from fuin.store.kms.aliases import Alias
from fuin.store.kms.keys import Key
from fuin.store.kms.rotations import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from fuin.formats.wrapped import Material
    from fuin.gate.call import Call

S3 = "s3"
S3_ALIAS = ALIASES + S3
_YEAR = 365  # days


def managed_service(call: Call, identifier: str) -> str | None:
    """Return the service that has the alias of an identifier, in the caller's account and the call's Region."""
    if ALIASES not in identifier:
        return None
    named = parse_identifier(identifier, call.account, call.region)
    service = named.alias.removeprefix(ALIASES)
    return service if named.account == call.account and named.alias in _ALIASES else None


_ALIASES = frozenset(ALIASES + service for service in MANAGED)


async def ensure_key(call: Call, service: str) -> None:
    """Make a service's AWS-managed key in the caller's account and the call's region, unless it is there."""
    if await call.consult(_alias_target, ALIASES + service) is None:
        policy = key_policy(service, call.account, call.region)
        await _make_key(call, call.account, keys.AWS, service, description(service), policy)


def _alias_target(call: Call, alias: str) -> str | None:
    return call.services.store.catalog().alias(call.account, call.region, alias)


async def ensure_service_key(call: Call, account: str) -> Key:
    """Return the service-owned key of an account in the call's region, made now if it is not there."""
    key = await call.consult(_service_key, account)
    if key is None:
        await _make_key(call, account, keys.SERVICE, S3, "Service-owned key of SSE-S3", "")
        key = await call.consult(_service_key, account)
    if key is None:
        raise StoreUnavailable(f"the service-owned key of account {account} is missing")
    return key


def _service_key(call: Call, account: str) -> Key | None:
    catalog = call.services.store.catalog()
    key_id = catalog.service_key(account, call.region, keys.SERVICE, S3)
    return None if key_id is None else catalog.key(key_id, call.region)


def open_service_key(call: Call, key: Key, action: str, material_id: bytes, context: Mapping[str, str]) -> OpenKey:
    """Return a service-owned key ready for use; no right is asked, since SSE-S3 gives none."""
    material = call.services.store.catalog().material(key.key_id, key.region, material_id)
    if material is None:
        raise KmsFault("InvalidCiphertextException")
    arn = ids.key_arn(key.account, key.region, key.key_id)
    return OpenKey(arn, key, material, encode_context(context), action, context, key.manager)


async def _make_key(call: Call, account: str, manager: str, service: str, about: str, policy: str) -> None:
    """Make a service's key; another worker that is faster wins, and this one's material is dropped."""
    key_id = ids.new_key_id()
    draft = call.draft(use="kms:CreateKey", key=ids.key_arn(account, call.region, key_id), manager=manager)
    material = await call.services.keyholder.create_material(key_id, SYMMETRIC_DEFAULT, draft)
    key = new_key(call, key_id, account, material, manager=manager, service=service, description=about, policy=policy)
    with contextlib.suppress(AlreadyExists):
        await call.make(_insert, key, material)


def _insert(conn: Connection, key: Key, material: Material) -> None:
    keys.insert_key(conn, key, material)
    if key.manager == keys.AWS:
        name = ALIASES + key.service
        aliases.insert_alias(conn, Alias(key.account, key.region, name, key.key_id, key.created, key.created))


def new_key(
    call: Call,
    key_id: str,
    account: str,
    material: Material | None,
    *,
    description: str,
    policy: str,
    spec: str = SYMMETRIC_DEFAULT,
    usage: str = ENCRYPT_DECRYPT,
    origin: str = "AWS_KMS",
    manager: str = keys.CUSTOMER,
    service: str = "",
    tags: tuple[tuple[str, str], ...] = (),
) -> Key:
    """Return the row of a new key: enabled, or pending import if it has no material yet.

    A key that AWS manages rotates every year; nobody can change that. AWS: EnableKeyRotation.
    """
    return Key(
        key_id=key_id,
        account=account,
        region=call.region,
        state=PENDING_IMPORT if material is None else ENABLED,
        description=description,
        spec=spec,
        usage=usage,
        origin=origin,
        manager=manager,
        service=service,
        multi_region=key_id.startswith("mrk-"),
        primary_region=call.region if key_id.startswith("mrk-") else None,
        created=round(call.now, 3),
        deletion_date=None,
        policy=policy,
        current_material=b"" if material is None else material.material_id,
        tags=tags,
        rotation_period=_YEAR if manager == keys.AWS else None,
        rotation_due=round(call.now + _YEAR * DAY, 3) if manager == keys.AWS else None,
    )


_DEFAULT_POLICY = """{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "ROOT"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"""


def default_key_policy(account: str) -> str:
    """Return the policy of a key that was created without one, in AWS's layout; AWS: "Default key policy"."""
    return _DEFAULT_POLICY.replace("ROOT", ids.root_arn(account))
