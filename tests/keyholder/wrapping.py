"""The client's side of an import: key material of every spec, and how it is wrapped, by independent means."""

import functools
import os
import subprocess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

OAEPS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
KEY_WRAPS = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
ALGORITHMS = (*OAEPS, *KEY_WRAPS)
LENGTHS = {"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
CURVES: dict[str, ec.EllipticCurve] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
OTHERS: dict[str, Any] = {
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
}
SPECS = (*LENGTHS, *BITS, *CURVES, *OTHERS)


def pkcs8(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PKCS#8 DER."""
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def rsa_key(spec: str) -> rsa.RSAPrivateKey:
    """Return an RSA key, the same one each time."""
    return rsa.generate_private_key(65537, BITS[spec])


@functools.cache
def material(spec: str) -> tuple[bytes, bytes]:
    """Return key material as AWS takes it, the same each time, and the public key (SPKI DER) of a pair."""
    if spec in LENGTHS:
        return os.urandom(LENGTHS[spec]), b""
    if spec in BITS:
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = rsa_key(spec)
    elif spec in CURVES:
        key = ec.generate_private_key(CURVES[spec])
    else:
        other = OTHERS[spec].generate()
        encoded = other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return encoded, other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return pkcs8(key), key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def wrapped(public: bytes, algorithm: str, plaintext: bytes, *, aes: bytes | None = None) -> bytes:
    """Return a plaintext wrapped for the owner of a public key; `aes` stands in for a random AES-256 key."""
    key = load_der_public_key(public)
    assert isinstance(key, rsa.RSAPublicKey)
    hash_ = SHA1() if algorithm.endswith("SHA_1") else SHA256()
    padding = OAEP(MGF1(hash_), hash_, None)
    if algorithm in OAEPS:
        return key.encrypt(plaintext, padding)
    between = os.urandom(32) if aes is None else aes
    return key.encrypt(between, padding) + aes_key_wrap_with_padding(between, plaintext)


def wrapped_by_openssl(folder: Path, public: bytes, algorithm: str, plaintext: bytes) -> bytes:
    """Return the same, made by the `openssl` command as AWS's developer guide shows it."""
    (folder / "public").write_bytes(public)
    hash_ = "sha1" if algorithm.endswith("SHA_1") else "sha256"
    oaep = [
        "openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", str(folder / "public"), "-keyform", "DER",
        "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{hash_}", "-pkeyopt", f"rsa_mgf1_md:{hash_}",
    ]  # fmt: skip
    if algorithm in OAEPS:
        return _run(oaep, plaintext)
    aes = os.urandom(32)
    wrap = ["openssl", "enc", "-id-aes256-wrap-pad", "-K", aes.hex(), "-iv", "A65959A6"]
    return _run(oaep, aes) + _run(wrap, plaintext)


def _run(command: list[str], data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=30).stdout
