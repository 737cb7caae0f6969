"""RSA_2048, 3072 and 4096: OAEP, PSS and PKCS #1 v1.5 signatures (RFC 8017). Sealed as PKCS#8 DER."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds.encodings import hash_for_message, parse_pkcs8, pkcs8, spki
from fuin.keyholder.backends.software.kinds.material import OpenMaterial, unknown_algorithm
from fuin.keyholder.sealed.memory import wipe

BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
_EXPONENT = 65537


def _oaep(hash_: HashAlgorithm) -> OAEP:
    return OAEP(MGF1(hash_), hash_, None)


def _pss(hash_: HashAlgorithm) -> PSS:
    return PSS(MGF1(hash_), hash_.digest_size)


# AWS: EncryptionAlgorithm; the same hash for label and mask, the label empty.
_ENCRYPTIONS: dict[bytes, OAEP] = {
    b"RSAES_OAEP_SHA_1": _oaep(SHA1()),  # noqa: S303 - AWS has it; OAEP does not need collision resistance
    b"RSAES_OAEP_SHA_256": _oaep(SHA256()),
}
# AWS: SigningAlgorithm; a PSS salt is as long as the digest.
_SIGNATURES: dict[str, tuple[AsymmetricPadding, HashAlgorithm]] = {
    "RSASSA_PSS_SHA_256": (_pss(SHA256()), SHA256()),
    "RSASSA_PSS_SHA_384": (_pss(SHA384()), SHA384()),
    "RSASSA_PSS_SHA_512": (_pss(SHA512()), SHA512()),
    "RSASSA_PKCS1_V1_5_SHA_256": (PKCS1v15(), SHA256()),
    "RSASSA_PKCS1_V1_5_SHA_384": (PKCS1v15(), SHA384()),
    "RSASSA_PKCS1_V1_5_SHA_512": (PKCS1v15(), SHA512()),
}


def generate(spec: str) -> rsa.RSAPrivateKey:
    """Return a fresh private key; takes 0.02 to 5 seconds, in which it lets other threads run."""
    return rsa.generate_private_key(_EXPONENT, BITS[spec])


def make_pair(spec: str) -> Pair:
    """Return a fresh data key pair."""
    private = generate(spec)
    return Pair(pkcs8(private), spki(private.public_key()))


class Rsa(OpenMaterial):
    """Open RSA material; OpenSSL holds the key, our own bytes of it are wiped as soon as it does."""

    __slots__ = ("_private", "_public")

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        # The primes were checked when the key was made or imported, and the seal shows that it is the same key: to
        # check them again would take up to a quarter of a second each time that the key is opened.
        private = load_der_private_key(key, None, unsafe_skip_rsa_key_validation=True)
        wipe(key)
        self._private = _require_spec(private, spec)
        self._public = self._private.public_key()

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return a fresh private key; slow, see `generate`."""
        return pkcs8(generate(spec))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return a private key of PKCS#8 DER in our own encoding; the primes are checked, which takes a while."""
        from fuin.keyholder.backends.software.kinds import rsa_numbers  # noqa: PLC0415 - its library loads slowly

        private = _require_spec(parse_pkcs8(encoded, spec), spec)
        rsa_numbers.check(private.private_numbers(), BITS[spec])
        return pkcs8(private)

    def encrypt(self, parameter: bytes, plaintext: bytes) -> bytes:
        """Return the ciphertext under the algorithm `parameter`; raises FormatError when there is no room for it."""
        if not plaintext:
            raise FormatError("there is nothing to encrypt")
        try:
            return self._public.encrypt(plaintext, _encryption(parameter))
        except ValueError:
            raise FormatError("more than the key and the algorithm can encrypt") from None

    def decrypt(self, parameter: bytes, ciphertext: bytes) -> bytes:
        """Return the plaintext; raises TamperedError, whatever is wrong with the ciphertext."""
        try:
            return self._private.decrypt(ciphertext, _encryption(parameter))
        except ValueError:
            raise TamperedError("the ciphertext does not open") from None

    def sign(self, algorithm: str, message_type: str, message: bytes) -> bytes:
        """Return a signature as long as the modulus."""
        padding, hash_ = _signature(algorithm)
        return self._private.sign(message, padding, hash_for_message(message_type, message, hash_))

    def verify(self, algorithm: str, message_type: str, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the signature holds."""
        padding, hash_ = _signature(algorithm)
        try:
            self._public.verify(signature, message, padding, hash_for_message(message_type, message, hash_))
        except InvalidSignature:
            raise TamperedError("the signature does not hold") from None

    def public_key(self) -> bytes:
        """Return the public key as SPKI DER."""
        return spki(self._public)


def _require_spec(private: object, spec: str) -> rsa.RSAPrivateKey:
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size != BITS[spec]:
        raise FormatError("not a private key of the key spec")
    return private


def _encryption(algorithm: bytes) -> OAEP:
    padding = _ENCRYPTIONS.get(algorithm)
    if padding is None:
        raise unknown_algorithm()
    return padding


def _signature(algorithm: str) -> tuple[AsymmetricPadding, HashAlgorithm]:
    form = _SIGNATURES.get(algorithm)
    if form is None:
        raise unknown_algorithm()
    return form
