"""The tables of key specs (AWS: KeySpec, KeyPairSpec): which kind of material each is."""

from collections.abc import Callable

from fuin.errors import FormatError
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds import edwards, elliptic, mlkem, rsa
from fuin.keyholder.backends.software.kinds.mac import Mac
from fuin.keyholder.backends.software.kinds.material import OpenMaterial
from fuin.keyholder.backends.software.kinds.mldsa import MlDsa
from fuin.keyholder.backends.software.kinds.symmetric import Symmetric

SPECS: dict[str, type[OpenMaterial]] = {
    "SYMMETRIC_DEFAULT": Symmetric,
    "RSA_2048": rsa.Rsa,
    "RSA_3072": rsa.Rsa,
    "RSA_4096": rsa.Rsa,
    "ECC_NIST_P256": elliptic.Elliptic,
    "ECC_NIST_P384": elliptic.Elliptic,
    "ECC_NIST_P521": elliptic.Elliptic,
    "ECC_SECG_P256K1": elliptic.Elliptic,
    "ECC_NIST_EDWARDS25519": edwards.Edwards,
    "HMAC_224": Mac,
    "HMAC_256": Mac,
    "HMAC_384": Mac,
    "HMAC_512": Mac,
    "ML_DSA_44": MlDsa,
    "ML_DSA_65": MlDsa,
    "ML_DSA_87": MlDsa,
    "ML_KEM_512": mlkem.MlKem,
    "ML_KEM_768": mlkem.MlKem,
    "ML_KEM_1024": mlkem.MlKem,
}

PAIRS: dict[str, Callable[[str], Pair]] = {
    "RSA_2048": rsa.make_pair,
    "RSA_3072": rsa.make_pair,
    "RSA_4096": rsa.make_pair,
    "ECC_NIST_P256": elliptic.make_pair,
    "ECC_NIST_P384": elliptic.make_pair,
    "ECC_NIST_P521": elliptic.make_pair,
    "ECC_SECG_P256K1": elliptic.make_pair,
    "ECC_NIST_EDWARDS25519": edwards.make_pair,
    "ML_KEM_512": mlkem.make_pair,
    "ML_KEM_768": mlkem.make_pair,
    "ML_KEM_1024": mlkem.make_pair,
}


def kind_of(spec: str) -> type[OpenMaterial]:
    """Return the class of a key spec's material; raises FormatError for an unknown spec."""
    kind = SPECS.get(spec)
    if kind is None:
        raise FormatError("a key spec that this keyholder does not have")
    return kind


def make_material(spec: str) -> bytearray:
    """Return fresh bytes of key material as they are sealed; raises FormatError for an unknown spec."""
    return kind_of(spec).make(spec)


def make_pair(spec: str) -> Pair:
    """Return a fresh data key pair; raises FormatError for a spec that no data key pair has."""
    make = PAIRS.get(spec)
    if make is None:
        raise FormatError("a key pair spec that this keyholder does not have")
    return make(spec)
