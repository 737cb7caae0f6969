"""Disks in the format qemu, opened for real: header, keys, kills, and what the raw disk and the process list show."""

import base64
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.host import file_systems
from fuin.host.disk import BusyError, WrongKeyError, measure
from fuin.host.programs import HostError
from fuin.host.qemu.format import Qemu
from fuin.host.qemu.header import read_header
from fuin.host.token import Token
from fuin.secret import Secret
from tests.host.fakes import kill
from tests.host.needs import needs_qemu

pytestmark = needs_qemu
MIB = 1024 * 1024
KEY = bytes(range(64))
TOKEN = Token("vol-0aaaaaaa", "vol-0aaaaaaa", "arn:aws:kms:us-east-1:1:key/a", b"wrapped" * 40)
NAME = "fuin-vol-0aaaaaaa"
NEEDLE = b"what nobody may find on the raw disk"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a formatted file; tests work on copies of it."""
    disk = tmp_path_factory.mktemp("qemu") / "disk"
    with disk.open("wb") as file:
        file.truncate(64 * MIB)
    Qemu(disk.parent).make(disk, Secret(KEY), TOKEN)
    return disk


@pytest.fixture
def disk(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the formatted file, with its holes."""
    with made.open("rb") as source, (tmp_path / "disk").open("wb") as target:
        target.write(source.read(4 * MIB))
        target.truncate(64 * MIB)
    return tmp_path / "disk"


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[Qemu]:
    """Return the format, and close at the end what was opened."""
    found = Qemu(tmp_path / "run")
    yield found
    found.cut_off(NAME)


def test_header(disk: Path, qemu: Qemu) -> None:
    """The token is read and replaced, the right key opens, another one does not; nothing of the key is in a token."""
    assert (qemu.is_on(disk), qemu.read_tokens(disk)) == (True, [TOKEN])
    other = replace(TOKEN, wrapped_key=b"other")
    qemu.write_tokens(disk, [other])
    assert read_header(disk) == (2, [other])
    qemu.check_key(disk, Secret(KEY))
    with pytest.raises(WrongKeyError):
        qemu.open(disk, NAME, Secret(KEY[::-1]))
    assert KEY not in disk.read_bytes()
    assert base64.b64encode(KEY) not in disk.read_bytes()


@pytest.mark.parametrize("offset", [0, 20, 64 * 1024, 64 * 1024 + 60])
def test_one_damaged_copy_does_no_harm(disk: Path, qemu: Qemu, offset: int) -> None:
    """Either copy of the header is enough."""
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff\xff")
    assert qemu.is_on(disk)
    assert qemu.read_tokens(disk) == [TOKEN]


def test_both_copies_damaged(disk: Path, qemu: Qemu) -> None:
    """Without a whole copy the disk is refused, and not taken for an empty one."""
    with disk.open("r+b") as file:
        for offset in (50, 64 * 1024 + 50):
            file.seek(offset)
            file.write(b"\xff\xff")
    assert qemu.is_on(disk)
    with pytest.raises(HostError, match="damaged"):
        qemu.read_tokens(disk)


def _mounted(qemu: Qemu, disk: Path, folder: Path) -> Path:
    opened = qemu.open(disk, NAME, Secret(KEY))
    file_systems.make(opened.device, "ext4")
    file_systems.mount(opened.device, folder)
    return opened.device


def test_nothing_of_the_plaintext_is_on_the_disk(disk: Path, qemu: Qemu, tmp_path: Path) -> None:
    """A file is written and flushed: the raw disk has nothing of it, and after closing and opening it is there."""
    device = _mounted(qemu, disk, tmp_path / "mount")
    (tmp_path / "mount" / "file").write_bytes(NEEDLE * 1000)
    with pytest.raises(BusyError):
        qemu.close(NAME)
    file_systems.unmount(device)
    qemu.close(NAME)
    assert qemu.find_open(NAME) is None
    raw = disk.read_bytes()
    assert NEEDLE not in raw
    assert b"lost+found" not in raw
    device = _mounted(qemu, disk, tmp_path / "mount")
    assert (tmp_path / "mount" / "file").read_bytes() == NEEDLE * 1000
    file_systems.unmount(device)


def test_key_is_in_no_argument_and_no_variable(disk: Path, qemu: Qemu, tmp_path: Path) -> None:
    """The process list and the environment of the storage daemon show nothing of the key or of ours."""
    qemu.open(disk, NAME, Secret(KEY))
    process = Path("/proc") / (tmp_path / "run" / NAME / "pid").read_text().strip()
    told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert b"qemu-storage-daemon" in told
    assert not any(form in told for form in (KEY, KEY.hex().encode(), base64.b64encode(KEY), b"PYTEST"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_block_server_loses_nothing_that_was_flushed(
    disk: Path, qemu: Qemu, tmp_path: Path, number: signal.Signals
) -> None:
    """The daemon dies under a mounted file system; opened again, the file system recovers and has what was flushed."""
    _mounted(qemu, disk, tmp_path / "mount")
    with (tmp_path / "mount" / "file").open("wb") as file:
        file.write(NEEDLE)
        file.flush()
        os.fsync(file.fileno())
    (tmp_path / "mount" / "late").write_bytes(NEEDLE)
    kill(tmp_path / "run" / NAME / "pid", number)
    device = _mounted(qemu, disk, tmp_path / "mount")
    assert (tmp_path / "mount" / "file").read_bytes() == NEEDLE
    file_systems.unmount(device)


def test_cut_off_while_in_use(disk: Path, qemu: Qemu, tmp_path: Path) -> None:
    """The key is taken away from a mounted volume at once: its process is gone, and reading gives errors."""
    _mounted(qemu, disk, tmp_path / "mount")
    (tmp_path / "mount" / "file").write_bytes(NEEDLE * 100_000)
    with (tmp_path / "mount" / "file").open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        qemu.cut_off(NAME)
        with pytest.raises(OSError, match="Input/output error"):
            file.read()
    assert qemu.find_open(NAME) is None
    assert not any((tmp_path / "mount").iterdir())


def test_grow(disk: Path, qemu: Qemu, tmp_path: Path) -> None:
    """The file below grows; the volume and its file system grow with it, and keep their files."""
    device = _mounted(qemu, disk, tmp_path / "mount")
    (tmp_path / "mount" / "file").write_bytes(NEEDLE)
    before = shutil.disk_usage(tmp_path / "mount").total
    file_systems.unmount(device)
    os.truncate(disk, 128 * MIB)
    device = qemu.grow(disk, NAME, Secret(KEY), 120 * MIB).device
    assert measure(device) == 120 * MIB
    file_systems.grow(device)
    file_systems.mount(device, tmp_path / "mount")
    assert shutil.disk_usage(tmp_path / "mount").total > 1.8 * before
    assert (tmp_path / "mount" / "file").read_bytes() == NEEDLE
    file_systems.unmount(device)
