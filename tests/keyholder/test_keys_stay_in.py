"""What of a private key leaves the keyholder (nothing), and what of it stays in its memory once it is forgotten."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from fuin.errors import FuinError
from fuin.formats import context
from fuin.formats.wrapped import Material
from fuin.keyholder.backends.software.kinds import specs
from fuin.keyholder.backends.software.kinds.specs import SPECS
from fuin.keyholder.sealed.memory import move_to_buffer, overwrite
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.opened import made, opened
from tests.keyholder.process import DRAFT, KEY_ID, OTHER_KEY_ID, Holder, play
from tests.keyholder.test_process import in_memory, opened_key
from tests.secrecy.needles import Needle, found, needle
from tests.secrecy.recorder import unix_relay
from tests.secrecy.unsealed import secrets_of

ROOT = os.geteuid() == 0
Use = Callable[[Keyholder, Material], Awaitable[object]]
USES: dict[str, Use] = {  # the first part of a spec's name -> something to be done with the private key
    "SYM": lambda client, key: client.data_key(key, context.EMPTY, 32, DRAFT),
    "RSA": lambda client, key: client.sign(key, "RSASSA_PSS_SHA_256", "RAW", b"x", DRAFT),
    "ECC": lambda client, key: client.sign(key, "ECDSA_SHA_256", "RAW", b"x", DRAFT),
    "HMA": lambda client, key: client.generate_mac(key, key.spec.replace("_", "_SHA_"), b"x", DRAFT),
    "ML_": lambda client, key: client.decapsulate(key, bytes(768), DRAFT),
}


def needles_of(spec: str, key: bytes) -> list[Needle]:
    """Return what is searched for of a private key."""
    return [needle(f"{name} of {spec}", value) for name, value in secrets_of(spec, key).items()]


async def ask_everything(client: Keyholder, materials: list[Material]) -> int:
    """Send every request that takes material, with every material, sensible or not; returns how many were answered."""
    answered = 0
    for key in materials:
        for call in (
            client.public_key(key, DRAFT), client.encapsulate(key, DRAFT), client.decapsulate(key, bytes(768), DRAFT),
            client.sign(key, "RSASSA_PSS_SHA_256", "RAW", b"x", DRAFT),
            client.sign(key, "RSASSA_PKCS1_V1_5_SHA_256", "DIGEST", bytes(32), DRAFT),
            client.sign(key, "ECDSA_SHA_256", "RAW", b"x", DRAFT),
            client.sign(key, "ECDSA_SHA_384", "RAW", b"x", DRAFT),
            client.sign(key, "ECDSA_SHA_512", "RAW", b"x", DRAFT),
            client.sign(key, "ED25519_SHA_512", "RAW", b"x", DRAFT),
            client.sign(key, "ED25519_PH_SHA_512", "DIGEST", bytes(64), DRAFT),
            client.sign(key, "ML_DSA_SHAKE_256", "EXTERNAL_MU", bytes(64), DRAFT),
            client.verify(key, "ECDSA_SHA_256", "RAW", b"x", b"", DRAFT),
            client.generate_mac(key, key.spec.replace("_", "_SHA_"), b"x", DRAFT),
            client.verify_mac(key, key.spec.replace("_", "_SHA_"), b"x", b"", DRAFT),
            client.encrypt(key, b"RSAES_OAEP_SHA_256", b"x", DRAFT),
            client.decrypt(key, b"RSAES_OAEP_SHA_256", bytes(256), DRAFT),
            client.data_key(key, context.EMPTY, 32, DRAFT),
            client.data_key_pair(key, context.EMPTY, "ECC_NIST_P256", DRAFT),
            client.data_key_pair_without_plaintext(key, context.EMPTY, "RSA_2048", DRAFT),
        ):  # fmt: skip
            outcome = (await asyncio.gather(call, return_exceptions=True))[0]
            assert not isinstance(outcome, BaseException) or isinstance(outcome, FuinError), outcome
            answered += not isinstance(outcome, BaseException)
    return answered


def test_no_answer_holds_a_key(own: Holder) -> None:
    """All that goes over the socket, for every request with every kind of key, holds nothing of any private key."""
    own.start()
    relay = unix_relay(own.path)

    async def story(client: Keyholder) -> tuple[list[Material], int, bytes, bytes]:
        materials = [await client.create_material(KEY_ID, spec, DRAFT) for spec in SPECS]
        answered = await ask_everything(client, materials)
        private, _, _ = await client.data_key_pair(materials[0], context.EMPTY, "ECC_NIST_P256", DRAFT)
        _, blob = await client.data_key_pair_without_plaintext(materials[0], context.EMPTY, "ECC_NIST_P256", DRAFT)
        return materials, answered, private, blob

    try:
        materials, answered, private, blob = play(own, story)
    finally:
        relay.close()
    wanted = [one for key in materials for one in needles_of(key.spec, opened_key(own, key))]
    said = [bytes(one.sent + one.received) for one in relay.conversations]
    assert len(said) == 2, "the requests for slow keys went over another connection"
    assert answered > 40
    assert [found(data, wanted) for data in said] == [[], []]
    control = needle("the data key pair that was asked for", private)
    assert [bool(found(data, [control])) for data in said].count(True) == 1, "the recording is empty"
    assert any(blob in data for data in said)


@pytest.mark.skipif(not ROOT, reason="only root may read its memory")
@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1", "HMAC_512", "ML_KEM_512"])
def test_forgotten_keys_leave_the_memory(own: Holder, spec: str) -> None:
    """A key that was opened and used is nowhere in the process any more when it was forgotten and others came after it.

    The keyholder was started anew after the key was made: making one leaves copies (docs/formats/wrapped-material.md).
    """
    own.start()
    material = play(own, lambda client: client.create_material(KEY_ID, spec, DRAFT))
    wanted = secrets_of(spec, opened_key(own, material))
    own.end()
    own.start()

    async def use(client: Keyholder, key: Material) -> None:
        await USES[spec[:3]](client, key)

    play(own, lambda client: use(client, material))
    held = [name for name, value in wanted.items() if in_memory(own.pid, value)]
    assert held, "the search finds nothing, even in use"

    async def forget(client: Keyholder) -> None:
        await client.forget(KEY_ID)
        for _ in range(3):  # others take over the freed memory
            await use(client, await client.create_material(OTHER_KEY_ID, spec, DRAFT))
            await client.forget(OTHER_KEY_ID)

    play(own, forget)
    assert [name for name, value in wanted.items() if in_memory(own.pid, value)] == []


@pytest.mark.parametrize("spec", sorted(specs.SPECS))
def test_own_bytes_are_wiped(spec: str) -> None:
    """Of a key that OpenSSL holds our own bytes are wiped as soon as it is open; all others when they are evicted."""
    key = bytearray(made(spec))
    one = SPECS[spec](spec, KEY_ID, bytes(32), key)
    needed = spec.startswith(("SYMMETRIC", "HMAC")) or spec == "ECC_NIST_EDWARDS25519"
    assert any(key) == needed
    assert one.key is key
    one.wipe()
    assert not any(key)
    assert repr(one) == f"{type(one).__name__}(...)"


def test_library_bytes_are_overwritten() -> None:
    """What a library hands out as bytes is zeros once it is in a buffer, also what pycryptodome holds of ML_KEM_512."""
    source = os.urandom(40)
    copy = bytes(bytearray(source))
    assert move_to_buffer(source) == copy
    assert source == bytes(40)
    overwrite(b"")
    one = opened("ML_KEM_512")
    library = one._private._key  # type: ignore[attr-defined]
    seed, expanded = library.seed, library.expanded_dk
    assert seed == made("ML_KEM_512")
    one.wipe()
    assert seed == bytes(64)
    assert expanded == bytes(1632)
