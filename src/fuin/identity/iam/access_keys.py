"""Access keys: create, list, switch, delete, and their last use. The secret is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.refusals import NotAuthorized
from fuin.identity.iam import entities, paging, quotas
from fuin.identity.wire.faults import QueryFault
from fuin.store.identity import access_keys
from fuin.store.identity.access_keys import AccessKey
from fuin.store.identity.users import User

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output


async def create_access_key(call: Call, given: Given) -> Output:
    """Make an access key; its clear secret is in this answer only. Everywhere else it is sealed by the keyholder."""
    user = await call.consult(_owner, given)
    access_key_id = ids.new_access_key_id()
    secret, sealed = await call.services.keyholder.new_secret(access_key_id)
    call.facts["accessKeyCreated"] = access_key_id
    name = None if user is None else user.name
    await entities.add(
        call, user or _root(call), access_keys.insert_access_key,
        access_key_id, call.account, name, sealed, call.now, quotas.ACCESS_KEYS,
    )  # fmt: skip
    return {
        "AccessKey": {
            "UserName": name, "AccessKeyId": access_key_id, "Status": "Active", "SecretAccessKey": secret,
            "CreateDate": call.now,
        }
    }  # fmt: skip


async def list_access_keys(call: Call, given: Given) -> Output:
    """Return the access keys of a user, by default the caller; without secrets."""
    user = await call.consult(_owner, given)
    found = await call.consult(_keys_of, user)
    return paging.page_of_all(given, "AccessKeyMetadata", found, lambda key: key.access_key_id, _describe)


async def update_access_key(call: Call, given: Given) -> None:
    """Switch an access key on or off; when this returns, every worker refuses a key that is off."""
    user = await call.consult(_owner, given)
    if given["Status"] == "Expired":
        raise QueryFault("ValidationError", "An access key's status can be set to Active or Inactive.")
    key = await call.consult(_key_of, user, given["AccessKeyId"])
    active = given["Status"] == "Active"
    await entities.change(call, user or _root(call), access_keys.set_access_key_active, key.access_key_id, active)


async def delete_access_key(call: Call, given: Given) -> None:
    """Remove an access key; it no longer opens anything when this returns."""
    user = await call.consult(_owner, given)
    key = await call.consult(_key_of, user, given["AccessKeyId"])
    await entities.change(call, user or _root(call), access_keys.delete_access_key, key.access_key_id)


async def get_access_key_last_used(call: Call, given: Given) -> Output:
    """Return when, for which service and in which Region a key was last used, to the minute."""
    store = call.services.store
    key = await store.read(access_keys.find_access_key, given["AccessKeyId"])
    anybody = f"arn:aws:iam::{call.account}:user/*"
    if key is None or key.account != call.account:
        await call.consult(entities.permit, anybody)
        raise _no_key(given["AccessKeyId"])
    try:
        await call.consult(entities.permit, key.principal.arn)
    except NotAuthorized as error:
        raise error.rephrase(noun=f"resource: {anybody}") from None
    last = await store.read(access_keys.last_use, key.access_key_id)
    used = {"ServiceName": "N/A", "Region": "N/A"}
    shown = used if last is None else {"LastUsedDate": last.used, "ServiceName": last.service, "Region": last.region}
    return {"UserName": key.user, "AccessKeyLastUsed": shown}


def _owner(call: Call, given: Given) -> User | None:
    """Return the user that the request is about, by default the caller; None is the account's root."""
    name = given.get("UserName") or entities.own_name(call)
    if name is not None:
        return entities.user(call, name)
    entities.permit(call, ids.root_arn(call.account))
    return None


def _root(call: Call) -> User:
    """Return the root with the names that refusals need."""
    return User(call.account, "root", call.account, 0.0)


def _keys_of(call: Call, user: User | None) -> list[AccessKey]:
    return call.services.store.look_up(access_keys.list_of_user, call.account, None if user is None else user.id)


def _key_of(call: Call, user: User | None, access_key_id: str) -> AccessKey:
    for key in _keys_of(call, user):
        if key.access_key_id == access_key_id:
            return key
    raise _no_key(access_key_id)


def _no_key(access_key_id: str) -> QueryFault:
    return QueryFault("NoSuchEntity", f"The Access Key with id {access_key_id} cannot be found.")


def _describe(key: AccessKey) -> Output:
    return {
        "UserName": key.user, "AccessKeyId": key.access_key_id, "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created,
    }  # fmt: skip
