"""The software backend: key material and secret access keys, sealed under the root key, used in this process only."""

import base64
import os
import struct

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from fuin.errors import FormatError, MaterialDamaged, TamperedError
from fuin.formats import wrapped
from fuin.formats.wrapped import Kind, Material
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software import importing
from fuin.keyholder.backends.software.importing import ImportedMaterial, Importer
from fuin.keyholder.backends.software.kinds.material import OpenMaterial
from fuin.keyholder.backends.software.kinds.specs import kind_of, make_material, make_pair
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import KeyBytes, WipedCache, wipe
from fuin.keyholder.sealed.root_key import RootKey
from fuin.keyholder.sealed.signing_keys import derive_signing_key

CACHE_LIMIT = 1024

_MATERIAL = bytes((wrapped.VERSION, Kind.MATERIAL))
_SECRET = bytes((wrapped.VERSION, Kind.SECRET_ACCESS_KEY))


class SoftwareBackend:
    """Opens and uses sealed material; opened material stays in a bounded cache and is wiped when it leaves."""

    def __init__(self, root: RootKey) -> None:
        self._root = root
        self._importer = Importer(root)
        self._materials: WipedCache[OpenMaterial] = WipedCache(CACHE_LIMIT)
        self._secrets: WipedCache[KeyBytes] = WipedCache(CACHE_LIMIT)

    def check_new_material(self, key_id: str, spec: str) -> None:
        """Raise FormatError unless material of this spec can be made for a key of this id."""
        kind_of(spec)
        wrapped.binding(key_id, bytes(32), spec)

    def make_material(self, spec: str) -> bytearray:
        """Return fresh bytes of key material; slow for RSA, and then made in the key maker thread."""
        return make_material(spec)

    def make_pair(self, spec: str) -> Pair:
        """Return a fresh data key pair; slow for RSA, and then made in the key maker thread."""
        return make_pair(spec)

    def seal_material(self, key_id: str, spec: str, key: bytearray, material_id: bytes | None = None) -> Material:
        """Return key material wrapped, and wipe it; raises FormatError.

        `key` is what the spec's kind made or took in. Without a material id it gets 32 random bytes for one.
        """
        material_id = os.urandom(32) if material_id is None else material_id
        try:
            binding = wrapped.binding(key_id, material_id, spec)
            sealed = sealing.seal(self._root.key, sealing.LABEL_MATERIAL, _MATERIAL, binding, key)
        finally:
            wipe(key)
        return Material(key_id, material_id, spec, sealed)

    def material(self, encoded: bytes) -> OpenMaterial:
        """Return unwrapped material; raises FormatError, or MaterialDamaged when it does not open."""
        found = self._materials.get(encoded)
        if found is not None:
            return found
        material = wrapped.parse_material(encoded)
        key = self.key_bytes(material)
        try:
            opened = kind_of(material.spec)(material.spec, material.key_id, material.material_id, key)
        except Exception:
            wipe(key)
            raise
        self._materials.put(encoded, opened)
        return opened

    def key_bytes(self, material: Material) -> bytearray:
        """Return the bytes that are sealed, for the caller to wipe; raises MaterialDamaged when they do not open."""
        binding = wrapped.binding(material.key_id, material.material_id, material.spec)
        try:
            return sealing.open_into(self._root.key, sealing.LABEL_MATERIAL, _MATERIAL, binding, material.wrapped)
        except TamperedError:
            raise MaterialDamaged("the key material does not open under the root key") from None

    def check_import_parameters(self, scope: bytes, wrapping_spec: str) -> None:
        """Raise FormatError unless a token of this scope, and a wrapping key of this spec, can be made."""
        importing.check_scope(scope)
        importing.check_wrapping_spec(wrapping_spec)

    def make_wrapping_key(self, wrapping_spec: str) -> Pair:
        """Return a fresh RSA key; slow, made in the key maker thread."""
        return importing.new_wrapping_key(wrapping_spec)

    def seal_import_token(self, scope: bytes, expires: int, private: bytearray) -> bytes:
        """Return the import token of a wrapping key's private half, which is wiped; `expires`: seconds since 1970."""
        return self._importer.token(scope, expires, private)

    def open_import_token(self, scope: bytes, token: bytes, now: float) -> RSAPrivateKey:
        """Return the wrapping key of a token; raises TamperedError or ImportTokenExpired."""
        return self._importer.wrapping_key(scope, token, now)

    def check_import(self, spec: str, algorithm: str) -> None:
        """Raise FormatError unless the key spec and the wrapping algorithm exist."""
        importing.check_request(spec, algorithm)

    def unwrap(self, wrapping_key: RSAPrivateKey, algorithm: str, encrypted: bytes, spec: str) -> ImportedMaterial:
        """Return imported material, checked; slow for RSA, done in the key maker thread. Raises FormatError."""
        return importing.unwrap(wrapping_key, algorithm, encrypted, spec)

    def seal_imported(self, key_id: str, spec: str, imported: ImportedMaterial) -> Material:
        """Return imported material wrapped, and wipe it."""
        material_id = self._importer.material_id(key_id, spec, imported)
        material = self.seal_material(key_id, spec, imported.key, material_id)
        imported.wipe()
        return material

    def new_secret(self, access_key_id: str) -> tuple[bytes, bytes]:
        """Return a fresh secret access key of 40 base-64 characters, and its sealed form."""
        secret = base64.b64encode(os.urandom(30))
        return secret, self.seal_secret(access_key_id, secret)

    def seal_secret(self, access_key_id: str, secret: bytes) -> bytes:
        """Return a secret access key's sealed form; raises FormatError on a length that no such key has."""
        if not 8 <= len(secret) <= 128:
            raise FormatError("a secret access key has 8 to 128 characters")
        return sealing.seal(self._root.key, sealing.LABEL_SECRET, _SECRET, _secret_binding(access_key_id), secret)

    def signing_key(self, sealed: bytes, access_key_id: str, scope: tuple[str, str, str]) -> bytes:
        """Return the Signature V4 signing key of (date, region, service); raises MaterialDamaged or FormatError."""
        return derive_signing_key(self._secret(sealed, access_key_id).key, scope)

    def forget(self, key_id: str) -> None:
        """Wipe the cached material of a key."""
        self._materials.forget(key_id)

    def wipe_unused(self) -> None:
        """Wipe what is open and was not used for long."""
        self._materials.wipe_unused()
        self._secrets.wipe_unused()

    def wipe(self) -> None:
        """Wipe everything that is open, the root key too."""
        self._materials.clear()
        self._secrets.clear()
        self._root.wipe()
        sealing.wipe_scratch()

    def _secret(self, sealed: bytes, access_key_id: str) -> KeyBytes:
        """Return AWS4 and the secret, the key of the first HMAC."""
        binding = _secret_binding(access_key_id)
        found = self._secrets.get(binding + sealed)
        if found is not None:
            return found
        try:
            secret = sealing.open_into(self._root.key, sealing.LABEL_SECRET, _SECRET, binding, sealed)
        except TamperedError:
            raise MaterialDamaged("the secret access key does not open under the root key") from None
        opened = KeyBytes(access_key_id, bytearray(b"AWS4") + secret)
        wipe(secret)
        self._secrets.put(binding + sealed, opened)
        return opened


def _secret_binding(access_key_id: str) -> bytes:
    raw = access_key_id.encode()
    if not 1 <= len(raw) <= 128:
        raise FormatError("an access key id has 1 to 128 characters")
    return struct.pack(">B", len(raw)) + raw
