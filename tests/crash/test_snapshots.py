"""A crash between the blobs of a snapshot and the rows that name them: a block is there or not, and so a snapshot."""

import pytest
from botocore.exceptions import ClientError

from tests.crash import soundness
from tests.crash.scene import Scene
from tests.ebs.images import Ebs, block
from tests.support.server import Server

pytestmark = pytest.mark.real

PUT = {"packs.after_commit": False, "snapshots.after_block": True}
COMPLETE = {"snapshots.after_index": False, "snapshots.after_completion": True}


@pytest.mark.parametrize(("point", "expected"), PUT.items())
def test_block_is_there_or_not(scene: Scene, point: str, expected: bool) -> None:
    """A block that was being put is whole, or it is put again; its pack is no orphan when a row names it."""
    made: list[str] = []

    def act(server: Server) -> None:
        ebs = Ebs(server.client("ebs", retry=False))
        made.append(ebs.start())
        ebs.put(made[0], 5, block(1))

    server = scene.crash(point, "server", act)
    ebs = Ebs(server.client("ebs"))
    try:
        ebs.complete(made[0], 1)
        there = True
    except ClientError:
        there = False
        ebs.put(made[0], 5, block(1))
        ebs.complete(made[0], 1)
    assert ebs.read(made[0]) == {5: block(1)}
    scene.check(there=there, expected=expected)


@pytest.mark.parametrize(("point", "expected"), COMPLETE.items())
def test_snapshot_is_complete_or_not(scene: Scene, point: str, expected: bool) -> None:
    """A snapshot that was being completed is complete, or it is completed again; deleted, it leaves nothing."""
    made: list[str] = []

    def act(server: Server) -> None:
        ebs = Ebs(server.client("ebs", retry=False))
        made.append(ebs.start())
        ebs.put(made[0], 5, block(1))
        ebs.complete(made[0], 1)

    server = scene.crash(point, "worker", act)
    ebs = Ebs(server.client("ebs"))
    there = ebs.complete(made[0], 1) == "completed"
    assert ebs.read(made[0]) == {5: block(1)}
    server.client("ec2").delete_snapshot(SnapshotId=made[0])
    scene.check(there=there, expected=expected)
    assert len(soundness.named_blobs(server)) == 1  # the object of the scene
