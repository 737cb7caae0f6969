"""Known answers: the files of the package cryptography-vectors, which come from NIST, RFCs and others."""

import functools
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fuin.keyholder.backends.software.kinds.encodings import pkcs8

FOLDER = Path(cryptography_vectors.__file__).parent


def answers(name: str, first: str, shared: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Yield the cases of a file of `name = value` lines; each begins with `first`, and [sections] stand between them.

    What is `shared` stands before several cases and belongs to all that follow it in its section.
    """
    section: dict[str, str] = {}
    case: dict[str, str] | None = None
    for line in (FOLDER / name).read_text().splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if line.startswith("["):
            if case:
                yield section | case
            section, case = {"section": line.strip("[] ")}, None
        elif equals and not line.startswith("#"):
            if case and (key == first or key in shared):
                yield section | case
                case = None
            if key in shared:
                section[key] = value
            elif key == first:
                case = {key: value}
            elif case is not None:
                case[key] = value
    if case:
        yield section | case


@functools.cache
def rsa_key(modulus: int, exponent: int, private: int) -> bytes:
    """Return an RSA private key of a known answer as PKCS#8 DER."""
    numbers = _numbers(modulus, exponent, private)
    return bytes(pkcs8(numbers.private_key(unsafe_skip_rsa_key_validation=True)))


def _numbers(modulus: int, exponent: int, private: int) -> rsa.RSAPrivateNumbers:
    p, q = rsa.rsa_recover_prime_factors(modulus, exponent, private)
    return rsa.RSAPrivateNumbers(
        p, q, private, rsa.rsa_crt_dmp1(private, p), rsa.rsa_crt_dmq1(private, q), rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(exponent, modulus),
    )  # fmt: skip


def curve_key(curve: ec.EllipticCurve, scalar: int) -> bytes:
    """Return a private key of a curve as PKCS#8 DER."""
    return bytes(pkcs8(ec.derive_private_key(scalar, curve)))
