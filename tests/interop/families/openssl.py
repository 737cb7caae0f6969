"""OpenSSL's command line: what a client does with public keys, outside of KMS."""

import subprocess
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

_OAEP = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")
_PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
# How `openssl dgst` is told to verify, by the name of KMS's signing algorithm.
_VERIFY = {
    "RSASSA_PSS_SHA_256": ("-sha256", *_PSS),
    "RSASSA_PSS_SHA_512": ("-sha512", *_PSS),
    "RSASSA_PKCS1_V1_5_SHA_384": ("-sha384",),
    "ECDSA_SHA_256": ("-sha256",),
    "ECDSA_SHA_384": ("-sha384",),
}


@dataclass(frozen=True, slots=True)
class OpenSSL:
    """`openssl` with the files that it reads in `folder`. Public keys are DER of SPKI, private ones of PKCS#8."""

    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    def __call__(self, *arguments: str) -> bytes:
        """Run it and return what it printed; raises AssertionError with its words when it fails."""
        done = subprocess.run(["openssl", *arguments], capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout

    def file(self, content: bytes) -> str:
        """Write a file and return its path."""
        path = self.folder / f"openssl-{next(self._numbers)}"
        path.write_bytes(content)
        return str(path)

    def verify(self, public: bytes, algorithm: str, message: bytes, signature: bytes) -> None:
        """Assert that a signature of KMS is the key's and the message's."""
        key = self._public(public)
        if algorithm == "ED25519_SHA_512":
            files = ("-rawin", "-in", self.file(message), "-sigfile", self.file(signature))
            self("pkeyutl", "-verify", "-pubin", "-inkey", key, *files)
            return
        told = ("-verify", key, "-signature", self.file(signature), self.file(message))
        assert self("dgst", *_VERIFY[algorithm], *told) == b"Verified OK\n"

    def wrap(self, public: bytes, content: bytes) -> bytes:
        """Return `content` encrypted by RSA-OAEP with SHA-256."""
        return self("pkeyutl", "-encrypt", "-pubin", "-inkey", self._public(public), *_OAEP, "-in", self.file(content))

    def new_key(self, curve: str) -> bytes:
        """Return a new private key on a curve, P-256 for instance."""
        made = ("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-outform", "DER")
        return self(*made)

    def public_of(self, private: bytes) -> bytes:
        """Return the public key of a private one."""
        return self("pkey", "-inform", "DER", "-in", self.file(private), "-pubout", "-outform", "DER")

    def derive(self, private: bytes, public: bytes) -> bytes:
        """Return the shared secret of the one's private key and the other's public key."""
        pem = self.file(self("pkey", "-inform", "DER", "-in", self.file(private)))
        return self("pkeyutl", "-derive", "-inkey", pem, "-peerkey", self._public(public))

    def mac(self, key: bytes, message: bytes) -> bytes:
        """Return HMAC with SHA-256."""
        told = ("-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary")
        return self("dgst", *told, self.file(message))

    def _public(self, public: bytes) -> str:
        return self.file(self("pkey", "-pubin", "-inform", "DER", "-in", self.file(public)))
