"""The requests of all kinds of keys over the socket: answers, the record that each leaves, and what is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fuin.audit import reader
from fuin.errors import FormatError, FuinError, MaterialDamaged, TamperedError
from fuin.formats import context
from fuin.formats.wrapped import Material
from fuin.keyholder.backends.software.kinds import specs
from fuin.keyholder.backends.software.kinds.encodings import parse_pkcs8, parse_spki, spki
from fuin.keyholder.backends.software.kinds.mlkem512 import MLKEM512PrivateKey, seed_of
from fuin.keyholder.wire.client import SLOW, Keyholder
from tests.keyholder.process import KEY_ID, OTHER_KEY_ID, Holder, draft, play

CONTEXT = context.encode({"purpose": "pairs"})
FAST = sorted(set(specs.SPECS) - SLOW)
SIGNING = [  # spec, algorithm, message type, message
    ("RSA_2048", "RSASSA_PSS_SHA_256", "RAW", b"message"),
    ("ECC_NIST_P256", "ECDSA_SHA_256", "DIGEST", bytes(32)),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256", "RAW", b"message"),
    ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "RAW", b"message"),
    ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "DIGEST", bytes(64)),
    ("ML_DSA_44", "ML_DSA_SHAKE_256", "RAW", b"message"),
    ("ML_DSA_87", "ML_DSA_SHAKE_256", "EXTERNAL_MU", bytes(64)),
]


def recorded(holder: Holder, number: int) -> list[tuple[str, str, str]]:
    """Return use, outcome and key id of the records with the draft of `number`."""
    entries = reader.find(holder.audit, f"r-{number}")
    return [(entry.use, entry.outcome, entry.key_id) for entry in entries]


async def made(client: Keyholder, spec: str, key_id: str = KEY_ID) -> Material:
    """Return fresh material."""
    return await client.create_material(key_id, spec, b"{}")


async def refusal(call: Awaitable[object]) -> type[FuinError]:
    """Return what a call that must fail raises."""
    try:
        await call
    except FuinError as error:
        return type(error)
    raise AssertionError("it was not refused")


@pytest.mark.parametrize("spec", sorted(specs.SPECS))
def test_create_material(holder: Holder, spec: str) -> None:
    """Material of every spec is made, bound to its spec, and recorded; key pairs have a public key, and only they."""

    async def story(client: Keyholder) -> None:
        material = await client.create_material(KEY_ID, spec, draft(1))
        assert material.spec == spec
        if spec.startswith(("SYMMETRIC", "HMAC")):
            with pytest.raises(FormatError):
                await client.public_key(material, draft(2))
        else:
            public = await client.public_key(material, draft(2))
            assert public if spec == "ML_KEM_512" else parse_spki(public, spec)  # which this parser does not know
        for other in ("RSA_2048", "HMAC_224", "ML_KEM_512"):
            if other != spec:
                relabelled = Material(KEY_ID, material.material_id, other, material.wrapped)
                assert await refusal(client.public_key(relabelled, b"{}")) is MaterialDamaged

    before = len(recorded(holder, 1))
    play(holder, story)
    assert recorded(holder, 1)[before:] == [("create-material", "ok", KEY_ID)]
    assert {use for use, _, _ in recorded(holder, 2)} == {"get-public-key"}


def test_specs_that_there_are_not(holder: Holder) -> None:
    """SM2 and nonsense are refused for keys, and for pairs also what AWS has no pairs of."""

    async def story(client: Keyholder) -> None:
        material = await made(client, "SYMMETRIC_DEFAULT")
        for spec in ("SM2", "", "rsa_2048", "RSA_1024"):
            assert await refusal(client.create_material(KEY_ID, spec, draft(10))) is FormatError
        for spec in ("SM2", "", "ML_DSA_44", "HMAC_256", "SYMMETRIC_DEFAULT"):
            assert await refusal(client.data_key_pair(material, CONTEXT, spec, draft(11))) is FormatError

    play(holder, story)
    assert recorded(holder, 10) == [("create-material", "invalid", "")] * 4
    assert recorded(holder, 11) == [("data-key-pair", "invalid", KEY_ID)] * 5


@pytest.mark.parametrize(("spec", "algorithm", "message_type", "message"), SIGNING)
def test_sign_and_verify(holder: Holder, spec: str, algorithm: str, message_type: str, message: bytes) -> None:
    """A signature holds for its message only; every try is recorded with its outcome."""
    number = 100 + SIGNING.index((spec, algorithm, message_type, message))

    async def story(client: Keyholder) -> None:
        key = await made(client, spec)
        signature = await client.sign(key, algorithm, message_type, message, draft(number))
        await client.verify(key, algorithm, message_type, message, signature, draft(number))
        wrong = message[:-1] + b"\x01"
        assert (
            await refusal(client.verify(key, algorithm, message_type, wrong, signature, draft(number))) is TamperedError
        )
        assert await refusal(client.sign(key, "SM2DSA", message_type, message, draft(number))) is FormatError
        assert await refusal(client.verify(key, algorithm, "NONE", message, signature, draft(number))) is FormatError

    play(holder, story)
    assert [entry[:2] for entry in recorded(holder, number)] == [
        ("sign", "ok"), ("verify", "ok"), ("verify", "tampered"), ("sign", "invalid"), ("verify", "invalid"),
    ]  # fmt: skip


def test_macs(holder: Holder) -> None:
    """A MAC holds for its message only; every try is recorded with its outcome."""

    async def story(client: Keyholder) -> None:
        key = await made(client, "HMAC_384")
        mac = await client.generate_mac(key, "HMAC_SHA_384", b"message", draft(20))
        await client.verify_mac(key, "HMAC_SHA_384", b"message", mac, draft(20))
        assert await refusal(client.verify_mac(key, "HMAC_SHA_384", b"other", mac, draft(20))) is TamperedError
        assert await refusal(client.generate_mac(key, "HMAC_SHA_256", b"message", draft(20))) is FormatError

    play(holder, story)
    assert recorded(holder, 20) == [
        ("generate-mac", "ok", KEY_ID), ("verify-mac", "ok", KEY_ID), ("verify-mac", "tampered", KEY_ID),
        ("generate-mac", "invalid", KEY_ID),
    ]  # fmt: skip


def test_shared_secrets(holder: Holder) -> None:
    """Two keys agree on a secret; a public key of another curve is refused; all of it is recorded."""

    async def story(client: Keyholder) -> None:
        one, other = await made(client, "ECC_NIST_P384"), await made(client, "ECC_NIST_P384", OTHER_KEY_ID)
        publics = [await client.public_key(key, b"{}") for key in (one, other)]
        secret = await client.derive_shared_secret(one, publics[1], draft(30))
        assert secret == await client.derive_shared_secret(other, publics[0], draft(30))
        foreign = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
        assert await refusal(client.derive_shared_secret(one, foreign, draft(30))) is FormatError

    play(holder, story)
    assert recorded(holder, 30) == [
        ("derive-shared-secret", "ok", KEY_ID), ("derive-shared-secret", "ok", OTHER_KEY_ID),
        ("derive-shared-secret", "invalid", KEY_ID),
    ]  # fmt: skip


@pytest.mark.parametrize("spec", ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"])
def test_encapsulation(holder: Holder, spec: str) -> None:
    """A ciphertext gives its secret back; a wrong one gives another, and one of a wrong length an error."""
    number = 40 + len(spec) + int(spec[7])

    async def story(client: Keyholder) -> None:
        key = await made(client, spec)
        secret, ciphertext = await client.encapsulate(key, draft(number))
        assert await client.decapsulate(key, ciphertext, draft(number)) == secret
        assert await client.decapsulate(key, ciphertext[::-1], draft(number)) != secret
        assert await refusal(client.decapsulate(key, ciphertext[1:], draft(number))) is TamperedError

    play(holder, story)
    assert [entry[:2] for entry in recorded(holder, number)] == [
        ("encapsulate", "ok"), ("decapsulate", "ok"), ("decapsulate", "ok"), ("decapsulate", "tampered"),
    ]  # fmt: skip


def test_rsa_encryption(holder: Holder) -> None:
    """RSA material encrypts under an algorithm's name, and ciphertexts move between it and symmetric material."""
    algorithm = b"RSAES_OAEP_SHA_256"

    async def story(client: Keyholder) -> None:
        pair, symmetric = await made(client, "RSA_2048"), await made(client, "SYMMETRIC_DEFAULT", OTHER_KEY_ID)
        sealed = await client.encrypt(pair, algorithm, b"text", draft(60))
        assert len(sealed) == 256
        assert await client.decrypt(pair, algorithm, sealed, draft(60)) == b"text"
        assert await refusal(client.decrypt(pair, b"RSAES_OAEP_SHA_1", sealed, draft(60))) is TamperedError
        assert await refusal(client.encrypt(pair, CONTEXT, b"text", draft(60))) is FormatError
        moved = await client.re_encrypt(pair, algorithm, sealed, symmetric, CONTEXT, draft(61), draft(62))
        assert await client.decrypt(symmetric, CONTEXT, moved, b"{}") == b"text"
        back = await client.re_encrypt(symmetric, CONTEXT, moved, pair, b"RSAES_OAEP_SHA_1", draft(61), draft(62))
        assert await client.decrypt(pair, b"RSAES_OAEP_SHA_1", back, b"{}") == b"text"
        assert await refusal(client.data_key(pair, algorithm, 32, draft(63))) is FormatError

    play(holder, story)
    assert [entry[:2] for entry in recorded(holder, 60)] == [
        ("encrypt", "ok"), ("decrypt", "ok"), ("decrypt", "tampered"), ("encrypt", "invalid"),
    ]  # fmt: skip
    assert recorded(holder, 61) == [("re-encrypt-from", "ok", KEY_ID), ("re-encrypt-from", "ok", OTHER_KEY_ID)]
    assert recorded(holder, 62) == [("re-encrypt-to", "ok", OTHER_KEY_ID), ("re-encrypt-to", "ok", KEY_ID)]
    assert recorded(holder, 63) == [("data-key", "invalid", KEY_ID)]


@pytest.mark.parametrize("spec", sorted(specs.PAIRS))
def test_data_key_pairs(holder: Holder, spec: str) -> None:
    """Both halves belong together, the blob opens to the private one, and never comes the same pair twice."""
    number = 200 + sorted(specs.PAIRS).index(spec)

    async def story(client: Keyholder) -> None:
        material = await made(client, "SYMMETRIC_DEFAULT")
        private, public, blob = await client.data_key_pair(material, CONTEXT, spec, draft(number))
        assert await client.decrypt(material, CONTEXT, blob, b"{}") == private
        assert await refusal(client.decrypt(material, context.EMPTY, blob, b"{}")) is TamperedError
        assert public_of(spec, private) == public
        other, other_blob = await client.data_key_pair_without_plaintext(material, CONTEXT, spec, draft(number))
        assert other != public
        assert public_of(spec, await client.decrypt(material, CONTEXT, other_blob, b"{}")) == other

    play(holder, story)
    assert recorded(holder, number) == [
        ("data-key-pair", "ok", KEY_ID), ("data-key-pair-without-plaintext", "ok", KEY_ID),
    ]  # fmt: skip


def public_of(spec: str, private: bytes) -> bytes:
    """Return the public key that belongs to a private key."""
    if spec == "ML_KEM_512":
        return spki(MLKEM512PrivateKey(seed_of(bytearray(private))).public_key())
    key: Any = parse_pkcs8(private, spec)
    return spki(key.public_key())


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256"])
def test_pairs_are_sealed_under_symmetric_material_only(holder: Holder, spec: str) -> None:
    """Other material and material that does not open give no pair, slow or not, and the try is recorded."""
    number = 220 + len(spec)

    async def story(client: Keyholder) -> None:
        mac, symmetric = await made(client, "HMAC_256"), await made(client, "SYMMETRIC_DEFAULT")
        moved = Material(OTHER_KEY_ID, symmetric.material_id, symmetric.spec, symmetric.wrapped)
        assert await refusal(client.data_key_pair(mac, CONTEXT, spec, draft(number))) is FormatError
        assert await refusal(client.data_key_pair(moved, CONTEXT, spec, draft(number))) is MaterialDamaged
        without = client.data_key_pair_without_plaintext(moved, CONTEXT, spec, draft(number))
        assert await refusal(without) is MaterialDamaged

    play(holder, story)
    assert recorded(holder, number) == [
        ("data-key-pair", "invalid", KEY_ID), ("data-key-pair", "damaged", OTHER_KEY_ID),
        ("data-key-pair-without-plaintext", "damaged", OTHER_KEY_ID),
    ]  # fmt: skip


@pytest.mark.parametrize("spec", FAST)
def test_forgotten_keys_work_again(holder: Holder, spec: str) -> None:
    """Material that was forgotten, and so wiped, is unwrapped again and is the same key."""
    uses: dict[str, Callable[[Keyholder, Material], Awaitable[bytes]]] = {
        "ECC": lambda client, key: client.public_key(key, b"{}"),
        "ML_": lambda client, key: client.public_key(key, b"{}"),
        "SYM": lambda client, key: client.decrypt(key, CONTEXT, blobs[0], b"{}"),
        "HMA": lambda client, key: client.generate_mac(key, spec.replace("_", "_SHA_"), b"x", b"{}"),
    }
    blobs: list[bytes] = []

    async def story(client: Keyholder) -> None:
        key = await made(client, spec)
        if spec == "SYMMETRIC_DEFAULT":
            blobs.append(await client.encrypt(key, CONTEXT, b"text", b"{}"))
        use = uses[spec[:3]]
        before = await use(client, key)
        await client.forget(KEY_ID)
        assert await use(client, key) == before

    play(holder, story)


def test_many_kinds_at_once(holder: Holder) -> None:
    """Requests of all kinds in flight together each get their own answer."""

    async def story(client: Keyholder) -> int:
        mac, pair = await made(client, "HMAC_256"), await made(client, "ECC_NIST_P256")
        symmetric = await made(client, "SYMMETRIC_DEFAULT")

        async def one(number: int) -> int:
            message = b"%d" % number
            tag, signature, made_pair = await asyncio.gather(
                client.generate_mac(mac, "HMAC_SHA_256", message, b"{}"),
                client.sign(pair, "ECDSA_SHA_256", "RAW", message, b"{}"),
                client.data_key_pair(symmetric, CONTEXT, "RSA_2048" if number % 20 == 0 else "ECC_NIST_P256", b"{}"),
            )
            await client.verify_mac(mac, "HMAC_SHA_256", message, tag, b"{}")
            await client.verify(pair, "ECDSA_SHA_256", "RAW", message, signature, b"{}")
            return len(made_pair)

        return sum(await asyncio.gather(*(one(number) for number in range(60))))

    assert play(holder, story) == 180
