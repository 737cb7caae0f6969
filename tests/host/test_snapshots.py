"""Snapshots of a host's volumes: what is read, sent and filled, on files and on real disks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from fuin.host import disks, file_systems
from fuin.host.programs import HostError
from fuin.host.snapshots.filling import fill
from fuin.host.snapshots.sending import Parent, Source, find_parent, send_snapshot
from fuin.host.snapshots.taking import take_snapshot
from fuin.host.volumes import Wish
from fuin.host.wire.clients import BLOCK, HostBlocks
from fuin.host.wire.refusals import Refusal, Unreachable
from fuin.host.wire.tasks import SnapshotTask
from tests.host.fakes import FakeBlocks, FakeHost
from tests.host.needs import needs_qemu

MIB = 1024 * 1024
VOLUME = "vol-0aaaaaaa"
FIRST, SECOND, THIRD = "snap-0aaaaaa1", "snap-0aaaaaa2", "snap-0aaaaaa3"


def _send(blocks: FakeBlocks, name: str, disk: Path, parent: Parent, offset: int = 0) -> list[int]:
    source = Source(disk, disk, offset)
    send_snapshot(cast("HostBlocks", blocks), name, source, parent, disk.with_suffix(f".{name}"))
    return sorted(blocks.sent.get(name, []))


def _write(disk: Path, *pieces: tuple[int, bytes]) -> None:
    with disk.open("r+b") as file:
        for index, data in pieces:
            file.seek(index * BLOCK)
            file.write(data)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a file of ten blocks and a half, with holes; blocks 2 and 7 were written."""
    found = tmp_path / "disk"
    with found.open("wb") as file:
        file.truncate(10 * BLOCK + 4096)
    _write(found, (2, b"two"), (7, b"seven"))
    return found


def test_only_blocks_with_content_are_sent(disk: Path) -> None:
    """Holes and blocks of zeros do not travel; the last block, which is short, is filled up with zeros."""
    blocks = FakeBlocks()
    _write(disk, (4, bytes(BLOCK)), (10, b"end"))
    assert _send(blocks, FIRST, disk, Parent()) == [2, 7, 10]
    assert blocks.snapshots[FIRST][10] == b"end".ljust(BLOCK, b"\0")


def test_only_changed_blocks_are_sent(disk: Path) -> None:
    """The next snapshot sends what differs from the checksums of the last one, also a block that became zeros."""
    blocks = FakeBlocks()
    _send(blocks, FIRST, disk, Parent())
    blocks.parents[SECOND] = FIRST
    _write(disk, (2, bytes(BLOCK)), (5, b"five"))
    parent = find_parent(cast("HostBlocks", blocks), FIRST, disk.with_suffix(f".{FIRST}"))
    assert _send(blocks, SECOND, disk, parent) == [2, 5]
    assert {index for index, data in blocks.snapshots[SECOND].items() if data.strip(b"\0")} == {5, 7}
    parent = find_parent(cast("HostBlocks", blocks), SECOND, disk.with_suffix(f".{SECOND}"))
    assert _send(blocks, THIRD, disk, parent) == []


def test_without_checksums_of_the_parent_no_old_block_stays(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another host the parent's list is asked: what it has and the disk has not is sent as zeros, or else all is."""
    blocks = FakeBlocks({FIRST: {3: b"x" * BLOCK}})
    parent = find_parent(cast("HostBlocks", blocks), FIRST, disk.with_suffix(".none"))
    assert _send(blocks, SECOND, disk, parent) == [2, 3, 7]

    def refuse(_: str) -> Iterator[tuple[int, str]]:
        raise Refusal("ListSnapshotBlocks", "AccessDeniedException", "")

    monkeypatch.setattr(blocks, "list_blocks", refuse)
    parent = find_parent(cast("HostBlocks", blocks), FIRST, disk.with_suffix(".none"))
    assert _send(blocks, THIRD, disk, parent) == list(range(11))


@pytest.mark.parametrize("dies_after", [0, 1])
def test_interrupted_snapshot_is_not_completed(disk: Path, dies_after: int) -> None:
    """A server that goes away in between: nothing is completed, no checksum is kept, and the next try sends all."""
    blocks = FakeBlocks(dies_after=dies_after)
    with pytest.raises(Unreachable):
        _send(blocks, FIRST, disk, Parent())
    assert (blocks.completed, disk.with_suffix(f".{FIRST}").exists()) == ({}, False)
    blocks.dies_after = 1000
    blocks.sent.clear()
    assert _send(blocks, FIRST, disk, Parent()) == [2, 7]


def test_data_offset_counts_for_holes(disk: Path, tmp_path: Path) -> None:
    """Where the data begin behind a header, the holes of the file below are taken from there."""
    blocks = FakeBlocks()
    plain = tmp_path / "plain"
    plain.write_bytes(b"x" * (8 * BLOCK))
    send_snapshot(cast("HostBlocks", blocks), FIRST, Source(plain, disk, 2 * BLOCK), Parent(), tmp_path / "sums")
    assert blocks.sent[FIRST] == [0, 5]


def test_fill_writes_zeros_where_the_snapshot_has_no_block(tmp_path: Path) -> None:
    """A new disk holds noise: after filling it has the blocks, and zeros elsewhere."""
    target = tmp_path / "target"
    target.write_bytes(os.urandom(3 * BLOCK + 4096))
    blocks = FakeBlocks({FIRST: {1: b"one".ljust(BLOCK, b"\0")}})
    assert fill(cast("HostBlocks", blocks), FIRST, target) == 1
    assert target.read_bytes() == (bytes(BLOCK) + b"one").ljust(3 * BLOCK + 4096, b"\0")
    blocks.snapshots[FIRST][4] = bytes(BLOCK)
    with pytest.raises(HostError, match="does not fit"):
        fill(cast("HostBlocks", blocks), FIRST, target)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """Return a host; a GiB is 48 MiB here."""
    monkeypatch.setattr(disks, "GIB", 48 * MIB)
    found = FakeHost(tmp_path / "host")
    found.folder.mkdir()
    yield found
    found.close_all()


def _attach(host: FakeHost, volume_id: str, mount: Path, file_system: str = "", snapshot_id: str = "") -> None:
    task = host.add_attachment(volume_id, snapshot_id=snapshot_id)
    host.volumes.attach(host.server, task, Wish(format="qemu", mount=mount, file_system=file_system))


@needs_qemu
def test_snapshot_of_a_mounted_volume_and_a_volume_from_it(host: FakeHost, tmp_path: Path) -> None:
    """Files come over into a volume under another data key; the second snapshot sends little."""
    mount, copy = tmp_path / "mount", tmp_path / "copy"
    _attach(host, VOLUME, mount, "ext4")
    (mount / "file").write_bytes(b"text" * 300_000)
    first = take_snapshot(host.server, host.volumes, SnapshotTask(FIRST, VOLUME, ""))
    assert 3 <= first.sent <= first.read < 60
    (mount / "second").write_text("late")
    second = take_snapshot(host.server, host.volumes, SnapshotTask(SECOND, VOLUME, FIRST))
    assert 1 <= second.sent < first.sent
    assert [file.name for file in (host.folder / "volumes").glob("*.checksums")] == [f"{VOLUME}.{SECOND}.checksums"]
    host.blocks.snapshots[SECOND] = host.blocks.snapshots[FIRST] | host.blocks.snapshots[SECOND]
    _attach(host, "vol-0bbbbbbb", copy, snapshot_id=SECOND)
    assert host.tasks.flags[-1] == (True, True)
    assert ((copy / "file").read_bytes(), (copy / "second").read_text()) == (b"text" * 300_000, "late")


@needs_qemu
def test_snapshot_of_a_closed_volume_is_refused(host: FakeHost, tmp_path: Path) -> None:
    """A volume that is not open here cannot be read: the server learns it, with the way out."""
    _attach(host, VOLUME, tmp_path / "mount", "ext4")
    host.volumes.close(VOLUME)
    with pytest.raises(HostError, match="attach it"):
        take_snapshot(host.server, host.volumes, SnapshotTask(FIRST, VOLUME, ""))
    assert host.tasks.reports[-1] == (FIRST, "error")


@needs_qemu
def test_writers_go_on_when_a_sender_is_killed(host: FakeHost, tmp_path: Path) -> None:
    """A process that is killed while it holds a file system still does not leave it so."""
    mount = tmp_path / "mount"
    _attach(host, VOLUME, mount, "ext4")
    script = (
        "import os, signal, sys; from pathlib import Path; from fuin.host.file_systems import freeze\n"
        "with freeze(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, mount], check=False)
    subprocess.run(["timeout", "20", "sh", "-c", f"echo written > {mount}/file"], check=True)
    assert (mount / "file").read_text() == "written\n"


@needs_qemu
def test_copy_that_shares_blocks(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On xfs a snapshot is read from a copy that takes no space; what is written meanwhile is not in it."""
    image, place = tmp_path / "xfs", tmp_path / "place"
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        inner = FakeHost(place)
        _attach(inner, VOLUME, tmp_path / "mount", "ext4")
        own = [place / "volumes" / name for name in (f"{VOLUME}.still", ".fuin-vol-0bbbbbbb-x.still")]
        left = place / "volumes" / f".fuin-{VOLUME}-left.still"
        for other in (*own, left):
            other.write_text("of somebody else")
        (tmp_path / "mount" / "file").write_text("before")
        put = inner.blocks.put_block

        def write_and_put(*arguments: object) -> None:
            (tmp_path / "mount" / "file").write_text("meanwhile")  # would wait, were the file system frozen
            put(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(inner.blocks, "put_block", write_and_put)
        take_snapshot(inner.server, inner.volumes, SnapshotTask(FIRST, VOLUME, ""))
        data = b"".join(inner.blocks.snapshots[FIRST].values())
        assert (b"before" in data, b"meanwhile" in data) == (True, False)
        assert sorted(place.glob("**/*.still")) == sorted(own)
        assert [other.read_text() for other in own] == ["of somebody else"] * 2
        inner.close_all()
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
    assert file_systems.find_type(image) == "xfs"
