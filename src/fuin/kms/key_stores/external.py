"""Keys in external key stores: the second of the two encryptions, by the external key manager through its proxy.

AWS KMS developer guide, "Double encryption": KMS encrypts under the key's own material first, then the external key
manager encrypts that ciphertext. Page: docs/formats/ciphertext-blob.md, version 2.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fuin.errors import FormatError
from fuin.formats import blob
from fuin.kms.model.faults import KmsFault
from fuin.store.kms import key_stores
from fuin.xks.failure import Failure, FailureReason
from fuin.xks.proxy import ExternalCiphertext, Proxy, RequestMetadata

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.kms.reach.key import OpenKey
    from fuin.store.kms.key_stores import KeyStore

_LABEL = b"fuin external "


class Configuration(msgspec.Struct, frozen=True):
    """A key store's settings as its row holds them, without the credential's secret."""

    endpoint: str  # https://name
    path: str
    access_key_id: str
    connectivity: str


def parse_configuration(store: KeyStore) -> Configuration:
    """Return the settings of an external key store's proxy."""
    return msgspec.json.decode(store.settings, type=Configuration)


def proxy_of(store: KeyStore) -> Proxy:
    """Return the address of a key store's proxy and the credentials for it."""
    settings = parse_configuration(store)
    return Proxy(
        settings.endpoint.removeprefix("https://"), settings.path, store.region, settings.access_key_id,
        store.sealed_secret,
    )  # fmt: skip


async def wrap(call: Call, opened: OpenKey, inner: bytes) -> bytes:
    """Return the version 2 blob around the version 1 blob that the keyholder has made.

    Any failure of the proxy raises KMSInvalidStateException, as AWS does for cryptographic operations.
    """
    try:
        made = await call.services.proxies.encrypt(
            await _proxy(call, opened),
            opened.key.xks_key_id or "",
            inner,
            _associated_data(opened),
            _request_metadata(call, opened),
        )
    except Failure as error:
        raise proxy_fault(call, error) from None
    return blob.encode_external(
        blob.ExternalBlob(
            opened.key.key_id, opened.material.material_id, made.metadata, made.iv, made.tag, made.ciphertext
        )
    )


async def unwrap(call: Call, opened: OpenKey, ciphertext: bytes) -> bytes:
    """Return the version 1 blob in a version 2 blob; raises InvalidCiphertextException for other bytes."""
    try:
        given = blob.parse_external(ciphertext)
    except FormatError:  # also a version 1 blob: one encryption is not enough for this key
        raise KmsFault("InvalidCiphertextException") from None
    aad, sealed = _associated_data(opened), ExternalCiphertext(given.ciphertext, given.metadata, given.iv, given.tag)
    try:
        return await call.services.proxies.decrypt(
            await _proxy(call, opened), opened.key.xks_key_id or "", sealed, aad, _request_metadata(call, opened)
        )
    except Failure as error:
        pairs = {"context": opened.pairs} if opened.pairs else {}
        call.facts["refusedUse"] = {"use": opened.use, "key": opened.arn, **pairs}  # the keyholder is not asked
        raise proxy_fault(call, error) from None


def proxy_fault(call: Call, error: Failure) -> KmsFault:
    """Return the error of a cryptographic operation after its proxy failed; the record gets the reason."""
    call.facts["externalKeyStore"] = error.reason.value
    return KmsFault("KMSInvalidStateException", error.text)


async def _proxy(call: Call, opened: OpenKey) -> Proxy:
    store = await call.services.store.read(key_stores.find_key_store, opened.key.custom_key_store or "")
    if store is None or store.state != key_stores.CONNECTED:
        raise Failure(FailureReason.DISCONNECTED)
    return proxy_of(store)


def _associated_data(opened: OpenKey) -> bytes:
    """Return the additional authenticated data: the blob's names and a hash of the encryption context."""
    names = blob.name(opened.key.key_id, opened.material.material_id, blob.EXTERNAL)
    return _LABEL + names + hashlib.sha256(opened.parameter).digest()


def _request_metadata(call: Call, opened: OpenKey) -> RequestMetadata:
    """Return who asks for what; ReEncrypt is one operation to the proxy, though it needs two rights."""
    operation = (
        opened.use.removeprefix("kms:").replace("ReEncryptFrom", "ReEncrypt").replace("ReEncryptTo", "ReEncrypt")
    )
    return RequestMetadata(operation, call.request_id, call.principal.arn, opened.arn, call.via)
