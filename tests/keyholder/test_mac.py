"""HMAC material: RFC 4231's answers, and openssl on the other side."""

import hashlib
from pathlib import Path

import pytest

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.mac import Mac
from tests.keyholder.answers import answers
from tests.keyholder.opened import Files, made, opened, openssl

LENGTHS = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
SPECS = [(spec, spec.replace("_", "_SHA_"), length) for spec, length in LENGTHS.items()]


def as_material(key: bytes, length: int) -> bytes:
    """Return key material that HMAC takes for the same key (RFC 2104): zeros behind a short one, a long one hashed."""
    digest = hashlib.new({28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}[length])
    if len(key) > digest.block_size:
        digest.update(key)
        return digest.digest()
    return key.ljust(length, b"\0")


@pytest.mark.parametrize(("spec", "algorithm", "length"), SPECS)
def test_known_answers(spec: str, algorithm: str, length: int) -> None:
    """RFC 4231's MACs come out, under keys that HMAC takes for the same."""
    cases = list(answers(f"HMAC/rfc-4231-sha{spec[-3:]}.txt", "Len"))
    for case in cases:
        key = opened(spec, as_material(bytes.fromhex(case["Key"]), length))
        message, mac = bytes.fromhex(case["Msg"]), bytes.fromhex(case["MD"])
        assert key.generate_mac(algorithm, message) == mac
        key.verify_mac(algorithm, message, mac)
    assert len(cases) >= 5


@pytest.mark.parametrize(("spec", "algorithm", "length"), SPECS)
def test_openssl_agrees(tmp_path: Path, spec: str, algorithm: str, length: int) -> None:
    """openssl computes the same MAC with the same fresh key."""
    key = opened(spec)
    message = Files(tmp_path).put("message", b"one message")
    said = openssl("mac", "-digest", f"SHA{spec[-3:]}", "-macopt", f"hexkey:{made(spec).hex()}", "-in", message, "HMAC")
    assert key.generate_mac(algorithm, b"one message").hex().upper() == said.decode().strip()
    assert len(made(spec)) == length


@pytest.mark.parametrize(("spec", "algorithm", "length"), SPECS)
def test_wrong_macs(spec: str, algorithm: str, length: int) -> None:
    """A changed, shortened or longer MAC, another message and another key do not hold."""
    key = opened(spec)
    mac = key.generate_mac(algorithm, b"x")
    for message, given in (
        (b"y", mac), (b"x", mac[:-1]), (b"x", mac + b"\0"), (b"x", b""), (b"x", mac[:-1] + bytes([mac[-1] ^ 1])),
    ):  # fmt: skip
        with pytest.raises(TamperedError):
            key.verify_mac(algorithm, message, given)
    with pytest.raises(TamperedError):
        opened(spec, bytes(length)).verify_mac(algorithm, b"x", mac)


@pytest.mark.parametrize(("spec", "algorithm", "length"), SPECS)
def test_wrong_forms(spec: str, algorithm: str, length: int) -> None:
    """Another spec's algorithm, material of another length and other operations are format errors."""
    key = opened(spec)
    for other in {name for _, name, _ in SPECS} - {algorithm} | {"", "hmac_sha_256"}:
        with pytest.raises(FormatError):
            key.generate_mac(other, b"x")
        with pytest.raises(FormatError):
            key.verify_mac(other, b"x", b"")
    for wrong in (b"", bytes(length - 1), bytes(length + 1)):
        with pytest.raises(FormatError):
            opened(spec, wrong)
        with pytest.raises(FormatError):
            Mac.import_material(spec, bytearray(wrong))
    assert Mac.import_material(spec, bytearray(made(spec))) == made(spec)
    with pytest.raises(FormatError):
        key.public_key()
