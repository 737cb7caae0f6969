"""What a client does outside of KMS with public keys: by the openssl command line, and where that cannot, by libraries.

Nothing of it shares code with the keyholder's use of its libraries; Ed25519ph and ML-KEM-512 are only in pycryptodome.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC, MLKEM
from Crypto.Signature import eddsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

HASHES = {"SHA_1": "sha1", "SHA_256": "sha256", "SHA_384": "sha384", "SHA_512": "sha512"}


def openssl(*arguments: str | bytes) -> bytes:
    """Run openssl, with a file for each argument of bytes, and return what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        words = [_word(Path(folder) / str(index), argument) for index, argument in enumerate(arguments)]
        done = subprocess.run(["openssl", *words], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr.decode()}"
    return done.stdout


def _word(path: Path, argument: str | bytes) -> str:
    if isinstance(argument, str):
        return argument
    path.write_bytes(argument)
    return str(path)


def pem(public: bytes) -> bytes:
    """Return a public key as PEM."""
    return openssl("pkey", "-pubin", "-inform", "DER", "-in", public)


def verify(public: bytes, algorithm: str, message: bytes, signature: bytes) -> None:
    """Assert that a signature holds over a message, which for Ed25519ph is the digest that KMS was given."""
    if algorithm == "ML_DSA_SHAKE_256":
        key: Any = load_der_public_key(public)
        key.verify(signature, message)
    elif algorithm == "ED25519_PH_SHA_512":
        eddsa.new(ECC.import_key(public), "rfc8032").verify(SHA512.new(message), signature)
    elif algorithm == "ED25519_SHA_512":
        openssl("pkeyutl", "-verify", "-pubin", "-inkey", pem(public), "-rawin", "-in", message, "-sigfile", signature)
    else:
        digest = HASHES[algorithm[-7:]]
        pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest") if "PSS" in algorithm else ()
        openssl("dgst", f"-{digest}", *pss, "-verify", pem(public), "-signature", signature, message)


def external_mu(public: bytes, message: bytes) -> bytes:
    """Return the message representative of ML-DSA with an empty context (FIPS 204, algorithms 2 and 7)."""
    key: Any = load_der_public_key(public)
    key_hash = hashlib.shake_256(key.public_bytes_raw()).digest(64)
    return hashlib.shake_256(key_hash + b"\x00\x00" + message).digest(64)


def oaep(algorithm: str) -> tuple[str, ...]:
    """Return what tells openssl about an encryption algorithm."""
    digest = HASHES[algorithm.removeprefix("RSAES_OAEP_")]
    options = ("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}")
    return tuple(word for option in options for word in ("-pkeyopt", option))


def encrypt(public: bytes, algorithm: str, plaintext: bytes) -> bytes:
    """Return the RSA ciphertext of a plaintext."""
    return openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", pem(public), *oaep(algorithm), "-in", plaintext)


def new_private(curve: str) -> bytes:
    """Return a new private key on a curve, as PEM."""
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")


def public_of(private: bytes, form: str = "PEM") -> bytes:
    """Return the public key of a private one, as DER."""
    return openssl("pkey", "-inform", form, "-in", private, "-pubout", "-outform", "DER")


def derive(private: bytes, public: bytes) -> bytes:
    """Return the shared secret of a private key (PEM) and a public one (DER)."""
    return openssl("pkeyutl", "-derive", "-inkey", private, "-peerkey", pem(public))


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Return a fresh ML-KEM shared secret and its ciphertext."""
    key: Any = MLKEM.import_key(public)
    secret, ciphertext = key._encaps()
    return bytes(secret), bytes(ciphertext)
