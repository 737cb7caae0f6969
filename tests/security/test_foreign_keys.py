"""Keys that somebody else made cost the keyholder no time: one thread of it works for everybody."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers

from fuin.errors import FormatError
from fuin.formats import context
from fuin.formats.wrapped import Material
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds import rsa_numbers
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.latency import usual_time
from tests.keyholder.process import DRAFT, KEY_ID, OTHER_KEY_ID, Holder, play
from tests.keyholder.wrapping import material, rsa_key, wrapped
from tests.security.foreign_keys import LONG_PRIME, OTHER_LONG_PRIME, dh_parameters, integer, pkcs8, rsa, spki

SCOPE, WRAP = b"scope", "RSA_AES_KEY_WRAP_SHA_256"
AT_ONCE = 3.0  # seconds; what is refused here took five to twelve, and with longer primes hours


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    """Give a running keyholder."""
    with Holder(tmp_path_factory.mktemp("foreign")) as running:
        yield running


def test_peer_of_another_algorithm(holder: Holder) -> None:
    """A Diffie-Hellman public key, whose group OpenSSL checks while everybody waits, is refused before that."""
    peer = spki(dh_parameters(LONG_PRIME), integer(5))

    async def story(client: Keyholder) -> float:
        key = await client.create_material(KEY_ID, "ECC_NIST_P256", DRAFT)
        started = time.monotonic()
        with pytest.raises(FormatError):
            await client.derive_shared_secret(key, peer, DRAFT)
        return time.monotonic() - started

    assert play(holder, story) < AT_ONCE


@pytest.mark.parametrize(
    ("spec", "private"),
    [
        ("RSA_4096", rsa((1 << 4095) + 1, LONG_PRIME, OTHER_LONG_PRIME)),
        ("RSA_4096", rsa(LONG_PRIME * OTHER_LONG_PRIME, LONG_PRIME, OTHER_LONG_PRIME)),
        ("ECC_NIST_P256", rsa(LONG_PRIME * OTHER_LONG_PRIME, LONG_PRIME, OTHER_LONG_PRIME)),
        ("ECC_NIST_P256", pkcs8(dh_parameters(LONG_PRIME), integer(3**1000))),
        ("ML_KEM_512", pkcs8(dh_parameters(LONG_PRIME), integer(3**1000))),
    ],
    ids=["long primes", "long modulus", "RSA for a curve", "DH for a curve", "DH for ML-KEM"],
)
def test_imported_keys_of_long_numbers(holder: Holder, spec: str, private: bytes) -> None:
    """Private keys with longer numbers than the spec's, or of another algorithm, are refused unchecked."""

    async def story(client: Keyholder) -> float:
        public, token = await client.import_parameters(SCOPE, "RSA_2048", int(time.time()) + 600)
        encrypted = wrapped(public, WRAP, private)
        started = time.monotonic()
        with pytest.raises(FormatError):
            await client.import_material(OTHER_KEY_ID, spec, SCOPE, token, WRAP, encrypted, DRAFT)
        return time.monotonic() - started

    assert play(holder, story) < AT_ONCE


def test_others_go_on_during_imports(holder: Holder) -> None:
    """While one import of RSA_4096 follows the other, whose primes are checked, data keys come as fast as ever."""
    took: list[float] = []
    usual: list[float] = []

    async def story(client: Keyholder) -> list[Material]:
        key = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        usual.append(await usual_time(client, key))
        public, token = await client.import_parameters(SCOPE, "RSA_2048", int(time.time()) + 600)
        encrypted = wrapped(public, WRAP, material("RSA_4096")[0])
        imports = [
            asyncio.create_task(
                client.import_material(OTHER_KEY_ID, "RSA_4096", SCOPE, token, WRAP, encrypted, DRAFT)
            )
            for _ in range(12)
        ]  # fmt: skip
        while not all(task.done() for task in imports):
            started = time.monotonic()
            await client.data_key(key, context.EMPTY, 32, DRAFT)
            took.append(time.monotonic() - started)
            await asyncio.sleep(0.002)
        return [await task for task in imports]

    assert len({made.material_id for made in play(holder, story)}) == 1
    took.sort()
    assert len(took) > 10, "everybody waited for the imports"
    assert took[len(took) * 9 // 10] < 0.05 + 10 * usual[0], "most data keys had to wait"


def _numbers(p: int, q: int, e: int = 65537, **other: int) -> RSAPrivateNumbers:
    """Return numbers that fit together for two primes, but for those that are given."""
    d = other.get("d", rsa_keys.rsa_recover_private_exponent(e, p, q))
    return RSAPrivateNumbers(
        p, q, d, other.get("dmp1", d % (p - 1)), other.get("dmq1", d % (q - 1)), other.get("iqmp", pow(q, -1, p)),
        RSAPublicNumbers(e, other.get("n", p * q)),
    )  # fmt: skip


def test_numbers_of_rsa() -> None:
    """Numbers of a real key fit, also with another private exponent of it; with one of them wrong they do not."""
    real = rsa_key("RSA_2048").private_numbers()
    p, q = real.p, real.q
    rsa_numbers.check(real, 2048)
    rsa_numbers.check(_numbers(p, q, d=pow(65537, -1, (p - 1) * (q - 1))), 2048)
    wrong = {
        "d": real.d + 2, "dmp1": real.dmp1 + 2, "dmq1": real.dmq1 + 2, "iqmp": real.iqmp + 1, "n": p * q + 2,
    }  # fmt: skip
    for name, number in wrong.items():
        with pytest.raises(FormatError):
            rsa_numbers.check(_numbers(p, q, **{name: number}), 2048)
    for bits in (1024, 3072):
        with pytest.raises(FormatError):
            rsa_numbers.check(real, bits)


def test_primes_of_rsa() -> None:
    """Numbers that fit together, but with a factor that is no prime, are refused, on either side."""
    p = rsa_key("RSA_2048").private_numbers().p
    half = rsa_keys.generate_private_key(65537, 1024).private_numbers()
    composite = half.p * half.q
    fitting = pow(65537, -1, (p - 1) * (composite - 1))  # so that nothing but the primes is wrong
    for one, other in ((p, composite), (composite, p)):
        with pytest.raises(FormatError):
            rsa_numbers.check(_numbers(one, other, d=fitting), 2048)


def test_pairs_show_nothing() -> None:
    """A data key pair does not show its private key, wherever it is printed."""
    assert repr(Pair(bytearray(b"private"), b"public")) == "Pair(...)"
