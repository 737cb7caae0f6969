"""Import of key material: wrapping keys that stand sealed in their import token, and what was wrapped with them.

Nothing of an import is stored. GetParametersForImport makes an RSA key; its private half leaves only inside the token,
sealed under the root key and bound to the scope (opaque here: the KMS key and the wrapping algorithm) and the expiry.
ImportKeyMaterial brings the token back. Page: docs/formats/import-token.md.

Whatever is wrong with the encrypted material (padding, length, content), the answer is one and the same, so nobody can
learn a plaintext by asking often (Bleichenbacher 1998, Manger 2001). RSAES_PKCS1_V1_5 is not here: AWS took it away on
2023-10-10.
"""

import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from fuin.errors import FormatError, ImportTokenExpired, TamperedError
from fuin.formats import wrapped
from fuin.formats.wrapped import Kind, Material
from fuin.keyholder import sealing
from fuin.keyholder.imported import SPECS, Imported, NotTheMaterial, check
from fuin.keyholder.memory import wipe
from fuin.keyholder.rootkey import RootKey

TOKEN_LIMIT = 6144  # bytes; AWS: ImportToken
SCOPE_LIMIT = 4096

_BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
# Name of the algorithm -> the hash of OAEP and its MGF1, and whether an AES key stands between (CKM_RSA_AES_KEY_WRAP).
_ALGORITHMS: dict[str, tuple[SHA1 | SHA256, bool]] = {
    "RSAES_OAEP_SHA_1": (SHA1(), False),  # noqa: S303 - AWS offers it; OAEP needs no collision resistance
    "RSAES_OAEP_SHA_256": (SHA256(), False),
    "RSA_AES_KEY_WRAP_SHA_1": (SHA1(), True),  # noqa: S303
    "RSA_AES_KEY_WRAP_SHA_256": (SHA256(), True),
}
_WRONG = "the encrypted key material is not that of the wanted key spec"
_PREFIX = bytes((wrapped.VERSION, Kind.IMPORT_TOKEN))
_MATERIAL = bytes((wrapped.VERSION, Kind.MATERIAL))
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


def check_wrapping_spec(spec: str) -> None:
    """Raise FormatError unless `spec` names a wrapping key that can be made."""
    if spec not in _BITS:
        raise FormatError("a wrapping key spec that this keyholder does not have")


def new_wrapping_key(spec: str) -> tuple[bytes, bytearray]:
    """Return a fresh RSA key: public as SubjectPublicKeyInfo, private as PKCS #8, both DER. Takes 0.1 to 2 seconds."""
    check_wrapping_spec(spec)
    key = generate_private_key(65537, _BITS[spec])
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public, bytearray(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def seal_token(root: RootKey, scope: bytes, expires: int, private: bytearray) -> bytes:
    """Return the import token of a wrapping key's private half; `expires` is in seconds since 1970."""
    header = _U64.pack(expires)
    return header + sealing.seal(root.key, sealing.LABEL_IMPORT_TOKEN, _PREFIX, _binding(header, scope), private)


def open_token(root: RootKey, scope: bytes, token: bytes, now: float) -> bytearray:
    """Return the private half of a wrapping key, to be wiped.

    Raises TamperedError when the token is not one, or of another scope; ImportTokenExpired when its time is over.
    """
    if len(token) > TOKEN_LIMIT:
        raise TamperedError("the import token does not open")
    header = token[: _U64.size]
    binding = _binding(header, scope)
    private = sealing.open_into(root.key, sealing.LABEL_IMPORT_TOKEN, _PREFIX, binding, token[_U64.size :])
    if now >= _U64.unpack(header)[0]:
        wipe(private)
        raise ImportTokenExpired("the import token has expired")
    return private


def check_request(spec: str, algorithm: str) -> None:
    """Raise FormatError unless material of the spec can be imported with the algorithm."""
    if spec not in SPECS:
        raise FormatError("a key spec whose material cannot be imported")
    if algorithm not in _ALGORITHMS:
        raise FormatError("a wrapping algorithm that this keyholder does not have")


def unwrap(private: bytearray, algorithm: str, encrypted: bytes, spec: str) -> Imported:
    """Return the material that was wrapped, checked; wipes `private`. Up to 0.3 seconds: it looks at RSA's primes.

    Raises FormatError, with one text for whatever is wrong with the encrypted material.
    """
    check_request(spec, algorithm)
    try:
        key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)  # our own, just unsealed
    finally:
        wipe(private)
    if not isinstance(key, RSAPrivateKey):
        raise TamperedError("the import token does not open")
    hash_, with_aes = _ALGORITHMS[algorithm]
    plaintext = _through_aes(key, hash_, encrypted) if with_aes else _decrypted(key, hash_, encrypted)
    try:
        return check(spec, plaintext)
    except NotTheMaterial:
        raise FormatError(_WRONG) from None
    finally:
        wipe(plaintext)


def seal_material(root: RootKey, key_id: str, spec: str, imported: Imported) -> Material:
    """Return the material of a KMS key, wrapped; wipes `imported`.

    The material id is a function of the key id and the material, and needs the root key: bringing the same material
    again gives the same id, and no id tells whether two keys have the same material.
    """
    try:
        material_id = _material_id(root, key_id, spec, imported.identity)
        binding = wrapped.binding(key_id, material_id, spec)
        sealed = sealing.seal(root.key, sealing.LABEL_MATERIAL, _MATERIAL, binding, imported.key)
    finally:
        imported.wipe()
    return Material(key_id, material_id, spec, sealed)


def _material_id(root: RootKey, key_id: str, spec: str, identity: bytearray) -> bytes:
    key = bytearray(32)
    sealing.derive_into(root.key, sealing.LABEL_IMPORTED_ID, b"", key)
    names = b"".join(bytes((len(part),)) + part for part in (key_id.encode(), spec.encode()))
    digest = hmac.new(key, names + _U32.pack(len(identity)), "sha256")
    wipe(key)
    digest.update(identity)
    return digest.digest()


def _binding(header: bytes, scope: bytes) -> bytes:
    if not 1 <= len(scope) <= SCOPE_LIMIT:
        raise FormatError("a scope of a wrong length")
    return header + scope


def _decrypted(key: RSAPrivateKey, hash_: SHA1 | SHA256, encrypted: bytes) -> bytearray:
    """Return what OAEP (RFC 8017 section 7.1) hides; OpenSSL takes the same time whatever is wrong in it."""
    try:
        return bytearray(key.decrypt(encrypted, OAEP(MGF1(hash_), hash_, None)))
    except ValueError:
        raise FormatError(_WRONG) from None


def _through_aes(key: RSAPrivateKey, hash_: SHA1 | SHA256, encrypted: bytes) -> bytearray:
    """Unwrap by an AES-256 key that RSA-OAEP hides, RFC 5649. PKCS #11 v3.1, CKM_RSA_AES_KEY_WRAP.

    When the AES key cannot be had, the second step is done with a random one and fails there, as with a wrong one.
    """
    size = key.key_size // 8
    try:
        aes = _decrypted(key, hash_, encrypted[:size])
    except FormatError:
        aes = bytearray()
    if len(aes) != 32:
        aes = bytearray(os.urandom(32))
    try:
        return bytearray(aes_key_unwrap_with_padding(bytes(aes), encrypted[size:]))
    except (InvalidUnwrap, ValueError):
        raise FormatError(_WRONG) from None
    finally:
        wipe(aes)
