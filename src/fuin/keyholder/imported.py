"""Key material that somebody brings: is it what the key spec says, and which one form of it is kept.

AWS KMS developer guide, "Requirements for imported key material": symmetric keys are their bytes, key pairs are the
private key as PKCS #8 (RFC 5208, RFC 5958; RFC 9881 for ML-DSA) in DER, not encrypted. What is kept is what `cryptography`
writes; what names a key (`identity`) does not depend on that form: an RSA key may come with its primes swapped.
"""

from dataclasses import dataclass

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from fuin.errors import FormatError
from fuin.keyholder.memory import wipe

_BYTES = {"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
_RSA_BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
_ED25519 = "ECC_NIST_EDWARDS25519"
_ML_DSA = {
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
}
# AWS: symmetric encryption, HMAC, asymmetric encryption, key agreement and signing keys; no ML-KEM among them.
SPECS = frozenset({*_BYTES, *_RSA_BITS, *_CURVES, _ED25519, *_ML_DSA})

_Pair = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)


class NotTheMaterial(FormatError):
    """The bytes are no key material of the wanted spec; whoever tells callers says no more than that."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Checked material: `key` is the form that is kept; `identity` is the same for the same key, however it came.

    The identity is the key itself where it is symmetric, and the public key (SubjectPublicKeyInfo) of a key pair.
    """

    key: bytearray
    identity: bytearray

    def wipe(self) -> None:
        """Overwrite both."""
        wipe(self.key)
        wipe(self.identity)

    def __repr__(self) -> str:
        return "Imported(...)"


def check(spec: str, plaintext: bytearray) -> Imported:
    """Return the material of `plaintext`; raises NotTheMaterial when it is not of the spec in every detail."""
    if spec in _BYTES:
        if len(plaintext) != _BYTES[spec]:
            raise NotTheMaterial("not as long as the key spec says")
        return Imported(bytearray(plaintext), bytearray(plaintext))
    pair = _loaded(plaintext)
    if not _is_of(pair, spec):
        raise NotTheMaterial("not a private key of the key spec")
    key = bytearray(pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Imported(key, bytearray(public))


def _loaded(plaintext: bytearray) -> _Pair:
    if not _looks_like_pkcs8(plaintext):  # the loader takes PKCS #1 and SEC 1 as well
        raise NotTheMaterial("not PKCS #8")
    try:
        # The loader checks: primes that are prime and just two, all parts of one key, a point on its curve.
        pair = load_der_private_key(plaintext, None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        raise NotTheMaterial("not a private key") from None
    if not isinstance(pair, _Pair):
        raise NotTheMaterial("not a private key of a kind that is imported")
    return pair


def _looks_like_pkcs8(data: bytearray) -> bool:
    """Tell whether a SEQUENCE starts with an INTEGER of one byte and another SEQUENCE, the algorithm."""
    if len(data) < 8 or data[0] != 0x30:
        return False
    at = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[at : at + 2] == b"\x02\x01" and data[at + 3 : at + 4] == b"\x30"


def _is_of(pair: _Pair, spec: str) -> bool:
    if isinstance(pair, rsa.RSAPrivateKey):
        # FIPS 186-5 section A.1.1: 2^16 < e < 2^256, and odd; even ones the loader refuses.
        exponent = pair.public_key().public_numbers().e
        return pair.key_size == _RSA_BITS.get(spec) and 1 << 16 < exponent < 1 << 256
    if isinstance(pair, ec.EllipticCurvePrivateKey):
        curve = _CURVES.get(spec)
        return curve is not None and isinstance(pair.curve, curve)
    if isinstance(pair, ed25519.Ed25519PrivateKey):
        return spec == _ED25519
    wanted = _ML_DSA.get(spec)
    return wanted is not None and isinstance(pair, wanted)
