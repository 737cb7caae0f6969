"""The real key material, recovered as only the holder of the root key can: with the keyholder's own code."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fuin.formats import blob as blobs
from fuin.formats.wrapped import Material
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.backends.software.kinds.encodings import parse_pkcs8
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.root_key import open_root_key

_ALL = "SELECT key_id, material_id, spec, wrapped, state FROM materials JOIN sealed_materials USING (id)"


@dataclass(frozen=True)
class Unsealed:
    """The root key, the seed of the audit log's signatures, and what makes up each key's materials.

    The current material of a symmetric key stands under the key id, all else under the key id, a comma and more.
    """

    root_key: bytes
    audit_seed: bytes
    materials: dict[str, bytes]


def unseal(data: Path) -> Unsealed:
    """Open the root key file and unwrap every material in the database."""
    root = open_root_key(data / "root.key", None)
    seed = bytearray(32)
    sealing.derive_into(root.key, sealing.LABEL_SIGNING_SEED, b"", seed)
    backend = SoftwareBackend(root)
    materials: dict[str, bytes] = {}
    with closing(sqlite3.connect(f"file:{data / 'fuin.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(_ALL).fetchall()
    for key_id, material_id, spec, wrapped, state in rows:
        if not any(wrapped):
            continue  # imported, and deleted again: its place is blanked
        key = bytes(backend.key_bytes(Material(key_id, material_id, spec, wrapped)))
        for part, secret in secrets_of(spec, key).items():
            if secret in materials.values() or part.startswith(("q", "dp", "dq")):
                continue  # a replica's; or one of RSA's numbers beside its first prime and exponent, which say it all
            plain = state == "CURRENT" and secret == key
            materials[key_id if plain else f"{key_id}, {material_id.hex()[:8]}, {part}"] = secret
    return Unsealed(bytes(root.key), bytes(seed), materials)


def secrets_of(spec: str, key: bytes) -> dict[str, bytes]:
    """Return what makes up a private key by name, each at least 32 bytes; numbers in both orders of bytes.

    PKCS#8 is not searched for as a whole, since it holds the public key too. OpenSSL keeps big numbers in words of the
    machine, which on x86 and ARM is the lowest byte first.
    """
    if not spec.startswith(("RSA", "ECC_NIST_P", "ECC_SECG")):
        return {"sealed bytes": key} if len(key) >= 32 else {}
    private = parse_pkcs8(key, spec)
    named: dict[str, bytes] = {}
    numbers: dict[str, int] = {}
    if isinstance(private, rsa.RSAPrivateKey):
        values = private.private_numbers()
        numbers = {"p": values.p, "q": values.q, "d": values.d, "dp": values.dmp1, "dq": values.dmq1, "qi": values.iqmp}
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        numbers = {"d": private.private_numbers().private_value}
    for name, value in numbers.items():
        length = max((value.bit_length() + 7) // 8, 32)
        named[f"{name}, highest byte first"] = value.to_bytes(length, "big")
        named[f"{name}, lowest byte first"] = value.to_bytes(length, "little")
    return named


def decrypt(data: Path, key_id: str, context: bytes, blob: bytes) -> bytes:
    """Open a ciphertext blob offline: shows that what was unsealed is the key that the server uses."""
    backend = SoftwareBackend(open_root_key(data / "root.key", None))
    with closing(sqlite3.connect(f"file:{data / 'fuin.db'}?mode=ro", uri=True)) as database:
        query = f"{_ALL} WHERE key_id = ? AND material_id = ?"
        named = (key_id, blobs.parse(blob).material_id)
        _, material_id, spec, wrapped, _ = database.execute(query, named).fetchone()
    opened = backend.material(Material(key_id, material_id, spec, wrapped).encoded)
    return opened.decrypt(context, blob)
