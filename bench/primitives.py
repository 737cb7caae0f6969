"""What the bare primitives cost, called in a loop with nothing around them: the floor under each operation."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE = os.urandom(256)
RUNS = 5
SECONDS = 0.2  # each run
AT_A_TIME = 16


def bare() -> dict[str, float]:
    """Return the CPU microseconds of one call of each primitive, the median of five runs."""
    return {name: median(call) for name, call in _calls().items()}


def _calls() -> dict[str, Callable[[], object]]:
    aes, nonce = AESGCM(os.urandom(32)), bytes(12)
    key, ciphertext = os.urandom(32), aes.encrypt(nonce, MESSAGE, None)
    p256, rsa2048 = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    mldsa65 = mldsa.MLDSA65PrivateKey.generate()
    ecdsa, sha256 = ec.ECDSA(hashes.SHA256()), hashes.SHA256()
    pss = padding.PSS(padding.MGF1(sha256), 32)

    def mac() -> bytes:
        context = hmac.HMAC(key, sha256)
        context.update(MESSAGE)
        return context.finalize()

    return {
        "Encrypt": lambda: aes.encrypt(nonce, MESSAGE, None),
        "Decrypt": lambda: aes.decrypt(nonce, ciphertext, None),
        "GenerateMac HMAC_256": mac,
        "Sign ECC_NIST_P256": lambda: p256.sign(MESSAGE, ecdsa),
        "Sign RSA_2048": lambda: rsa2048.sign(MESSAGE, pss, sha256),
        "Sign ML_DSA_65": lambda: mldsa65.sign(MESSAGE),
    }


def median(call: Callable[[], object]) -> float:
    """Return the CPU microseconds of one call, the median of five runs."""
    runs = []
    for _ in range(RUNS):
        count, before, end = 0, time.process_time(), time.perf_counter() + SECONDS
        while time.perf_counter() < end:  # looked at seldom, since some calls take no longer than the clock does
            for _ in range(AT_A_TIME):
                call()
            count += AT_A_TIME
        runs.append(1e6 * (time.process_time() - before) / count)
    return sorted(runs)[RUNS // 2]
