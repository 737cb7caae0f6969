"""Material of the NIST curves and secp256k1: known answers, and the openssl command line on the other side."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.elliptic import Elliptic
from fuin.keyholder.backends.software.kinds.encodings import pkcs8, spki
from tests.keyholder.answers import answers, curve_key
from tests.keyholder.opened import Files, made, opened, openssl

MESSAGE = b"one message"
CURVES: dict[str, tuple[ec.EllipticCurve, str, str]] = {
    "ECC_NIST_P256": (ec.SECP256R1(), "ECDSA_SHA_256", "P-256,SHA-256"),
    "ECC_NIST_P384": (ec.SECP384R1(), "ECDSA_SHA_384", "P-384,SHA-384"),
    "ECC_NIST_P521": (ec.SECP521R1(), "ECDSA_SHA_512", "P-521,SHA-512"),
    "ECC_SECG_P256K1": (ec.SECP256K1(), "ECDSA_SHA_256", "K-256,SHA-256"),
}
AGREEING = {"ECC_NIST_P256": "EC", "ECC_NIST_P384": "ED", "ECC_NIST_P521": "EE"}


def digest_of(algorithm: str, message: bytes) -> bytes:
    """Return what is signed of a message."""
    return hashlib.new(f"sha{algorithm[-3:]}", message).digest()


@pytest.mark.parametrize("spec", CURVES)
def test_openssl_verifies_signatures(tmp_path: Path, spec: str) -> None:
    """What is signed here, raw or as a digest, holds there with the public key that is given out."""
    key, algorithm, files = opened(spec), CURVES[spec][1], Files(tmp_path)
    digest = digest_of(algorithm, MESSAGE)
    public = files.put("public", key.public_key())
    for message_type, message in (("RAW", MESSAGE), ("DIGEST", digest)):
        signature = files.put("signature", key.sign(algorithm, message_type, message))
        said = openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-sigfile", signature,
            "-in", files.put("digest", digest),
        )  # fmt: skip
        assert b"Verified Successfully" in said


@pytest.mark.parametrize("spec", CURVES)
def test_signatures_of_openssl_hold(tmp_path: Path, spec: str) -> None:
    """What is signed there with the same key holds here, raw and as a digest."""
    key, algorithm, files = opened(spec), CURVES[spec][1], Files(tmp_path)
    digest = digest_of(algorithm, MESSAGE)
    private = files.put("private", made(spec))
    signature = openssl("pkeyutl", "-sign", "-keyform", "DER", "-inkey", private, "-in", files.put("digest", digest))
    key.verify(algorithm, "RAW", MESSAGE, signature)
    key.verify(algorithm, "DIGEST", digest, signature)


@pytest.mark.parametrize("spec", CURVES)
def test_known_signatures(spec: str) -> None:
    """NIST's signatures (FIPS 186-3, and SEC's curve from the same tool) hold, and changed they do not."""
    curve, algorithm, section = CURVES[spec]
    name = "SECP256K1" if spec == "ECC_SECG_P256K1" else "FIPS_186-3"
    seen = 0
    for case in answers(f"asymmetric/ECDSA/{name}/SigGen.txt", "Msg"):
        if case["section"] != section:
            continue
        key = opened(spec, curve_key(curve, int(case["d"], 16)))
        r, s, message = int(case["R"], 16), int(case["S"], 16), bytes.fromhex(case["Msg"])
        key.verify(algorithm, "RAW", message, encode_dss_signature(r, s))
        for wrong in ((r, s ^ 1), (r ^ 1, s), (s, r), (0, s), (r, 0)):
            with pytest.raises(TamperedError):
                key.verify(algorithm, "RAW", message, encode_dss_signature(*wrong))
        seen += 1
    assert seen >= 15


@pytest.mark.parametrize("spec", CURVES)
def test_wrong_signatures(spec: str) -> None:
    """Another message or key, a shorter or longer signature, or bytes that are none: nothing holds."""
    key, algorithm = opened(spec), CURVES[spec][1]
    signature = key.sign(algorithm, "RAW", MESSAGE)
    for message, given in (
        (MESSAGE + b".", signature), (MESSAGE, signature[:-1]), (MESSAGE, signature + b"\0"), (MESSAGE, b""),
        (MESSAGE, b"\x30\x06\x02\x01\x01\x02\x01\x01"), (MESSAGE, bytes(64)),
    ):  # fmt: skip
        with pytest.raises(TamperedError):
            key.verify(algorithm, "RAW", message, given)
    with pytest.raises(TamperedError):
        opened(spec, bytes(Elliptic.make(spec))).verify(algorithm, "RAW", MESSAGE, signature)


@pytest.mark.parametrize("spec", CURVES)
def test_what_curves_cannot_do(spec: str) -> None:
    """Each curve has one algorithm; digests of a wrong length and other kinds' operations are format errors."""
    key, algorithm = opened(spec), CURVES[spec][1]
    others = {"ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512", "RSASSA_PSS_SHA_256", "ED25519_SHA_512"} - {algorithm}
    for wrong in (*((other, "RAW", b"x") for other in others), (algorithm, "DIGEST", bytes(20)),
                  (algorithm, "EXTERNAL_MU", bytes(64))):  # fmt: skip
        with pytest.raises(FormatError):
            key.sign(*wrong)
        with pytest.raises(FormatError):
            key.verify(*wrong, b"")
    for call in (
        lambda: key.encrypt(b"", b"x"), lambda: key.decrypt(b"", b"x"), lambda: key.generate_mac("", b""),
        lambda: key.verify_mac("", b"", b""), key.encapsulate, lambda: key.decapsulate(b""),
    ):  # fmt: skip
        with pytest.raises(FormatError):
            call()


def point(curve: ec.EllipticCurve, x: int, y: int) -> bytes:
    """Return a point of a curve, or beside it, as SPKI DER."""
    size = (curve.key_size + 7) // 8
    head = spki(ec.generate_private_key(curve).public_key())[: -2 * size]
    return head + x.to_bytes(size, "big") + y.to_bytes(size, "big")


@pytest.mark.parametrize("spec", AGREEING)
def test_known_shared_secrets(spec: str) -> None:
    """NIST's key agreement answers (SP 800-56A): right secrets come out, and public keys that are none are refused."""
    curve = CURVES[spec][0]
    right = refused = 0
    for case in answers("asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax", "COUNT"):
        if not case["section"].startswith(f"{AGREEING[spec]} ") or "IUT's" in case["Result"]:
            continue  # IUT's keys are our own: a wrong one was never made or imported
        peer = point(curve, int(case["QsCAVSx"], 16), int(case["QsCAVSy"], 16))
        key = opened(spec, curve_key(curve, int(case["dsIUT"], 16)))
        if "CAVS's Static public key" in case["Result"]:
            with pytest.raises(FormatError):
                key.derive_shared_secret(peer)
            refused += 1
        else:
            same = key.derive_shared_secret(peer) == bytes.fromhex(case["Z"])
            assert same == ("Z changed" not in case["Result"])
            right += same
    assert right >= 5
    assert refused >= 2


@pytest.mark.parametrize("spec", AGREEING)
def test_openssl_derives_the_same_secret(tmp_path: Path, spec: str) -> None:
    """openssl, with the other private key and our public one, comes to the same secret."""
    key, files = opened(spec), Files(tmp_path)
    other = ec.generate_private_key(CURVES[spec][0])
    theirs = openssl(
        "pkeyutl", "-derive", "-keyform", "DER", "-inkey", files.put("private", bytes(pkcs8(other))),
        "-peerform", "DER", "-peerkey", files.put("peer", key.public_key()),
    )  # fmt: skip
    assert key.derive_shared_secret(spki(other.public_key())) == theirs


@pytest.mark.parametrize("spec", CURVES)
def test_wrong_peers(spec: str) -> None:
    """A key of another curve or kind, a point at infinity and other bytes are refused; secp256k1 agrees with nobody."""
    key = opened(spec)
    own = point(CURVES[spec][0], 1, 1)
    at = own.index(b"\x06\x07") - 2  # the algorithm's sequence, which begins with the identifier of elliptic curves
    algorithm = own[at : at + 2 + own[at + 1]]
    infinity = bytes((0x30, len(algorithm) + 4)) + algorithm + b"\x03\x02\x00\x00"
    peers = [opened(other).public_key() for other in CURVES if other != spec]
    peers += [spki(ed25519.Ed25519PrivateKey.generate().public_key()), b"", b"none", own, infinity]
    if spec == "ECC_SECG_P256K1":
        peers.append(key.public_key())
    for peer in peers:
        with pytest.raises(FormatError):
            key.derive_shared_secret(peer)


@pytest.mark.parametrize("spec", CURVES)
def test_import(spec: str) -> None:
    """A foreign private key is taken for its own curve only."""
    assert (
        opened(spec, bytes(Elliptic.import_material(spec, bytearray(made(spec))))).public_key()
        == opened(spec).public_key()
    )
    for other in CURVES:
        if other != spec:
            with pytest.raises(FormatError):
                Elliptic.import_material(spec, bytearray(made(other)))
    with pytest.raises(FormatError):
        Elliptic.import_material(spec, bytearray(made(spec)[:-1]))
