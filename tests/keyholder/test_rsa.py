"""RSA material: known answers, and the openssl command line on the other side."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.encodings import pkcs8
from fuin.keyholder.backends.software.kinds.rsa import BITS, Rsa
from tests.keyholder.answers import FOLDER, answers, rsa_key
from tests.keyholder.opened import Files, made, opened, openssl

MESSAGE = b"one message"
HASHES = ("256", "384", "512")
ALGORITHMS = [f"RSASSA_{scheme}_SHA_{size}" for scheme in ("PSS", "PKCS1_V1_5") for size in HASHES]


def options(algorithm: str) -> list[str]:
    """Return what openssl pkeyutl must be told for a signing algorithm of AWS; a PSS salt is as long as the digest."""
    words = [f"digest:sha{algorithm[-3:]}"]
    if "PSS" in algorithm:
        words += ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest", f"rsa_mgf1_md:sha{algorithm[-3:]}"]
    return [word for one in words for word in ("-pkeyopt", one)]


@pytest.mark.parametrize("spec", BITS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_verifies_signatures(tmp_path: Path, spec: str, algorithm: str) -> None:
    """What is signed here, raw or as a digest, holds there with the public key that is given out."""
    key, files = opened(spec), Files(tmp_path)
    digest = hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest()
    public = files.put("public", key.public_key())
    for message_type, message in (("RAW", MESSAGE), ("DIGEST", digest)):
        signature = key.sign(algorithm, message_type, message)
        assert len(signature) * 8 == BITS[spec]
        said = openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-sigfile",
            files.put("signature", signature), *options(algorithm), "-in", files.put("digest", digest),
        )  # fmt: skip
        assert b"Verified Successfully" in said


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signatures_of_openssl_hold(tmp_path: Path, algorithm: str) -> None:
    """What is signed there with the same key holds here, raw and as a digest."""
    key, files = opened("RSA_2048"), Files(tmp_path)
    digest = hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest()
    signature = openssl(
        "pkeyutl", "-sign", "-keyform", "DER", "-inkey", files.put("private", made("RSA_2048")), *options(algorithm),
        "-in", files.put("digest", digest),
    )  # fmt: skip
    key.verify(algorithm, "RAW", MESSAGE, signature)
    key.verify(algorithm, "DIGEST", digest, signature)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_signatures(algorithm: str) -> None:
    """Another message, algorithm or key, a changed bit or length: none holds."""
    key = opened("RSA_2048")
    signature = key.sign(algorithm, "RAW", MESSAGE)
    changed = bytes([signature[0] ^ 1]) + signature[1:]
    other = ALGORITHMS[(ALGORITHMS.index(algorithm) + 1) % len(ALGORITHMS)]
    for use, message, given in (
        (algorithm, MESSAGE + b".", signature), (other, MESSAGE, signature), (algorithm, MESSAGE, changed),
        (algorithm, MESSAGE, signature[:-1]), (algorithm, MESSAGE, signature + b"\0"), (algorithm, MESSAGE, b""),
    ):  # fmt: skip
        with pytest.raises(TamperedError):
            key.verify(use, "RAW", message, given)
    with pytest.raises(TamperedError):
        opened("RSA_3072").verify(algorithm, "RAW", MESSAGE, signature)


def test_pkcs1_known_answers() -> None:
    """NIST's PKCS #1 v1.5 signatures (FIPS 186-3): those that pass come out byte for byte, the others do not hold."""
    passed = failed = 0
    for case in answers("asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp", "SHAAlg", ("n", "p", "q")):
        bits = int(case["section"].removeprefix("mod = "))
        size = case["SHAAlg"].removeprefix("SHA")
        if bits not in BITS.values() or size not in HASHES or "e changed" in case["Result"]:
            continue  # with another e there is no private key, which the keyholder's keys have
        key = opened(
            f"RSA_{bits}", rsa_key(int(case["n"], 16), int(case["e"], 16), int(case["d"], 16))
        )  # fmt: skip
        message, signature = bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"])
        algorithm = f"RSASSA_PKCS1_V1_5_SHA_{size}"
        if case["Result"].startswith("P"):
            key.verify(algorithm, "RAW", message, signature)
            assert key.sign(algorithm, "RAW", message) == signature
            passed += 1
        else:
            with pytest.raises(TamperedError):
                key.verify(algorithm, "RAW", message, signature)
            failed += 1
    assert passed >= 6
    assert failed >= 20


def test_pss_salt_of_another_length_does_not_hold() -> None:
    """NIST's PSS signatures that verify have a salt of 10 bytes; AWS's is as long as the digest, so none holds here."""
    seen = 0
    for case in answers("asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp", "SHAAlg", ("n", "p", "q")):
        if case["section"] == "mod = 2048" and case["SHAAlg"] == "SHA256" and case["Result"].startswith("P"):
            key = opened("RSA_2048", rsa_key(int(case["n"], 16), int(case["e"], 16), int(case["d"], 16)))
            with pytest.raises(TamperedError):
                key.verify("RSASSA_PSS_SHA_256", "RAW", bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"]))
            seen += 1
    assert seen


def oaep_cases(name: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the last key of a file of OAEP vectors, which is a 2048-bit one, and its messages with ciphertexts."""
    parts: list[tuple[str, str]] = []
    for line in (FOLDER / "asymmetric/RSA" / name).read_text().splitlines():
        if line.startswith("#"):
            parts.append((line.strip("#: "), ""))
        elif parts and line.strip():
            parts[-1] = (parts[-1][0], parts[-1][1] + line.replace(" ", ""))
    last = max(at for at, (title, _) in enumerate(parts) if title == "Private key")
    key: dict[str, int] = {}
    for title, value in parts[last:]:
        if title in ("Modulus", "Public exponent", "Exponent") and value:
            key.setdefault(title, int(value, 16))
    cases = [
        (
            bytes.fromhex(parts[at][1]),
            bytes.fromhex(next(value for title, value in parts[at:] if title == "Encryption")),
        )
        for at in range(last, len(parts))
        if parts[at][0] == "Message"
    ]
    private = key["Exponent"] if "Public exponent" in key else 0
    return rsa_key(key["Modulus"], key.get("Public exponent", 65537), private), cases


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("pkcs-1v2-1d2-vec/oaep-vect.txt", b"RSAES_OAEP_SHA_1"),
        ("oaep-custom/oaep-sha256-sha256.txt", b"RSAES_OAEP_SHA_256"),
    ],
)
def test_oaep_known_answers(name: str, algorithm: bytes) -> None:
    """RSA Laboratories' ciphertexts and those with SHA-256 made from them open to their messages."""
    private, cases = oaep_cases(name)
    key = opened("RSA_2048", private)
    assert len(cases) >= 1
    for message, ciphertext in cases:
        assert key.decrypt(algorithm, ciphertext) == message


@pytest.mark.parametrize("spec", BITS)
@pytest.mark.parametrize("size", ["1", "256"])
def test_openssl_decrypts(tmp_path: Path, spec: str, size: str) -> None:
    """The longest plaintext that fits (AWS: 470 bytes for SHA-1 at 4096 bits) is opened by openssl; more is refused."""
    key, files = opened(spec), Files(tmp_path)
    limit = BITS[spec] // 8 - 2 * {"1": 20, "256": 32}[size] - 2
    algorithm = b"RSAES_OAEP_SHA_" + size.encode()
    ciphertext = key.encrypt(algorithm, b"x" * limit)
    words = [f"rsa_{what}_md:sha{size}" for what in ("oaep", "mgf1")]
    plaintext = openssl(
        "pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", files.put("private", made(spec)), "-pkeyopt",
        "rsa_padding_mode:oaep", "-pkeyopt", words[0], "-pkeyopt", words[1], "-in", files.put("sealed", ciphertext),
    )  # fmt: skip
    assert plaintext == b"x" * limit == key.decrypt(algorithm, ciphertext)
    for wrong in (b"x" * (limit + 1), b""):
        with pytest.raises(FormatError):
            key.encrypt(algorithm, wrong)


def test_openssl_encrypts(tmp_path: Path) -> None:
    """What openssl encrypts under the public key opens here."""
    key, files = opened("RSA_3072"), Files(tmp_path)
    words = [w for one in ("padding_mode:oaep", "oaep_md:sha256", "mgf1_md:sha256") for w in ("-pkeyopt", f"rsa_{one}")]
    sealed = openssl(
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", files.put("public", key.public_key()), *words,
        "-in", files.put("text", MESSAGE),
    )  # fmt: skip
    assert key.decrypt(b"RSAES_OAEP_SHA_256", sealed) == MESSAGE


def test_wrong_ciphertexts() -> None:
    """A changed ciphertext, another hash, another label and another length all end in the same error."""
    key = opened("RSA_2048")
    sealed = key.encrypt(b"RSAES_OAEP_SHA_256", MESSAGE)
    labelled = key._public.encrypt(MESSAGE, OAEP(MGF1(SHA256()), SHA256(), b"label"))  # type: ignore[attr-defined]
    texts = set()
    for algorithm, given in (
        (b"RSAES_OAEP_SHA_256", bytes(256)), (b"RSAES_OAEP_SHA_1", sealed), (b"RSAES_OAEP_SHA_256", labelled),
        (b"RSAES_OAEP_SHA_256", sealed[:-1]), (b"RSAES_OAEP_SHA_256", sealed + b"\0"), (b"RSAES_OAEP_SHA_256", b""),
        (b"RSAES_OAEP_SHA_256", b"\xff" * 256),
    ):  # fmt: skip
        with pytest.raises(TamperedError) as caught:
            key.decrypt(algorithm, given)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_what_rsa_cannot_do() -> None:
    """Algorithms, message types and operations of other kinds, and digests of a wrong length, are format errors."""
    key = opened("RSA_2048")
    for algorithm, message_type, message in (
        ("ECDSA_SHA_256", "RAW", b"x"), ("", "RAW", b"x"), ("RSASSA_PSS_SHA_256", "EXTERNAL_MU", bytes(64)),
        ("RSASSA_PSS_SHA_256", "DIGEST", bytes(31)), ("RSASSA_PKCS1_V1_5_SHA_512", "DIGEST", bytes(32)),
        ("RSASSA_PSS_SHA_256", "raw", b"x"),
    ):  # fmt: skip
        with pytest.raises(FormatError):
            key.sign(algorithm, message_type, message)
        with pytest.raises(FormatError):
            key.verify(algorithm, message_type, message, bytes(256))
    for algorithm_name in (b"SYMMETRIC_DEFAULT", b"", b"RSAES_PKCS1_V1_5"):
        with pytest.raises(FormatError):
            key.encrypt(algorithm_name, b"x")
        with pytest.raises(FormatError):
            key.decrypt(algorithm_name, bytes(256))
    with pytest.raises(FormatError):
        key.seal_data_key(b"RSAES_OAEP_SHA_256", b"x")


def test_import() -> None:
    """A foreign private key is taken in its own size only, and never with primes that are none."""
    private = made("RSA_2048")
    assert Rsa.import_material("RSA_2048", bytearray(private)) == private
    broken = bytearray(private)
    broken[-40] ^= 1  # in the CRT coefficient
    for spec, wrong in (
        ("RSA_3072", bytearray(private)), ("RSA_2048", broken), ("RSA_2048", bytearray(b"none")),
        ("RSA_2048", pkcs8(ec.generate_private_key(ec.SECP256R1()))),
    ):  # fmt: skip
        with pytest.raises(FormatError):
            Rsa.import_material(spec, wrong)
