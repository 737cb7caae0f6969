"""CreateKey in an external key store: the external key must be there, fit, and be nobody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fuin.kms.key_stores import custom_key_stores, proxy_faults
from fuin.kms.key_stores.external import proxy_of
from fuin.kms.key_stores.key_store_rules import EXTERNAL_KEY_STORE
from fuin.kms.model import quotas
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.specs import SYMMETRIC_DEFAULT
from fuin.store.errors import NotFound, WrongState
from fuin.store.kms import key_stores
from fuin.store.kms.key_stores import CONNECTED, ExternalKeyInUse
from fuin.xks.failure import TEXTS, Failure, FailureReason
from fuin.xks.proxy import RequestMetadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.formats.wrapped import Material
    from fuin.gate.call import Call
    from fuin.store.kms.key_stores import KeyStore
    from fuin.store.kms.keys import Key

_NEEDED = {"ENCRYPT", "DECRYPT"}
_NO_PATH = {".", ".."}  # the model's pattern allows them, but as a part of a path they are no name (RFC 3986, 5.2.4)


async def check_new_key(
    call: Call, store_id: str, external_key: str | None, origin: str, spec: str, *, multi_region: bool
) -> None:
    """Refuse a key that cannot be made in this key store; its proxy is asked about the external key."""
    store = await call.consult(custom_key_stores.find_key_store, store_id)
    if origin != EXTERNAL_KEY_STORE:
        raise KmsFault(
            "UnsupportedOperationException",
            f"{store_id} is an external key store, which has no key of origin {origin}.",
        )
    if spec != SYMMETRIC_DEFAULT or multi_region:
        raise KmsFault(
            "UnsupportedOperationException",
            "A custom key store supports only symmetric encryption KMS keys in a single Region.",
        )
    if external_key is None:
        raise KmsFault("ValidationException", f"XksKeyId is required for keys with an Origin of {EXTERNAL_KEY_STORE}.")
    if store.state != CONNECTED:
        raise KmsFault("CustomKeyStoreInvalidStateException", TEXTS[FailureReason.DISCONNECTED])
    if await call.services.store.read(key_stores.external_key_in_use, store.id, external_key):
        raise _key_in_use_fault(external_key)
    await _check_external_key(call, store, external_key)


async def insert_key(call: Call, key: Key, material: Material, store_id: str, external_key: str) -> Key:
    """Add the key with its own material, the first of its two encryptions; return it as the store holds it."""
    whole = replace(key, custom_key_store=store_id, xks_key_id=external_key, store_state=CONNECTED)
    try:
        await call.add(_insert, whole, material)
    except NotFound:
        raise KmsFault("CustomKeyStoreNotFoundException", f"Custom key store {store_id} does not exist.") from None
    except WrongState:
        raise KmsFault("CustomKeyStoreInvalidStateException", TEXTS[FailureReason.DISCONNECTED]) from None
    except ExternalKeyInUse:
        raise _key_in_use_fault(external_key) from None
    return whole


def _insert(conn: Connection, key: Key, material: Material) -> None:
    key_stores.insert_external_key(conn, key, material)
    quotas.check_keys(conn, key.account, key.region)


async def _check_external_key(call: Call, store: KeyStore, external_key: str) -> None:
    if external_key in _NO_PATH:
        raise KmsFault("XksKeyNotFoundException", TEXTS[FailureReason.KEY_NOT_FOUND])
    asking = RequestMetadata(call.operation, call.request_id, call.principal.arn)
    try:
        found = await call.services.proxies.metadata(proxy_of(store), external_key, asking)
    except Failure as error:
        call.facts["externalKeyStore"] = error.reason.value
        raise proxy_faults.key_fault(error) from None
    if found.key_spec != "AES_256" or found.key_status != "ENABLED" or not _NEEDED.issubset(found.key_usage):
        raise KmsFault(
            "XksKeyInvalidConfigurationException",
            "The external key must be an AES-256 symmetric key that is enabled and performs encryption and decryption.",
        )


def _key_in_use_fault(external_key: str) -> KmsFault:
    return KmsFault(
        "XksKeyAlreadyInUseException",
        f"The external key {external_key} is already associated with another KMS key in this external key store.",
    )
