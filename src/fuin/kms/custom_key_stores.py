"""Custom key stores: create, connect, disconnect, update, describe, delete. Those of type EXTERNAL_KEY_STORE.

AWS connects in the background, for minutes; here ConnectCustomKeyStore has asked the proxy before it answers, and the
state is CONNECTED or FAILED by then. A CloudHSM cluster is never found: no backend for one is built yet.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from fuin.gate.permit import permit_identity
from fuin.kms import paging, proxy_faults, quotas
from fuin.kms.external import Configuration, configuration, proxy_of
from fuin.kms.faults import (
    CloudHsmClusterNotFoundException,
    CustomKeyStoreHasCMKsException,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNameInUseException,
    CustomKeyStoreNotFoundException,
    LimitExceededException,
    UnsupportedOperationException,
    ValidationException,
    XksProxyUriInUseException,
    XksProxyVpcEndpointServiceNotFoundException,
)
from fuin.kms.key_store_shapes import (
    AWS_CLOUDHSM,
    EXTERNAL_KEY_STORE,
    VPC_ENDPOINT_SERVICE,
    CreateCustomKeyStoreInput,
    CreateCustomKeyStoreOutput,
    CustomKeyStoreInput,
    CustomKeyStoresListEntry,
    DescribeCustomKeyStoresInput,
    DescribeCustomKeyStoresOutput,
    Done,
    UpdateCustomKeyStoreInput,
    XksProxyAuthenticationCredentialType,
    XksProxyConfigurationType,
    check_creation,
    check_update,
)
from fuin.store.errors import AlreadyExists, NotFound, WrongState
from fuin.store.kms import key_stores
from fuin.store.kms.key_stores import CONNECTED, DISCONNECTED, FAILED, HasKeys, KeyStore, TooManyKeyStores
from fuin.xks.failure import Failure
from fuin.xks.proxy import RequestMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.gate.call import Call

STORES_AT_MOST = quotas.CUSTOM_KEY_STORES
_PAGE = 100
_encode = msgspec.json.Encoder().encode


async def create_custom_key_store(call: Call, p: CreateCustomKeyStoreInput) -> CreateCustomKeyStoreOutput:
    """Make an external key store, disconnected; its proxy must be well and know the credential."""
    check_creation(p)
    await call.consult(permit_identity, "kms:CreateCustomKeyStore", "*", call.account)
    if p.CustomKeyStoreType in {None, AWS_CLOUDHSM}:
        raise CloudHsmClusterNotFoundException(f"The CloudHSM cluster {p.CloudHsmClusterId} does not exist.")
    _refuse_vpc(p.XksProxyConnectivity)
    access_key_id, sealed = await _sealed(call, p.XksProxyAuthenticationCredential)
    settings = Configuration(
        p.XksProxyUriEndpoint or "", p.XksProxyUriPath or "", access_key_id, p.XksProxyConnectivity or ""
    )
    store = KeyStore(
        f"cks-{os.urandom(9).hex()[:17]}", call.account, call.region, p.CustomKeyStoreName or "", EXTERNAL_KEY_STORE,
        DISCONNECTED, None, round(call.now, 3), _encode(settings).decode(), sealed,
    )  # fmt: skip
    call.facts["customKeyStore"] = store.id
    await call.services.store.read(_check_free, store)  # before the proxy is asked
    await _check_health(call, store)
    await _write(call, store, _insert)
    return CreateCustomKeyStoreOutput(CustomKeyStoreId=store.id)


async def connect_custom_key_store(call: Call, p: CustomKeyStoreInput) -> Done:
    """Connect a key store: its proxy is asked whether it is well, and the state says the outcome."""
    store = await call.consult(_reach, p.CustomKeyStoreId, "kms:ConnectCustomKeyStore")
    if store.state == CONNECTED:
        return Done()
    if store.state != DISCONNECTED:
        raise _wrong_state(store.id, store.state)
    state, code = CONNECTED, None
    try:
        await call.services.proxies.health(proxy_of(store), RequestMetadata(call.operation, call.request_id))
    except Failure as error:
        state, code = FAILED, proxy_faults.connection_error(error)
        call.facts["externalKeyStore"] = error.reason.value
    await _set_state(call, store, (DISCONNECTED,), state, code)
    return Done()


async def disconnect_custom_key_store(call: Call, p: CustomKeyStoreInput) -> Done:
    """Disconnect a key store: when this returns, no worker uses its keys any more."""
    store = await call.consult(_reach, p.CustomKeyStoreId, "kms:DisconnectCustomKeyStore")
    await _set_state(call, store, (CONNECTED, FAILED), DISCONNECTED, None)
    return Done()


async def update_custom_key_store(call: Call, p: UpdateCustomKeyStoreInput) -> Done:
    """Change a key store's name, or how its proxy is reached; a proxy that is reached anew must be well."""
    check_update(p)
    store = await call.consult(_reach, p.CustomKeyStoreId, "kms:UpdateCustomKeyStore")
    _refuse_vpc(p.XksProxyConnectivity, p.XksProxyVpcEndpointServiceName, p.XksProxyVpcEndpointServiceOwner)
    moved = p.XksProxyUriEndpoint is not None or p.XksProxyConnectivity is not None
    allowed = (DISCONNECTED,) if moved else (DISCONNECTED, CONNECTED)
    if store.state not in allowed:
        raise _wrong_state(store.id, store.state)
    changed = await _changed(call, store, p)
    await call.services.store.read(_check_free, changed)
    if (changed.settings, changed.sealed_secret) != (store.settings, store.sealed_secret):
        await _check_health(call, changed)
    await _write(call, changed, lambda conn, new: _change(conn, new, allowed))
    return Done()


async def delete_custom_key_store(call: Call, p: CustomKeyStoreInput) -> Done:
    """Remove a key store that is disconnected and has no keys; nothing changes at the proxy."""
    store = await call.consult(_reach, p.CustomKeyStoreId, "kms:DeleteCustomKeyStore")
    try:
        await call.change(key_stores.delete_key_store, store.id)
    except NotFound:
        raise _not_found(store.id) from None
    except WrongState as error:
        raise _wrong_state(store.id, error.state) from None
    except HasKeys:
        raise CustomKeyStoreHasCMKsException(f"The custom key store {store.id} contains KMS keys.") from None
    return Done()


async def describe_custom_key_stores(call: Call, p: DescribeCustomKeyStoresInput) -> DescribeCustomKeyStoresOutput:
    """Return the account's key stores in this Region, a page at a time, or the one that is named."""
    if p.CustomKeyStoreId is not None and p.CustomKeyStoreName is not None:
        raise ValidationException("You can specify CustomKeyStoreId or CustomKeyStoreName, but not both.")
    if p.CustomKeyStoreId is not None:
        return _one(await call.consult(_reach, p.CustomKeyStoreId, "kms:DescribeCustomKeyStores"))
    await call.consult(permit_identity, "kms:DescribeCustomKeyStores", "*", call.account)
    if p.CustomKeyStoreName is not None:
        found = await call.services.store.read(key_stores.find_by_name, call.account, call.region, p.CustomKeyStoreName)
        if found is None:
            raise _not_found(p.CustomKeyStoreName)
        return _one(found)
    after, limit = paging.start("custom-key-stores", p.Marker), p.Limit or _PAGE
    listed = await call.services.store.read(key_stores.list_key_stores, call.account, call.region, after, limit + 1)
    shown, marker, more = paging.page("custom-key-stores", listed, limit, lambda store: store.id)
    return DescribeCustomKeyStoresOutput(
        CustomKeyStores=[_entry(store) for store in shown], NextMarker=marker, Truncated=more
    )


def find(call: Call, store_id: str) -> KeyStore:
    """Return a key store of the caller's account and Region; raises CustomKeyStoreNotFoundException."""
    store = call.services.store.look_up(key_stores.find_key_store, store_id)
    if store is None or (store.account, store.region) != (call.account, call.region):
        raise _not_found(store_id)
    return store


def refuse_random(call: Call, store_id: str) -> None:
    """Refuse GenerateRandom in a key store: an external one has no such operation. AWS: the same."""
    find(call, store_id)
    raise UnsupportedOperationException(f"{store_id} is an external key store, which does not generate random bytes.")


def _reach(call: Call, store_id: str | None, action: str) -> KeyStore:
    permit_identity(call, action, "*", call.account)
    call.facts["customKeyStore"] = store_id
    return find(call, store_id or "")


def _refuse_vpc(connectivity: str | None, *of_service: str | None) -> None:
    """Refuse the other connectivity: this server stands in no VPC, so there is no endpoint service to be found."""
    if connectivity == VPC_ENDPOINT_SERVICE or any(of_service):
        raise XksProxyVpcEndpointServiceNotFoundException("KMS could not find the specified VPC endpoint service.")


async def _sealed(call: Call, given: XksProxyAuthenticationCredentialType | None) -> tuple[str, bytes]:
    """Return a credential's access key id and its secret, sealed by the keyholder."""
    if given is None or given.AccessKeyId is None or given.RawSecretAccessKey is None:
        raise ValidationException("XksProxyAuthenticationCredential is required.")
    return given.AccessKeyId, await call.services.keyholder.seal_secret(given.AccessKeyId, given.RawSecretAccessKey)


async def _changed(call: Call, store: KeyStore, p: UpdateCustomKeyStoreInput) -> KeyStore:
    """Return the key store as it is to be."""
    settings, sealed = configuration(store), store.sealed_secret
    access_key_id = settings.access_key_id
    if p.XksProxyAuthenticationCredential is not None:
        access_key_id, sealed = await _sealed(call, p.XksProxyAuthenticationCredential)
    new = Configuration(
        p.XksProxyUriEndpoint or settings.endpoint, p.XksProxyUriPath or settings.path, access_key_id,
        p.XksProxyConnectivity or settings.connectivity,
    )  # fmt: skip
    name = p.NewCustomKeyStoreName or store.name
    return replace(store, name=name, settings=_encode(new).decode(), sealed_secret=sealed)


async def _check_health(call: Call, store: KeyStore) -> None:
    try:
        await call.services.proxies.health(proxy_of(store), RequestMetadata(call.operation, call.request_id))
    except Failure as error:
        call.facts["externalKeyStore"] = error.reason.value
        raise proxy_faults.of_key_store(error) from None


def _check_free(conn: Connection, store: KeyStore) -> None:
    """Refuse a name or an address of a proxy that another key store of the account and Region has."""
    wanted = configuration(store)
    for other in key_stores.list_key_stores(conn, store.account, store.region, "", STORES_AT_MOST + 1):
        if other.id == store.id:
            continue
        if other.name == store.name:
            raise _name_in_use(store.name)
        taken = configuration(other)
        if (taken.endpoint.lower(), taken.path) == (wanted.endpoint.lower(), wanted.path):
            raise XksProxyUriInUseException(
                "The XksProxyUriEndpoint and XksProxyUriPath are already associated with another external key store."
            )


def _insert(conn: Connection, store: KeyStore) -> None:
    _check_free(conn, store)  # again, inside the transaction
    key_stores.insert_key_store(conn, store, STORES_AT_MOST)


def _change(conn: Connection, store: KeyStore, allowed: tuple[str, ...]) -> None:
    _check_free(conn, store)
    key_stores.change_key_store(conn, store, allowed)


async def _write(call: Call, store: KeyStore, fn: Callable[[Connection, KeyStore], None]) -> None:
    try:
        await call.change(fn, store)
    except NotFound:
        raise _not_found(store.id) from None
    except WrongState as error:
        raise _wrong_state(store.id, error.state) from None
    except AlreadyExists:
        raise _name_in_use(store.name) from None
    except TooManyKeyStores:
        raise LimitExceededException(
            f"An account has at most {STORES_AT_MOST} custom key stores in a Region."
        ) from None


async def _set_state(call: Call, store: KeyStore, allowed: tuple[str, ...], state: str, code: str | None) -> None:
    try:
        await call.change(key_stores.set_state, store.id, allowed, state, code)
    except NotFound:
        raise _not_found(store.id) from None
    except WrongState as error:
        raise _wrong_state(store.id, error.state) from None


def _name_in_use(name: str) -> CustomKeyStoreNameInUseException:
    return CustomKeyStoreNameInUseException(f"The name {name} is already assigned to another custom key store.")


def _not_found(name: str) -> CustomKeyStoreNotFoundException:
    return CustomKeyStoreNotFoundException(f"Custom key store {name} does not exist.")


def _wrong_state(store_id: str, state: str) -> CustomKeyStoreInvalidStateException:
    return CustomKeyStoreInvalidStateException(
        f"Custom key store {store_id} is in the {state} state, in which this operation is not valid."
    )


def _one(store: KeyStore) -> DescribeCustomKeyStoresOutput:
    return DescribeCustomKeyStoresOutput(CustomKeyStores=[_entry(store)], Truncated=False)


def _entry(store: KeyStore) -> CustomKeyStoresListEntry:
    settings = configuration(store)
    return CustomKeyStoresListEntry(
        CustomKeyStoreId=store.id,
        CustomKeyStoreName=store.name,
        ConnectionState=store.state,
        ConnectionErrorCode=store.error_code,
        CreationDate=store.created,
        CustomKeyStoreType=store.type,
        XksProxyConfiguration=XksProxyConfigurationType(
            Connectivity=settings.connectivity,
            AccessKeyId=settings.access_key_id,
            UriEndpoint=settings.endpoint,
            UriPath=settings.path,
        ),
    )
