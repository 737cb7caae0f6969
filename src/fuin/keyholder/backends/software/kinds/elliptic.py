"""ECC_NIST_P256, P384, P521 and ECC_SECG_P256K1: ECDSA (FIPS 186-5), ECDH (SP 800-56A). Sealed as PKCS#8 DER."""

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds.encodings import hash_for_message, parse_pkcs8, parse_spki, pkcs8, spki
from fuin.keyholder.backends.software.kinds.material import OpenMaterial, unknown_algorithm, unsupported_operation
from fuin.keyholder.sealed.memory import wipe


class _Curve(NamedTuple):
    curve: ec.EllipticCurve
    algorithm: str  # AWS: one signing algorithm for each curve
    hash: HashAlgorithm
    agrees: bool  # AWS: key agreement on the NIST curves only


_CURVES = {
    "ECC_NIST_P256": _Curve(ec.SECP256R1(), "ECDSA_SHA_256", SHA256(), agrees=True),
    "ECC_NIST_P384": _Curve(ec.SECP384R1(), "ECDSA_SHA_384", SHA384(), agrees=True),
    "ECC_NIST_P521": _Curve(ec.SECP521R1(), "ECDSA_SHA_512", SHA512(), agrees=True),
    "ECC_SECG_P256K1": _Curve(ec.SECP256K1(), "ECDSA_SHA_256", SHA256(), agrees=False),
}
_ECDH = ec.ECDH()


def make_pair(spec: str) -> Pair:
    """Return a fresh data key pair."""
    private = ec.generate_private_key(_CURVES[spec].curve)
    return Pair(pkcs8(private), spki(private.public_key()))


class Elliptic(OpenMaterial):
    """Open material of a curve; OpenSSL holds the key, our own bytes of it are wiped as soon as it does."""

    __slots__ = ("_curve", "_private", "_public")

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        private = load_der_private_key(key, None)
        wipe(key)
        self._curve = _CURVES[spec]
        self._private = _require_spec(private, spec)
        self._public = self._private.public_key()

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return a fresh private key."""
        return pkcs8(ec.generate_private_key(_CURVES[spec].curve))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return a private key of PKCS#8 DER in our own encoding; raises FormatError for another curve's."""
        return pkcs8(_require_spec(parse_pkcs8(encoded, spec), spec))

    def sign(self, algorithm: str, message_type: str, message: bytes) -> bytes:
        """Return a signature as DER (RFC 3279 section 2.2.3)."""
        return self._private.sign(message, self._ecdsa(algorithm, message_type, message))

    def verify(self, algorithm: str, message_type: str, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the signature holds."""
        try:
            self._public.verify(signature, message, self._ecdsa(algorithm, message_type, message))
        except InvalidSignature:
            raise TamperedError("the signature does not hold") from None

    def derive_shared_secret(self, peer: bytes) -> bytes:
        """Return the x coordinate of the common point; raises FormatError for a peer of another curve."""
        if not self._curve.agrees:
            raise unsupported_operation()
        public = parse_spki(peer, self.spec)
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != self._curve.curve.name:
            raise FormatError("a public key of another kind or curve")
        return self._private.exchange(_ECDH, public)

    def public_key(self) -> bytes:
        """Return the public key as SPKI DER."""
        return spki(self._public)

    def _ecdsa(self, algorithm: str, message_type: str, message: bytes) -> ec.ECDSA:
        if algorithm != self._curve.algorithm:
            raise unknown_algorithm()
        return ec.ECDSA(hash_for_message(message_type, message, self._curve.hash))


def _require_spec(private: object, spec: str) -> ec.EllipticCurvePrivateKey:
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != _CURVES[spec].curve.name:
        raise FormatError("not a private key of the key spec")
    return private
