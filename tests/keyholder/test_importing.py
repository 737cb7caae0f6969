"""Import of key material: wrapped by the client, unwrapped by a real keyholder, bound to its token and its key."""

import asyncio
import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from fuin.audit import reader
from fuin.errors import FormatError, ImportTokenExpired, TamperedError
from fuin.formats import context
from fuin.formats.wrapped import Material
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.backends.software.importing import TOKEN_LIMIT, Importer
from fuin.keyholder.sealed.root_key import open_root_key
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.process import DRAFT, KEY_ID, OTHER_KEY_ID, Holder, play
from tests.keyholder.wrapping import (
    ALGORITHMS,
    BITS,
    CURVES,
    KEY_WRAPS,
    LENGTHS,
    OTHERS,
    SPECS,
    material,
    pkcs8,
    rsa_key,
    wrapped,
    wrapped_by_openssl,
)
from tests.support.waiting import settle

SCOPE = b"arn:aws:kms:us-east-1:111122223333:key/" + KEY_ID.encode()
OAEP, KEY_WRAP = "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"


@dataclass(frozen=True)
class Door:
    """A keyholder and the parameters of one import, which may be used often before they expire."""

    holder: Holder
    public: bytes
    token: bytes

    def bring(
        self, spec: str, algorithm: str, encrypted: bytes, key_id: str = KEY_ID, scope: bytes = SCOPE,
        token: bytes | None = None,
    ) -> Material:  # fmt: skip
        """Import encrypted key material."""

        async def story(client: Keyholder) -> Material:
            by = self.token if token is None else token
            return await client.import_material(key_id, spec, scope, by, algorithm, encrypted, DRAFT)

        return play(self.holder, story)

    def refusal(self, spec: str, algorithm: str, plaintext: bytes) -> str:
        """Return why a plaintext is not taken."""
        with pytest.raises(FormatError) as caught:
            self.bring(spec, algorithm, wrapped(self.public, algorithm, plaintext))
        return str(caught.value)

    def opened(self, one: Material) -> bytes:
        """Return what stands sealed in imported material."""
        return bytes(SoftwareBackend(open_root_key(self.holder.root_key, None)).key_bytes(one))


def parameters(holder: Holder, spec: str, scope: bytes = SCOPE, ahead: int = 3600) -> tuple[bytes, bytes]:
    """Return a fresh public wrapping key and its token."""
    return play(holder, lambda client: client.import_parameters(scope, spec, int(time.time()) + ahead))


@pytest.fixture(scope="module")
def door(holder: Holder) -> Door:
    """Give the parameters of an import under RSA_3072, which OAEP can hide a P-521 key in."""
    return Door(holder, *parameters(holder, "RSA_3072"))


WRONG = "the encrypted key material is not that of the key spec"


@pytest.mark.parametrize(
    ("algorithm", "spec"),
    [(algorithm, spec) for algorithm in ALGORITHMS for spec in SPECS if spec not in BITS or algorithm in KEY_WRAPS],
)
def test_material_of_every_spec(door: Door, algorithm: str, spec: str) -> None:
    """What was wrapped is what the key then works with. AWS: RSA keys come by RSA_AES only, being too long for OAEP."""
    plaintext, public = material(spec)
    one = door.bring(spec, algorithm, wrapped(door.public, algorithm, plaintext))
    assert (one.key_id, one.spec, len(one.material_id)) == (KEY_ID, spec, 32)
    if public:
        assert play(door.holder, lambda client: client.public_key(one, DRAFT)) == public
    elif spec == "SYMMETRIC_DEFAULT":
        assert door.opened(one) == plaintext
    else:
        bits = spec.removeprefix("HMAC_")
        mac = play(door.holder, lambda client: client.generate_mac(one, f"HMAC_SHA_{bits}", b"message", DRAFT))
        assert mac == hmac.digest(plaintext, b"message", f"sha{bits}")


def test_ml_kem_512(door: Door) -> None:
    """The private key of an ML_KEM_512 data key pair is taken; `cryptography` does not make such keys."""

    async def pair(client: Keyholder) -> list[bytes]:
        symmetric = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        return await client.data_key_pair(symmetric, context.EMPTY, "ML_KEM_512", DRAFT)

    private, public, _ = play(door.holder, pair)
    one = door.bring("ML_KEM_512", OAEP, wrapped(door.public, OAEP, private))
    assert play(door.holder, lambda client: client.public_key(one, DRAFT)) == public
    assert door.refusal("ML_KEM_768", OAEP, private) == WRONG
    assert door.refusal("ML_KEM_512", OAEP, material("ML_KEM_768")[0]) == WRONG


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_4096"])
def test_other_wrapping_keys(holder: Holder, spec: str) -> None:
    """The public key has the size that was asked for, and its token stays within AWS's limit."""
    public, token = parameters(holder, spec)
    key = load_der_public_key(public)
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == BITS[spec]
    assert len(token) <= TOKEN_LIMIT
    plaintext, _ = material("SYMMETRIC_DEFAULT")
    other = Door(holder, public, token)
    assert other.opened(other.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(public, OAEP, plaintext))) == plaintext


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("spec", ["SYMMETRIC_DEFAULT", "ECC_SECG_P256K1"])
def test_wrapped_by_openssl(door: Door, tmp_path: Path, algorithm: str, spec: str) -> None:
    """What the openssl command wraps, as AWS's guide shows it, is taken."""
    plaintext, _ = material(spec)
    one = door.bring(spec, algorithm, wrapped_by_openssl(tmp_path, door.public, algorithm, plaintext))
    assert one.material_id == door.bring(spec, OAEP, wrapped(door.public, OAEP, plaintext)).material_id


def test_same_material_has_the_same_id(door: Door) -> None:
    """The same material in the same key has one id, whatever wrapped it; another key or other material has another."""
    plaintext, _ = material("SYMMETRIC_DEFAULT")
    other = Door(door.holder, *parameters(door.holder, "RSA_2048"))
    ids = [
        door.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(door.public, OAEP, plaintext)).material_id,
        other.bring("SYMMETRIC_DEFAULT", KEY_WRAP, wrapped(other.public, KEY_WRAP, plaintext)).material_id,
        door.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(door.public, OAEP, plaintext), OTHER_KEY_ID).material_id,
        door.bring("HMAC_256", OAEP, wrapped(door.public, OAEP, plaintext)).material_id,
        door.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(door.public, OAEP, os.urandom(32))).material_id,
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert hashlib.sha256(plaintext).digest() not in ids


def test_one_rsa_key_has_one_id(door: Door) -> None:
    """An RSA key whose primes come in the other order is the same key."""
    key = rsa_key("RSA_2048")
    n = key.private_numbers()
    turned = rsa.RSAPrivateNumbers(n.q, n.p, n.d, n.dmq1, n.dmp1, rsa.rsa_crt_iqmp(n.q, n.p), n.public_numbers)
    forms = (pkcs8(key), pkcs8(turned.private_key()))
    assert forms[0] != forms[1]
    ids = {door.bring("RSA_2048", KEY_WRAP, wrapped(door.public, KEY_WRAP, form)).material_id for form in forms}
    assert len(ids) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_lengths(door: Door, algorithm: str) -> None:
    """Symmetric material of any other length than the spec's is refused."""
    for spec, length in LENGTHS.items():
        for wrong in (1, 16, length - 1, length + 1, 2 * length):
            assert door.refusal(spec, algorithm, os.urandom(wrong)) == WRONG


def test_wrong_kinds(door: Door) -> None:
    """A key of another size, curve or kind than the spec's is refused."""
    for spec, others in (
        ("RSA_2048", ("RSA_3072", "ECC_NIST_P256")),
        ("ECC_NIST_P256", ("ECC_NIST_P384", "ECC_SECG_P256K1", "RSA_2048", "ECC_NIST_EDWARDS25519")),
        ("ECC_SECG_P256K1", ("ECC_NIST_P256",)),
        ("ECC_NIST_EDWARDS25519", ("ML_DSA_44", "ECC_NIST_P256", "SYMMETRIC_DEFAULT")),
        ("ML_DSA_65", ("ML_DSA_44", "ML_DSA_87", "ML_KEM_768")),
        ("ML_KEM_768", ("ML_KEM_1024", "ML_DSA_65")),
        ("SYMMETRIC_DEFAULT", ("ECC_NIST_P256", "HMAC_512")),
    ):
        for other in others:
            assert door.refusal(spec, KEY_WRAP, material(other)[0]) == WRONG


def test_other_forms_of_private_keys(door: Door) -> None:
    """AWS takes PKCS#8 in DER without encryption; PKCS#1, SEC 1, PEM, a password and bytes behind it are refused."""
    key, curve = rsa_key("RSA_2048"), ec.generate_private_key(CURVES["ECC_NIST_P256"])
    old, plain = PrivateFormat.TraditionalOpenSSL, NoEncryption()
    locked = BestAvailableEncryption(b"password")
    for spec, form in (
        ("RSA_2048", key.private_bytes(Encoding.DER, old, plain)),
        ("ECC_NIST_P256", curve.private_bytes(Encoding.DER, old, plain)),
        ("ECC_NIST_P256", curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain)),
        ("ECC_NIST_P256", curve.private_bytes(Encoding.DER, PrivateFormat.PKCS8, locked)),
        ("ECC_NIST_P256", pkcs8(curve) + b"\0"),
        ("RSA_2048", pkcs8(key)[:-1]),
    ):
        assert door.refusal(spec, KEY_WRAP, form) == WRONG


def test_broken_private_keys(door: Door) -> None:
    """A number of RSA that is not the key's, and a public point that is not the private key's, are seen."""
    broken = bytearray(pkcs8(rsa_key("RSA_2048")))
    broken[700] ^= 1
    assert door.refusal("RSA_2048", KEY_WRAP, bytes(broken)) == WRONG
    encoded, public = material("ECC_NIST_P256")
    stranger = ec.generate_private_key(CURVES["ECC_NIST_P256"])
    point = pkcs8(stranger)[-65:]
    assert encoded.endswith(public[-65:])
    assert door.refusal("ECC_NIST_P256", KEY_WRAP, encoded[:-65] + point) == WRONG


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_garbage_has_one_answer(door: Door, algorithm: str) -> None:
    """Padding, length or content: whatever is wrong, nobody learns which."""
    good = wrapped(door.public, algorithm, os.urandom(32))
    texts = set()
    for encrypted in (
        b"", b"\0", good[:-1], good + b"\0", good[1:], bytes(len(good)), b"\xff" * len(good), os.urandom(len(good)),
        bytes((good[0] ^ 1,)) + good[1:], good[:-1] + bytes((good[-1] ^ 1,)), wrapped(door.public, algorithm, b"short"),
    ):  # fmt: skip
        with pytest.raises(FormatError) as caught:
            door.bring("SYMMETRIC_DEFAULT", algorithm, encrypted)
        texts.add(str(caught.value))
    assert texts == {WRONG}


@pytest.mark.parametrize("length", [16, 24])
def test_aes_keys_of_other_lengths(door: Door, length: int) -> None:
    """AWS: the AES key between is one of 256 bits."""
    encrypted = wrapped(door.public, KEY_WRAP, os.urandom(32), aes=os.urandom(length))
    with pytest.raises(FormatError, match=WRONG):
        door.bring("SYMMETRIC_DEFAULT", KEY_WRAP, encrypted)


def test_algorithms_and_specs_that_there_are_not(door: Door) -> None:
    """AWS took RSAES_PKCS1_V1_5 away in 2023; SM2 is China's; nothing else is known."""
    key = load_der_public_key(door.public)
    assert isinstance(key, rsa.RSAPublicKey)
    encrypted = key.encrypt(os.urandom(32), PKCS1v15())
    for algorithm in ("RSAES_PKCS1_V1_5", "SM2PKE", "", "rsaes_oaep_sha_256"):
        with pytest.raises(FormatError, match="wrapping algorithm"):
            door.bring("SYMMETRIC_DEFAULT", algorithm, encrypted)
    with pytest.raises(FormatError, match="key spec"):
        door.bring("SM2", OAEP, encrypted)
    with pytest.raises(FormatError):
        door.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(door.public, OAEP, os.urandom(32)), "not-a-key-id")
    for spec in ("SM2", "RSA_1024", "", "ECC_NIST_P256"):
        with pytest.raises(FormatError, match="wrapping key spec"):
            parameters(door.holder, spec)
    with pytest.raises(FormatError, match="scope"):
        parameters(door.holder, "RSA_2048", b"")


def test_token_is_bound_to_its_scope(door: Door) -> None:
    """A token that was made for another key or algorithm does not open, nor does a longer or shorter scope."""
    encrypted = wrapped(door.public, OAEP, os.urandom(32))
    for scope in (SCOPE + b"0", SCOPE[:-1], b"x", SCOPE.replace(b"us-east-1", b"us-west-2")):
        with pytest.raises(TamperedError):
            door.bring("SYMMETRIC_DEFAULT", OAEP, encrypted, scope=scope)


def test_token_of_another_wrapping_key(door: Door) -> None:
    """Token and public key are one pair: material for one wrapping key is garbage under another's token."""
    _, token = parameters(door.holder, "RSA_3072")
    with pytest.raises(FormatError, match=WRONG):
        door.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(door.public, OAEP, os.urandom(32)), token=token)


def test_changed_tokens(door: Door) -> None:
    """Wherever a token is changed, its time above all, it does not open; neither does a piece of it."""
    encrypted = wrapped(door.public, OAEP, os.urandom(32))
    token = door.token
    changed = [token[:at] + bytes((token[at] ^ 1,)) + token[at + 1 :] for at in (0, 7, 8, 9, 10, 41, 42, 73, 74, -1)]
    for other in (*changed, b"", token[:8], token[:90], token[:-1], token + b"\0", token[8:], bytes(7000)):
        with pytest.raises(TamperedError):
            door.bring("SYMMETRIC_DEFAULT", OAEP, encrypted, token=other)


def test_expired_token(holder: Holder) -> None:
    """After its time a token is expired, for whoever has the right scope; for others it is no token."""
    public, token = parameters(holder, "RSA_2048", ahead=-1)
    late = Door(holder, public, token)
    encrypted = wrapped(public, OAEP, os.urandom(32))
    with pytest.raises(ImportTokenExpired):
        late.bring("SYMMETRIC_DEFAULT", OAEP, encrypted)
    with pytest.raises(TamperedError):
        late.bring("SYMMETRIC_DEFAULT", OAEP, encrypted, scope=b"another")


def test_token_expires_at_its_second(door: Door) -> None:
    """A token is good until the second that stands in it, and not at it."""
    importer = Importer(open_root_key(door.holder.root_key, None))
    expires = int.from_bytes(door.token[:8])
    assert importer.wrapping_key(SCOPE, door.token, expires - 0.001).key_size == 3072
    with pytest.raises(ImportTokenExpired):
        importer.wrapping_key(SCOPE, door.token, float(expires))


def test_token_survives_a_restart(own: Holder) -> None:
    """The keyholder keeps nothing of an import: after a restart the token is as good as before."""
    own.start()
    public, token = parameters(own, "RSA_2048")
    own.end()
    own.start()
    plaintext = os.urandom(32)
    again = Door(own, public, token)
    assert again.opened(again.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(public, OAEP, plaintext))) == plaintext


def test_records_of_imports(own: Holder) -> None:
    """An import is recorded with its key and material, a failed one with its key; parameters use no key."""
    own.start()
    mine = Door(own, *parameters(own, "RSA_2048"))
    one = mine.bring("SYMMETRIC_DEFAULT", OAEP, wrapped(mine.public, OAEP, os.urandom(32)))
    with pytest.raises(FormatError):
        mine.bring("SYMMETRIC_DEFAULT", OAEP, b"")
    with pytest.raises(TamperedError):
        mine.bring("SYMMETRIC_DEFAULT", OAEP, b"", token=b"")
    found = [(entry.use, entry.outcome, entry.key_id, entry.material_id) for entry in reader.entries(own.audit)][1:]
    assert found == [
        ("import-material", "ok", KEY_ID, one.material_id.hex()),
        ("import-material", "invalid", KEY_ID, ""),
        ("import-material", "tampered", KEY_ID, ""),
    ]


def test_others_are_served_meanwhile(own: Holder) -> None:
    """While wrapping keys are made and an RSA_4096 key is checked, small requests are answered."""

    async def story(client: Keyholder) -> int:
        await client.connect()
        until = int(time.time()) + 600
        slow = [asyncio.create_task(client.import_parameters(SCOPE, "RSA_4096", until)) for _ in range(4)]
        await settle()  # they have left
        for _ in range(20):
            await client.random(8, DRAFT)
        made = sum(task.done() for task in slow)
        await asyncio.gather(*slow)
        return made

    with own:
        assert play(own, story) <= 2, "small requests had to wait for the keys"


def test_matrix_is_whole() -> None:
    """Every key spec of the keyholder is imported here; ML_KEM_512 has a test of its own."""
    from fuin.keyholder.backends.software.kinds.specs import SPECS as ALL

    assert {*SPECS, "ML_KEM_512"} == set(ALL)
    assert len(OTHERS) == 6
