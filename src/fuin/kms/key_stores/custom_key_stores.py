"""Custom key stores: create, connect, disconnect, update, describe, delete. Those of type EXTERNAL_KEY_STORE.

AWS connects in the background, for minutes; here ConnectCustomKeyStore has asked the proxy before it answers, and the
state is CONNECTED or FAILED when it is answered. A CloudHSM cluster is never found: no backend for one is built yet.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fuin.access.resources.own import OwnResource
from fuin.gate.permit import permit
from fuin.kms import dependents
from fuin.kms.key_stores import proxy_faults
from fuin.kms.key_stores.external import Configuration, parse_configuration, proxy_of
from fuin.kms.key_stores.key_store_rules import (
    AWS_CLOUDHSM,
    EXTERNAL_KEY_STORE,
    VPC_ENDPOINT_SERVICE,
    check_creation,
    check_update,
)
from fuin.kms.model import quotas
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_key_stores import (
    ConnectCustomKeyStoreInput,
    ConnectCustomKeyStoreOutput,
    CreateCustomKeyStoreInput,
    CreateCustomKeyStoreOutput,
    DeleteCustomKeyStoreInput,
    DeleteCustomKeyStoreOutput,
    DescribeCustomKeyStoresInput,
    DescribeCustomKeyStoresOutput,
    DisconnectCustomKeyStoreInput,
    DisconnectCustomKeyStoreOutput,
    UpdateCustomKeyStoreInput,
    UpdateCustomKeyStoreOutput,
)
from fuin.kms.model.shapes_parts import (
    CustomKeyStoresListEntry,
    XksProxyAuthenticationCredentialType,
    XksProxyConfigurationType,
)
from fuin.kms.reach import paging
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


async def create_custom_key_store(call: Call, input: CreateCustomKeyStoreInput) -> CreateCustomKeyStoreOutput:
    """Make an external key store, disconnected; its proxy must be well and know the credential."""
    check_creation(input)
    await call.consult(permit, "kms:CreateCustomKeyStore", OwnResource("*", call.account))
    if input.CustomKeyStoreType in {None, AWS_CLOUDHSM}:
        raise KmsFault(
            "CloudHsmClusterNotFoundException", f"The CloudHSM cluster {input.CloudHsmClusterId} does not exist."
        )
    _refuse_vpc(input.XksProxyConnectivity)
    access_key_id, sealed = await _seal_credential(call, input.XksProxyAuthenticationCredential)
    settings = Configuration(
        input.XksProxyUriEndpoint or "", input.XksProxyUriPath or "", access_key_id, input.XksProxyConnectivity or ""
    )
    store = KeyStore(
        id=f"cks-{os.urandom(9).hex()[:17]}",
        account=call.account,
        region=call.region,
        name=input.CustomKeyStoreName or "",
        type=EXTERNAL_KEY_STORE,
        state=DISCONNECTED,
        error_code=None,
        created=round(call.now, 3),
        settings=_encode(settings).decode(),
        sealed_secret=sealed,
    )
    call.facts["customKeyStore"] = store.id
    await call.services.store.read(_check_free, store)  # before the proxy is asked
    await _check_health(call, store)
    await _write(call, store, _insert)
    return CreateCustomKeyStoreOutput(CustomKeyStoreId=store.id)


async def connect_custom_key_store(call: Call, input: ConnectCustomKeyStoreInput) -> ConnectCustomKeyStoreOutput:
    """Connect a key store: its proxy is asked whether it is well, and the state says the outcome."""
    store = await call.consult(_authorized_key_store, input.CustomKeyStoreId, "kms:ConnectCustomKeyStore")
    if store.state == CONNECTED:
        return ConnectCustomKeyStoreOutput()
    if store.state != DISCONNECTED:
        raise _state_fault(store.id, store.state)
    state, code = CONNECTED, None
    try:
        await call.services.proxies.health(proxy_of(store), RequestMetadata(call.operation, call.request_id))
    except Failure as error:
        state, code = FAILED, proxy_faults.connection_error(error)
        call.facts["externalKeyStore"] = error.reason.value
    await _set_state(call, store, (DISCONNECTED,), state, code)
    return ConnectCustomKeyStoreOutput()


async def disconnect_custom_key_store(
    call: Call, input: DisconnectCustomKeyStoreInput
) -> DisconnectCustomKeyStoreOutput:
    """Disconnect a key store: when this returns, no worker uses its keys any longer."""
    store = await call.consult(_authorized_key_store, input.CustomKeyStoreId, "kms:DisconnectCustomKeyStore")
    await _set_state(call, store, (CONNECTED, FAILED), DISCONNECTED, None)
    if call.services.settings.disabling_guard != dependents.OFF:
        await dependents.warn(call, store.id, partial(dependents.count_in_key_store, store_id=store.id))
    return DisconnectCustomKeyStoreOutput()


async def update_custom_key_store(call: Call, input: UpdateCustomKeyStoreInput) -> UpdateCustomKeyStoreOutput:
    """Change a key store's name, or how its proxy is reached; a proxy that is reached anew must be well."""
    check_update(input)
    store = await call.consult(_authorized_key_store, input.CustomKeyStoreId, "kms:UpdateCustomKeyStore")
    _refuse_vpc(input.XksProxyConnectivity, input.XksProxyVpcEndpointServiceName, input.XksProxyVpcEndpointServiceOwner)
    moved = input.XksProxyUriEndpoint is not None or input.XksProxyConnectivity is not None
    allowed = (DISCONNECTED,) if moved else (DISCONNECTED, CONNECTED)
    if store.state not in allowed:
        raise _state_fault(store.id, store.state)
    changed = await _store_after_update(call, store, input)
    await call.services.store.read(_check_free, changed)
    if (changed.settings, changed.sealed_secret) != (store.settings, store.sealed_secret):
        await _check_health(call, changed)
    await _write(call, changed, lambda conn, new: _change(conn, new, allowed))
    return UpdateCustomKeyStoreOutput()


async def delete_custom_key_store(call: Call, input: DeleteCustomKeyStoreInput) -> DeleteCustomKeyStoreOutput:
    """Remove a key store that is disconnected and has no keys; nothing changes at the proxy."""
    store = await call.consult(_authorized_key_store, input.CustomKeyStoreId, "kms:DeleteCustomKeyStore")
    try:
        await call.change(key_stores.delete_key_store, store.id)
    except NotFound:
        raise _missing_store_fault(store.id) from None
    except WrongState as error:
        raise _state_fault(store.id, error.state) from None
    except HasKeys:
        raise KmsFault(
            "CustomKeyStoreHasCMKsException", f"The custom key store {store.id} contains KMS keys."
        ) from None
    return DeleteCustomKeyStoreOutput()


async def describe_custom_key_stores(call: Call, input: DescribeCustomKeyStoresInput) -> DescribeCustomKeyStoresOutput:
    """Return the account's key stores in this Region, a page at a time, or the one that is named."""
    if input.CustomKeyStoreId is not None and input.CustomKeyStoreName is not None:
        raise KmsFault("ValidationException", "You can specify CustomKeyStoreId or CustomKeyStoreName, but not both.")
    if input.CustomKeyStoreId is not None:
        return _single_store(
            await call.consult(_authorized_key_store, input.CustomKeyStoreId, "kms:DescribeCustomKeyStores")
        )
    await call.consult(permit, "kms:DescribeCustomKeyStores", OwnResource("*", call.account))
    if input.CustomKeyStoreName is not None:
        found = await call.services.store.read(
            key_stores.find_by_name, call.account, call.region, input.CustomKeyStoreName
        )
        if found is None:
            raise _missing_store_fault(input.CustomKeyStoreName)
        return _single_store(found)
    after, limit = paging.parse_marker("custom-key-stores", input.Marker), input.Limit or _PAGE
    listed = await call.services.store.read(key_stores.list_key_stores, call.account, call.region, after, limit + 1)
    shown, marker, more = paging.cut_page("custom-key-stores", listed, limit, lambda store: store.id)
    return DescribeCustomKeyStoresOutput(
        CustomKeyStores=[_list_entry(store) for store in shown], NextMarker=marker, Truncated=more
    )


def find_key_store(call: Call, store_id: str) -> KeyStore:
    """Return a key store of the caller's account and Region; raises CustomKeyStoreNotFoundException."""
    store = call.services.store.look_up(key_stores.find_key_store, store_id)
    if store is None or (store.account, store.region) != (call.account, call.region):
        raise _missing_store_fault(store_id)
    return store


def refuse_random(call: Call, store_id: str) -> None:
    """Refuse GenerateRandom in a key store: an external one has no such operation. AWS: the same."""
    find_key_store(call, store_id)
    raise KmsFault(
        "UnsupportedOperationException", f"{store_id} is an external key store, which does not generate random bytes."
    )


def _authorized_key_store(call: Call, store_id: str | None, action: str) -> KeyStore:
    call.permit(action, OwnResource("*", call.account))
    call.facts["customKeyStore"] = store_id
    return find_key_store(call, store_id or "")


def _refuse_vpc(connectivity: str | None, *of_service: str | None) -> None:
    """Refuse the other connectivity: this server is in no VPC, so it can find no endpoint service."""
    if connectivity == VPC_ENDPOINT_SERVICE or any(of_service):
        raise KmsFault(
            "XksProxyVpcEndpointServiceNotFoundException", "KMS could not find the specified VPC endpoint service."
        )


async def _seal_credential(call: Call, given: XksProxyAuthenticationCredentialType | None) -> tuple[str, bytes]:
    """Return a credential's access key id and its secret, sealed by the keyholder."""
    if given is None or given.AccessKeyId is None or given.RawSecretAccessKey is None:
        raise KmsFault("ValidationException", "XksProxyAuthenticationCredential is required.")
    return given.AccessKeyId, await call.services.keyholder.seal_secret(given.AccessKeyId, given.RawSecretAccessKey)


async def _store_after_update(call: Call, store: KeyStore, input: UpdateCustomKeyStoreInput) -> KeyStore:
    """Return the key store as it is to be."""
    settings, sealed = parse_configuration(store), store.sealed_secret
    access_key_id = settings.access_key_id
    if input.XksProxyAuthenticationCredential is not None:
        access_key_id, sealed = await _seal_credential(call, input.XksProxyAuthenticationCredential)
    new = Configuration(
        input.XksProxyUriEndpoint or settings.endpoint, input.XksProxyUriPath or settings.path, access_key_id,
        input.XksProxyConnectivity or settings.connectivity,
    )  # fmt: skip
    name = input.NewCustomKeyStoreName or store.name
    return replace(store, name=name, settings=_encode(new).decode(), sealed_secret=sealed)


async def _check_health(call: Call, store: KeyStore) -> None:
    try:
        await call.services.proxies.health(proxy_of(store), RequestMetadata(call.operation, call.request_id))
    except Failure as error:
        call.facts["externalKeyStore"] = error.reason.value
        raise proxy_faults.key_store_fault(error) from None


def _check_free(conn: Connection, store: KeyStore) -> None:
    """Refuse a name or an address of a proxy that another key store of the account and Region has."""
    wanted = parse_configuration(store)
    for other in key_stores.list_key_stores(conn, store.account, store.region, "", STORES_AT_MOST + 1):
        if other.id == store.id:
            continue
        if other.name == store.name:
            raise _name_fault(store.name)
        taken = parse_configuration(other)
        if (taken.endpoint.lower(), taken.path) == (wanted.endpoint.lower(), wanted.path):
            raise KmsFault(
                "XksProxyUriInUseException",
                "The XksProxyUriEndpoint and XksProxyUriPath are already associated with another external key store.",
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
        raise _missing_store_fault(store.id) from None
    except WrongState as error:
        raise _state_fault(store.id, error.state) from None
    except AlreadyExists:
        raise _name_fault(store.name) from None
    except TooManyKeyStores:
        raise KmsFault(
            "LimitExceededException", f"An account has at most {STORES_AT_MOST} custom key stores in a Region."
        ) from None


async def _set_state(call: Call, store: KeyStore, allowed: tuple[str, ...], state: str, code: str | None) -> None:
    try:
        await call.change(key_stores.set_state, store.id, allowed, state, code)
    except NotFound:
        raise _missing_store_fault(store.id) from None
    except WrongState as error:
        raise _state_fault(store.id, error.state) from None


def _name_fault(name: str) -> KmsFault:
    return KmsFault(
        "CustomKeyStoreNameInUseException", f"The name {name} is already assigned to another custom key store."
    )


def _missing_store_fault(name: str) -> KmsFault:
    return KmsFault("CustomKeyStoreNotFoundException", f"Custom key store {name} does not exist.")


def _state_fault(store_id: str, state: str) -> KmsFault:
    return KmsFault(
        "CustomKeyStoreInvalidStateException",
        f"Custom key store {store_id} is in the {state} state, in which this operation is not valid.",
    )


def _single_store(store: KeyStore) -> DescribeCustomKeyStoresOutput:
    return DescribeCustomKeyStoresOutput(CustomKeyStores=[_list_entry(store)], Truncated=False)


def _list_entry(store: KeyStore) -> CustomKeyStoresListEntry:
    settings = parse_configuration(store)
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
