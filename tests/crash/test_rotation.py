"""A crash in the middle of a rotation and of a deletion of imported material, by the real server."""

import os
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from tests.crash.scene import TARGETS, Scene
from tests.kms.importing import bring
from tests.support.processes import is_alive, wait_until
from tests.support.server import Server

pytestmark = pytest.mark.real


def _rotations(server: Server, key_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client("kms").list_key_rotations(KeyId=key_id)["Rotations"]
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_rotation_on_demand_is_whole_or_absent(scene: Scene, target: str) -> None:
    """A key that was being rotated has its old material or the new one, and all that was sealed opens."""

    def act(server: Server) -> None:
        server.client("kms", retry=False).rotate_key_on_demand(KeyId=scene.key_id)

    server = scene.crash("rotate_key.after_material", target, act)
    rotated = len(_rotations(server, scene.key_id))
    assert rotated in (0, 1)
    scene.check(there=rotated == 1, expected=False)


def test_automatic_rotation_is_made_up_for(scene: Scene) -> None:
    """A worker that dies in the job leaves the rotation to the next start, which does it once, as one long due."""
    server = scene.server.start()
    server.client("kms").enable_key_rotation(KeyId=scene.key_id, RotationPeriodInDays=90)
    server.stop()
    with closing(sqlite3.connect(server.data / "fuin.db")) as database, database:
        database.execute("UPDATE keys SET rotation_due = ? WHERE rotation_period = 90", (time.time() - 300 * 86400,))
    server.start({"FUIN_PAUSE_POINT": "rotate_key.after_material"})
    [worker] = server.workers()
    wait_until(lambda: worker.status() == "stopped", 60, "the job holds the worker")
    server.kill()
    assert not is_alive(worker)
    server.start()
    wait_until(lambda: len(_rotations(server, scene.key_id)) == 1, 60, "the job rotates")
    [rotation] = _rotations(server, scene.key_id)
    assert (rotation["RotationType"], rotation["KeyMaterialState"]) == ("AUTOMATIC", "CURRENT")
    server.stop()
    server.start()
    assert len(_rotations(server, scene.key_id)) == 1
    server.stop()


def test_deleted_material_is_cleared_after_the_start(scene: Scene) -> None:
    """A worker that dies after a deletion, before the files are cleared, leaves that to the next start."""
    server = scene.server.start()
    kms = server.client("kms")
    key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    bring(kms, key_id, os.urandom(32))
    server.stop()
    database = server.data / "fuin.db"
    with closing(sqlite3.connect(database)) as connection:
        [[wrapped]] = connection.execute(
            "SELECT wrapped FROM sealed_materials s JOIN materials m ON m.id = s.id WHERE m.key_id = ?", (key_id,)
        )

    def in_files() -> bool:
        return any(wrapped[40:80] in path.read_bytes() for path in server.data.glob("fuin.db*"))

    assert in_files()

    def act(server: Server) -> None:
        server.client("kms", retry=False).delete_imported_key_material(KeyId=key_id)

    scene.crash("delete_material.after_store", "worker", act)
    assert server.client("kms").describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"
    wait_until(lambda: not in_files(), 60, "the files are cleared")
    server.stop()
