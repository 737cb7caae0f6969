"""Ed25519 and Ed25519ph: RFC 8032's answers, openssl and pycryptodome on the other side."""

import hashlib
from pathlib import Path

import pytest
from Crypto.Hash import SHA512
from Crypto.Signature import eddsa
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds import ed25519ph
from fuin.keyholder.backends.software.kinds.edwards import Edwards
from fuin.keyholder.backends.software.kinds.encodings import pkcs8
from tests.keyholder.answers import FOLDER
from tests.keyholder.opened import Files, made, opened, openssl

SPEC, PURE, PREHASHED = "ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "ED25519_PH_SHA_512"

# RFC 8032 section 7.3, the test of Ed25519ph: secret key, message, signature.
SEED = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
SIGNATURE = bytes.fromhex(
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)


def test_known_signatures() -> None:
    """Ed25519's own answers (ed25519.cr.yp.to) come out byte for byte and hold."""
    lines = (FOLDER / "asymmetric/Ed25519/sign.input").read_text().splitlines()[:200]
    for line in lines:
        seed, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        key = opened(SPEC, seed[:32])
        assert key.public_key().endswith(public)
        assert key.sign(PURE, "RAW", message) == signed[:64]
        key.verify(PURE, "RAW", message, signed[:64])
    assert len(lines) == 200


def test_prehashed_known_signature() -> None:
    """RFC 8032's Ed25519ph signature of "abc" comes out and holds; AWS's interface takes no message of three bytes."""
    assert ed25519ph.sign(bytearray(SEED), b"abc") == SIGNATURE
    key = opened(SPEC, SEED)
    public = key.public_key()[-32:]
    ed25519ph.verify(public, b"abc", SIGNATURE)
    for message, signature in ((b"abd", SIGNATURE), (b"abc", SIGNATURE[:-1]), (b"abc", bytes(64))):
        with pytest.raises(TamperedError):
            ed25519ph.verify(public, message, signature)
    with pytest.raises(FormatError):
        key.sign(PREHASHED, "DIGEST", b"abc")


def test_a_digest_is_hashed_once_more() -> None:
    """AWS hashes the 64-byte digest itself again: pycryptodome's Ed25519ph over the digest as message agrees."""
    key = opened(SPEC, SEED)
    digest = hashlib.sha512(b"a document").digest()
    signature = key.sign(PREHASHED, "DIGEST", digest)
    assert signature == eddsa.new(eddsa.import_private_key(SEED), "rfc8032").sign(SHA512.new(digest))
    key.verify(PREHASHED, "DIGEST", digest, signature)
    for use, message_type, message, given in (
        (PREHASHED, "DIGEST", digest[::-1], signature), (PREHASHED, "DIGEST", digest, signature[:-1]),
        (PURE, "RAW", digest, signature), (PREHASHED, "DIGEST", digest, key.sign(PURE, "RAW", digest)),
    ):  # fmt: skip
        with pytest.raises(TamperedError):
            key.verify(use, message_type, message, given)


def test_openssl_agrees(tmp_path: Path) -> None:
    """openssl signs and verifies the same bytes with the same key."""
    key, files = opened(SPEC), Files(tmp_path)
    message = files.put("message", b"one message")
    private = files.put("private", bytes(pkcs8(Ed25519PrivateKey.from_private_bytes(made(SPEC)))))
    signature = openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", private, "-in", message)
    assert key.sign(PURE, "RAW", b"one message") == signature
    said = openssl(
        "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", files.put("public", key.public_key()),
        "-sigfile", files.put("signature", signature), "-in", message,
    )  # fmt: skip
    assert b"Verified Successfully" in said


def test_wrong_signatures() -> None:
    """Another message or key, and signatures that are none, do not hold."""
    key = opened(SPEC)
    signature = key.sign(PURE, "RAW", b"x")
    for message, given in ((b"y", signature), (b"x", signature[:-1]), (b"x", signature + b"\0"), (b"x", b"")):
        with pytest.raises(TamperedError):
            key.verify(PURE, "RAW", message, given)
    with pytest.raises(TamperedError):
        opened(SPEC, SEED).verify(PURE, "RAW", b"x", signature)


@pytest.mark.parametrize(
    ("algorithm", "message_type", "message"),
    [
        (PURE, "DIGEST", bytes(64)), (PREHASHED, "RAW", bytes(64)), (PREHASHED, "DIGEST", bytes(63)),
        (PURE, "EXTERNAL_MU", bytes(64)), ("ECDSA_SHA_512", "RAW", b"x"),
    ],
)  # fmt: skip
def test_wrong_forms(algorithm: str, message_type: str, message: bytes) -> None:
    """Each algorithm has one message type (AWS: Sign), and a digest one length."""
    key = opened(SPEC)
    with pytest.raises(FormatError):
        key.sign(algorithm, message_type, message)
    with pytest.raises(FormatError):
        key.verify(algorithm, message_type, message, bytes(64))


def test_import() -> None:
    """A foreign private key in PKCS#8 comes down to its seed; another kind's is refused."""
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    assert Edwards.import_material(SPEC, pkcs8(private)) == SEED
    for wrong in (pkcs8(ec.generate_private_key(ec.SECP256R1())), bytearray(SEED)):
        with pytest.raises(FormatError):
            Edwards.import_material(SPEC, wrong)
    with pytest.raises(FormatError):
        opened(SPEC, SEED[:-1])
