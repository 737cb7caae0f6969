"""The kinds of keys: for each key spec its usages, and for each usage the algorithms that such a key supports.

Source: AWS KMS developer guide, "Key spec reference", and the service model's enumerations. The lists are in the
order in which AWS answers them. SM2 is in the model, and AWS refuses it outside its China Regions; so does Fuin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
SIGN_VERIFY = "SIGN_VERIFY"
GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"
KEY_AGREEMENT = "KEY_AGREEMENT"
ENCAPSULATE_DECAPSULATE = "ENCAPSULATE_DECAPSULATE"

SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"
SM2 = "SM2"

_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGNING = (
    "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
)  # fmt: skip
_ECDH = ("ECDH",)


@dataclass(frozen=True, slots=True)
class Spec:
    """A key spec: the algorithms of each usage that it has; `bits` is the modulus length of an RSA key."""

    name: str
    usages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bits: int = 0
    symmetric: bool = False  # no public key
    pair: bool = True  # can be the spec of a data key pair

    @property
    def asymmetric(self) -> bool:
        """Return whether the key has a public key."""
        return not self.symmetric


def _rsa(bits: int) -> Spec:
    return Spec(f"RSA_{bits}", {ENCRYPT_DECRYPT: _OAEP, SIGN_VERIFY: _RSA_SIGNING}, bits)


def _nist(curve: str, digest: int) -> Spec:
    return Spec(f"ECC_NIST_{curve}", {SIGN_VERIFY: (f"ECDSA_SHA_{digest}",), KEY_AGREEMENT: _ECDH})


def _hmac(bits: int) -> Spec:
    return Spec(f"HMAC_{bits}", {GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)}, symmetric=True, pair=False)


_ROWS = (
    Spec(SYMMETRIC_DEFAULT, {ENCRYPT_DECRYPT: (SYMMETRIC_DEFAULT,)}, symmetric=True, pair=False),
    _rsa(2048),
    _rsa(3072),
    _rsa(4096),
    _nist("P256", 256),
    _nist("P384", 384),
    _nist("P521", 512),
    Spec("ECC_SECG_P256K1", {SIGN_VERIFY: ("ECDSA_SHA_256",)}),
    Spec("ECC_NIST_EDWARDS25519", {SIGN_VERIFY: ("ED25519_SHA_512", "ED25519_PH_SHA_512")}),
    _hmac(224),
    _hmac(256),
    _hmac(384),
    _hmac(512),
    Spec("ML_DSA_44", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}, pair=False),
    Spec("ML_DSA_65", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}, pair=False),
    Spec("ML_DSA_87", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}, pair=False),
    Spec("ML_KEM_512", {ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}),
    Spec("ML_KEM_768", {ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}),
    Spec("ML_KEM_1024", {ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}),
)
SPECS: dict[str, Spec] = {row.name: row for row in _ROWS}


def algorithms(spec: str, usage: str) -> tuple[str, ...]:
    """Return the algorithms of a key, by its spec and usage."""
    return SPECS[spec].usages[usage]
