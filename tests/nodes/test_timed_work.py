"""The timed work of many nodes: the node that does it is killed, and another one does it from then on."""

from __future__ import annotations

import datetime
import os
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fuin.server.timekeeper import LOOK_EVERY
from tests.nodes.conftest import Installation
from tests.support.processes import wait_until

pytestmark = pytest.mark.long  # half a minute, most of it waiting


def test_another_node_takes_the_work_of_a_killed_one(installation: Installation) -> None:
    """Imported material reaches its date after the working node was killed: the other one destroys it."""
    wait_until(lambda: _worker(installation) != "", 2 * LOOK_EVERY, "a node does the timed work")
    first = _worker(installation)
    [other] = {"a", "b"} - {first}
    kms = installation.node(other).client("kms", retry=False)
    key = _import_material(kms, seconds=5)
    assert _has_material(installation, key)
    installation.node(first).kill()
    wait_until(lambda: _worker(installation) == other, 3 * LOOK_EVERY, f"{other} does the timed work")
    wait_until(lambda: not _has_material(installation, key), 3 * LOOK_EVERY, "the material is destroyed")
    installation.start(first)
    assert _worker(installation) == other


def _worker(installation: Installation) -> str:
    """Return the name of the listed node that does the timed work, empty if none does."""
    with psycopg.connect(installation.url) as conn:
        row = conn.execute("SELECT node FROM jobs JOIN nodes USING (incarnation) WHERE nodes.name = node").fetchone()
    return str(row[0]) if row else ""


def _import_material(kms: Any, seconds: float) -> str:
    """Make a key whose material ends soon; return its id."""
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    wrapping: Any = load_der_public_key(given["PublicKey"])
    kms.import_key_material(
        KeyId=key, ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrapping.encrypt(os.urandom(32), padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)),
        ValidTo=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds),
        ExpirationModel="KEY_MATERIAL_EXPIRES",
    )  # fmt: skip
    return str(key)


def _has_material(installation: Installation, key: str) -> bool:
    """Return whether a row of the key's material still holds more than zeros."""
    query = "SELECT wrapped FROM materials JOIN sealed_materials USING (id) WHERE key_id = %s"
    with psycopg.connect(installation.url) as conn:
        return any(any(wrapped) for (wrapped,) in conn.execute(query, [key]))
