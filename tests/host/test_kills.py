"""Commands that are killed at each of their steps: the next one does the rest, and nothing that was written is lost."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuin.host import disks
from fuin.host.snapshots.taking import take_snapshot
from fuin.host.volumes import Wish
from fuin.host.wire.tasks import SnapshotTask
from tests.host.fakes import FakeHost
from tests.host.needs import needs_qemu

pytestmark = needs_qemu
MIB = 1024 * 1024
LONG = os.environ.get("FUIN_LONG") == "1"
VOLUME, COPY = "vol-0aaaaaaa", "vol-0bbbbbbb"
FIRST = "snap-0aaaaaa1"


class Killed(BaseException):
    """The end of a process; no code of ours catches it."""


class Steps:
    """Counts the programs that a command starts, and kills it before or after the one that is chosen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run = subprocess.run
        self.number = self.kill_before = self.kill_after = 0
        monkeypatch.setattr(subprocess, "run", self._step)

    def _step(self, *arguments: Any, **options: Any) -> Any:
        self.number += 1
        if self.number == self.kill_before:
            raise Killed
        result = self._run(*arguments, **options)
        if self.number == self.kill_after:
            raise Killed
        return result

    def kill(self, *, before: int = 0, after: int = 0) -> None:
        """Choose the step at which the next command is killed."""
        self.number, self.kill_before, self.kill_after = 0, before, after


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """Return a host; a GiB is 16 MiB here."""
    monkeypatch.setattr(disks, "GIB", 16 * MIB)
    found = FakeHost(tmp_path)
    yield found
    found.close_all()


def _attach(host: FakeHost, volume: str, mount: Path, **members: object) -> None:
    task = replace(host.tasks.tasks.attachments[volume], **members)  # type: ignore[arg-type]
    host.volumes.attach(host.server, task, Wish(format="qemu", mount=mount, file_system="ext4"))


def _count_steps(host: FakeHost, steps: Steps, mount: Path) -> int:
    host.add_attachment("vol-0fffffff")
    steps.kill()
    _attach(host, "vol-0fffffff", mount)
    return steps.number


def test_attach_killed_at_each_step(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after each program that it starts, attaching begins anew and ends well."""
    steps = Steps(monkeypatch)
    count = _count_steps(host, steps, tmp_path / "count")
    assert count >= 6
    for number in range(1, count + 1):
        for when in ("before", "after") if LONG else ("after",):
            volume = f"vol-0{number:04x}{'b' if when == 'before' else 'a'}00"
            host.add_attachment(volume)
            steps.kill(**{when: number})
            with suppress(Killed):
                _attach(host, volume, tmp_path / volume)
                raise AssertionError("it was not killed")
            steps.kill()
            is_formatted = (volume, "attached") in host.tasks.reports
            _attach(host, volume, tmp_path / volume, is_formatted=is_formatted)
            (tmp_path / volume / "file").write_text("kept")
            host.volumes.close(volume)
            host.volumes.open(host.kms, volume)
            assert (tmp_path / volume / "file").read_text() == "kept", (when, number)
            host.volumes.close(volume)


def test_filling_and_snapshot_killed(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it is filled, a volume is filled again; killed in a snapshot, the file system is not held."""
    mount = tmp_path / "mount"
    host.add_attachment(VOLUME)
    _attach(host, VOLUME, mount)
    (mount / "file").write_bytes(b"text" * 100_000)
    put, get = host.blocks.put_block, host.blocks.get_block

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(host.blocks, "put_block", die)
    with pytest.raises(Killed):
        take_snapshot(host.server, host.volumes, SnapshotTask(FIRST, VOLUME, ""))
    (mount / "meanwhile").write_text("written")
    monkeypatch.setattr(host.blocks, "put_block", put)
    take_snapshot(host.server, host.volumes, SnapshotTask(FIRST, VOLUME, ""))
    host.add_attachment(COPY, snapshot_id=FIRST)
    monkeypatch.setattr(host.blocks, "get_block", die)
    with pytest.raises(Killed):
        _attach(host, COPY, tmp_path / "copy")
    assert host.tasks.reports == [(VOLUME, "attached")]
    monkeypatch.setattr(host.blocks, "get_block", get)
    _attach(host, COPY, tmp_path / "copy")
    assert (tmp_path / "copy" / "file").read_bytes() == b"text" * 100_000
    assert (tmp_path / "copy" / "meanwhile").read_text() == "written"
