"""Import of key material: wrapping keys, which are sealed into their import token, and the material wrapped with them.

Nothing of an import is stored. GetParametersForImport makes an RSA key; its private half leaves only inside the token,
sealed under the root key and bound to the scope (opaque here: the KMS key and the wrapping algorithm) and the expiry.
ImportKeyMaterial brings the token back. Page: docs/formats/import-token.md.

Whatever is wrong with the encrypted material (padding, length, content), the answer is one and the same, so nobody
learns a plaintext by asking often (Bleichenbacher 1998, Manger 2001). RSAES_PKCS1_V1_5 is not here: AWS took it away on
2023-10-10.

`new_wrapping_key` and `unwrap` take long and may run in the key maker thread; everything that seals or opens belongs to
the loop.
"""

import hmac
import os
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

from fuin.errors import FormatError, ImportTokenExpired, TamperedError
from fuin.formats import wrapped
from fuin.formats.wrapped import Kind
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds import rsa
from fuin.keyholder.backends.software.kinds.mac import Mac
from fuin.keyholder.backends.software.kinds.specs import kind_of
from fuin.keyholder.backends.software.kinds.symmetric import Symmetric
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import move_to_buffer, wipe
from fuin.keyholder.sealed.root_key import RootKey

TOKEN_LIMIT = 6144  # bytes; AWS: ImportToken
SCOPE_LIMIT = 4096  # bytes

# Name of the algorithm -> the hash of OAEP and its MGF1, and whether an AES key stands between.
_ALGORITHMS: dict[str, tuple[SHA1 | SHA256, bool]] = {
    "RSAES_OAEP_SHA_1": (SHA1(), False),  # noqa: S303 - AWS has it; OAEP does not need collision resistance
    "RSAES_OAEP_SHA_256": (SHA256(), False),
    "RSA_AES_KEY_WRAP_SHA_1": (SHA1(), True),  # noqa: S303
    "RSA_AES_KEY_WRAP_SHA_256": (SHA256(), True),
}
_WRONG = "the encrypted key material is not that of the key spec"
_PREFIX = bytes((wrapped.VERSION, Kind.IMPORT_TOKEN))
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class ImportedMaterial:
    """Material that was unwrapped and checked: `key` as its kind is sealed, and what is always the same for it.

    The identity is the key itself where it is symmetric. Of a key pair it is the public key (SPKI DER), since a private
    one has several forms: the primes of RSA may come in either order.
    """

    key: bytearray
    identity: bytearray

    def wipe(self) -> None:
        """Overwrite both."""
        wipe(self.key)
        wipe(self.identity)

    def __repr__(self) -> str:
        return "Imported(...)"

    def __del__(self) -> None:
        self.wipe()  # also if the peer has gone meanwhile


class Importer:
    """What the root key is needed for."""

    def __init__(self, root: RootKey) -> None:
        self._root = root

    def token(self, scope: bytes, expires: int, private: bytearray) -> bytes:
        """Return the import token of a wrapping key's private half, which is wiped; `expires`: seconds since 1970."""
        header = _U64.pack(expires)
        try:
            return header + sealing.seal(
                self._root.key, sealing.LABEL_IMPORT_TOKEN, _PREFIX, _token_binding(header, scope), private
            )  # fmt: skip
        finally:
            wipe(private)

    def wrapping_key(self, scope: bytes, token: bytes, now: float) -> RSAPrivateKey:
        """Return the wrapping key of a token.

        Raises TamperedError when the token is not one, or of another scope; ImportTokenExpired when its time is over.
        """
        if len(token) > TOKEN_LIMIT:
            raise TamperedError("the import token does not open")
        header = token[: _U64.size]
        private = sealing.open_into(
            self._root.key, sealing.LABEL_IMPORT_TOKEN, _PREFIX, _token_binding(header, scope), token[_U64.size :]
        )  # fmt: skip
        try:
            if now >= _U64.unpack(header)[0]:
                raise ImportTokenExpired("the import token has expired")
            key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)  # our own, just unsealed
        finally:
            wipe(private)
        if not isinstance(key, RSAPrivateKey):
            raise TamperedError("the import token does not open")
        return key

    def material_id(self, key_id: str, spec: str, imported: ImportedMaterial) -> bytes:
        """Return the id of imported material, 32 bytes: a function of the key id and the material.

        The same material brought to the same key again has the same id. Without the root key nobody can compute it,
        so no id tells what the material is, or whether two keys have the same.
        """
        key = bytearray(32)
        sealing.derive_into(self._root.key, sealing.LABEL_IMPORTED_ID, b"", key)
        names = b"".join(bytes((len(part),)) + part for part in (key_id.encode(), spec.encode()))
        digest = hmac.new(key, names + _U32.pack(len(imported.identity)), "sha256")
        wipe(key)
        digest.update(imported.identity)
        return digest.digest()


def check_scope(scope: bytes) -> None:
    """Raise FormatError on a scope that no token has."""
    if not 1 <= len(scope) <= SCOPE_LIMIT:
        raise FormatError("a scope of a wrong length")


def check_wrapping_spec(spec: str) -> None:
    """Raise FormatError unless `spec` names a wrapping key that can be made."""
    if spec not in rsa.BITS:
        raise FormatError("a wrapping key spec that this keyholder does not have")


def new_wrapping_key(spec: str) -> Pair:
    """Return a fresh RSA key: private as PKCS#8, public as SPKI, both DER; slow."""
    check_wrapping_spec(spec)
    return rsa.make_pair(spec)


def check_request(spec: str, algorithm: str) -> None:
    """Raise FormatError unless there are such a key spec and such a wrapping algorithm."""
    kind_of(spec)
    if algorithm not in _ALGORITHMS:
        raise FormatError("a wrapping algorithm that this keyholder does not have")


def unwrap(key: RSAPrivateKey, algorithm: str, encrypted: bytes, spec: str) -> ImportedMaterial:
    """Return the material that was wrapped; slow for RSA, whose primes are checked.

    Raises FormatError, with one text for whatever is wrong with the encrypted material.
    """
    check_request(spec, algorithm)
    hash_, with_aes = _ALGORITHMS[algorithm]
    plaintext = _unwrap_with_aes(key, hash_, encrypted) if with_aes else _decrypt_oaep(key, hash_, encrypted)
    try:
        return _parse_material(spec, plaintext)
    except FormatError:
        raise FormatError(_WRONG) from None
    finally:
        wipe(plaintext)


def _parse_material(spec: str, plaintext: bytearray) -> ImportedMaterial:
    kind = kind_of(spec)
    key = kind.import_material(spec, plaintext)
    if issubclass(kind, Symmetric | Mac):
        return ImportedMaterial(key, bytearray(key))
    opened = kind(spec, "", b"", bytearray(key))
    try:
        return ImportedMaterial(key, bytearray(opened.public_key()))
    finally:
        opened.wipe()


def _token_binding(header: bytes, scope: bytes) -> bytes:
    check_scope(scope)
    return header + scope


def _decrypt_oaep(key: RSAPrivateKey, hash_: SHA1 | SHA256, encrypted: bytes) -> bytearray:
    """Return what OAEP (RFC 8017 section 7.1) hides; OpenSSL takes the same time whatever is wrong with it."""
    try:
        return move_to_buffer(key.decrypt(encrypted, OAEP(MGF1(hash_), hash_, None)))
    except ValueError:
        raise FormatError(_WRONG) from None


def _unwrap_with_aes(key: RSAPrivateKey, hash_: SHA1 | SHA256, encrypted: bytes) -> bytearray:
    """Unwrap (RFC 5649) by an AES-256 key that RSA-OAEP hides. PKCS #11 v3.1, CKM_RSA_AES_KEY_WRAP.

    When that key cannot be had, the second step is done with a random one, and fails there as it does with a wrong one.
    """
    size = key.key_size // 8
    try:
        aes = _decrypt_oaep(key, hash_, encrypted[:size])
    except FormatError:
        aes = bytearray()
    if len(aes) != 32:
        wipe(aes)
        aes = bytearray(os.urandom(32))
    try:
        return move_to_buffer(aes_key_unwrap_with_padding(aes, encrypted[size:]))
    except (InvalidUnwrap, ValueError):
        raise FormatError(_WRONG) from None
    finally:
        wipe(aes)
