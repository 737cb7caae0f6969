"""The real key material, recovered as only the holder of the root key can: with the keyholder's own code."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fuin.formats.wrapped import Material
from fuin.keyholder import sealing
from fuin.keyholder.rootkey import open_root_key
from fuin.keyholder.software import Software

_ALL = "SELECT key_id, material_id, spec, wrapped FROM materials JOIN sealed_materials USING (id)"


@dataclass(frozen=True)
class Unsealed:
    """The root key, the seed of the audit log's signatures, and each key's material by key id."""

    root_key: bytes
    audit_seed: bytes
    materials: dict[str, bytes]


def unseal(data: Path) -> Unsealed:
    """Open the root key file and unwrap every material in the database."""
    root = open_root_key(data / "root.key", None)
    seed = bytearray(32)
    sealing.derive_into(root.key, sealing.LABEL_SIGNING_SEED, b"", seed)
    backend = Software(root)
    materials: dict[str, bytes] = {}
    with closing(sqlite3.connect(f"file:{data / 'fuin.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(_ALL).fetchall()
    for key_id, material_id, spec, wrapped in rows:
        materials[key_id] = bytes(backend.unwrap(Material(key_id, material_id, spec, wrapped)))
    return Unsealed(bytes(root.key), bytes(seed), materials)


def decrypt(data: Path, key_id: str, context: bytes, blob: bytes) -> bytes:
    """Open a ciphertext blob offline: shows that what was unsealed is the key that the server uses."""
    backend = Software(open_root_key(data / "root.key", None))
    with closing(sqlite3.connect(f"file:{data / 'fuin.db'}?mode=ro", uri=True)) as database:
        _, material_id, spec, wrapped = database.execute(f"{_ALL} WHERE key_id = ?", (key_id,)).fetchone()
    opened = backend.material(Material(key_id, material_id, spec, wrapped).encoded)
    return opened.decrypt(context, blob)
