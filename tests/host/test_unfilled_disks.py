"""A disk whose filling has not ended: it is not opened at boot, not mounted and not sent as a snapshot."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.host import agent, disks
from fuin.host.programs import HostError
from fuin.host.snapshots.taking import take_snapshot
from fuin.host.volumes import Wish
from fuin.host.wire.clients import BLOCK
from fuin.host.wire.refusals import Unreachable
from fuin.host.wire.tasks import SnapshotTask
from tests.host.fakes import FakeHost
from tests.host.needs import needs_qemu

pytestmark = needs_qemu
MIB = 1024 * 1024
VOLUME, SOURCE, NEW = "vol-0aaaaaaa", "snap-0aaaaaa1", "snap-0aaaaaa2"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """Return a host with a task to fill a volume from eight blocks; a GiB is 16 MiB here, and its format is qemu."""
    monkeypatch.setattr(disks, "GIB", 16 * MIB)
    found = FakeHost(tmp_path)
    found.formats.all = found.formats.all[1:]
    found.blocks.snapshots[SOURCE] = {index: bytes([65 + index]) * BLOCK for index in range(8)}
    found.add_attachment(VOLUME, snapshot_id=SOURCE)
    yield found
    found.close_all()


def test_agent_sends_no_snapshot_of_a_half(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server goes away while a disk is filled: the snapshot of it fails, and filled to its end it is sent."""
    get = host.blocks.get_block

    def go_away(snapshot_id: str, index: int, token: str) -> bytes:
        if index >= 3:
            raise Unreachable("the server", "it is away")
        return get(snapshot_id, index, token)

    monkeypatch.setattr(host.blocks, "get_block", go_away)
    host.tasks.tasks.snapshots.append(SnapshotTask(NEW, VOLUME, ""))
    said: list[str] = []
    agent.do_tasks(host.server, host.volumes, said.append)
    assert (host.blocks.completed, host.blocks.sent) == ({}, {})
    assert host.tasks.reports == [(NEW, "error")]
    assert f"{VOLUME} is not filled" in said[1]
    for state in ("attached", "attaching"):
        host.volumes.close(VOLUME)
        with pytest.raises(HostError, match="is not filled"):
            host.volumes.open(host.kms, VOLUME)
        task = replace(host.tasks.tasks.attachments[VOLUME], state=state)
        wish = Wish(mount=tmp_path / "mount", file_system="ext4")
        with pytest.raises(Unreachable):
            host.volumes.attach(host.server, task, wish)
        assert not (tmp_path / "mount").exists()
    with pytest.raises(HostError, match="is not filled"):
        host.volumes.grow(host.kms, VOLUME, 32 * MIB)
    host.volumes.records.save(replace(host.volumes.find_place(VOLUME).record, mount=""))
    monkeypatch.setattr(host.blocks, "get_block", get)
    agent.do_tasks(host.server, host.volumes, said.append)
    assert host.tasks.reports[-1] == (VOLUME, "attached")
    assert {index: host.blocks.snapshots[NEW][index] for index in range(8)} == host.blocks.snapshots[SOURCE]
    host.volumes.close(VOLUME)
    host.volumes.open(host.kms, VOLUME)


def test_snapshot_of_a_volume_that_is_not_attached(host: FakeHost) -> None:
    """A volume that is still open here after its attachment has ended is not sent."""
    agent.do_tasks(host.server, host.volumes, lambda _: None)
    del host.tasks.tasks.attachments[VOLUME]
    with pytest.raises(HostError, match="is not attached to this host"):
        take_snapshot(host.server, host.volumes, SnapshotTask(NEW, VOLUME, ""))
    assert host.blocks.completed == {}
    assert host.tasks.reports[-1] == (NEW, "error")
