"""A volume's life on a host, with a server in memory and real disks in the format qemu."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.host import agent, disks, file_systems, local
from fuin.host.disk import BusyError, WrongKeyError, measure
from fuin.host.programs import HostError
from fuin.host.records import Record
from fuin.host.token import Token
from fuin.host.volumes import Wish
from fuin.host.wire.refusals import Refusal, Unreachable
from fuin.host.wire.tasks import AttachmentTask
from tests.host.fakes import FakeHost, kill
from tests.host.needs import needs_qemu

pytestmark = needs_qemu
VOLUME, OTHER = "vol-0aaaaaaa", "vol-0bbbbbbb"
MIB = 1024 * 1024


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """Return a host; a GiB is 32 MiB here."""
    monkeypatch.setattr(disks, "GIB", 32 * MIB)
    found = FakeHost(tmp_path)
    yield found
    found.close_all()


def _attach(host: FakeHost, task: AttachmentTask, **wish: object) -> Path:
    place = host.volumes.attach(host.server, task, Wish(format="qemu", **wish))  # type: ignore[arg-type]
    opened = place.find_open()
    assert opened
    return opened.device


def _told(host: FakeHost) -> list[str]:
    return [state for _, state in host.tasks.reports]


def test_life(host: FakeHost, tmp_path: Path) -> None:
    """Attach with a new file system, busy while used, detach; the right is gone, and with it the volume."""
    mount = tmp_path / "mount"
    task = host.add_attachment(VOLUME)
    device = _attach(host, task, mount=mount, file_system="ext4")
    assert measure(device) == 32 * MIB  # the size of the volume, though its file is larger
    assert (_told(host), host.tasks.flags) == (["attached"], [(True, False)])
    assert host.kms.asked == [VOLUME]
    (mount / "file").write_text("kept")
    with (mount / "file").open():
        with pytest.raises(BusyError, match="mount is in use"):
            host.volumes.detach(host.server.tasks, VOLUME)
        assert (_told(host)[1:], (mount / "file").read_text()) == (["busy"], "kept")
    host.volumes.detach(host.server.tasks, VOLUME)
    assert (_told(host)[2:], list(mount.iterdir())) == (["detached"], [])
    host.kms.disabled.add(task.key_arn)
    with pytest.raises(Refusal, match="is disabled"):
        host.volumes.open(host.kms, VOLUME)
    host.kms.disabled.clear()
    host.volumes.open(host.kms, VOLUME)
    assert (mount / "file").read_text() == "kept"


def test_file_system_is_made_only_when_asked_for(host: FakeHost, tmp_path: Path) -> None:
    """Without --mkfs nothing is made; another one is never made over one that is there."""
    task = host.add_attachment(VOLUME)
    device = _attach(host, task)
    assert file_systems.find_type(device) == ""
    with pytest.raises(HostError, match="no file system: --mkfs"):
        _attach(host, replace(task, is_formatted=True), mount=tmp_path / "mount")
    _attach(host, replace(task, is_formatted=True), file_system="ext4")
    with pytest.raises(HostError, match="has a file system already: ext4"):
        _attach(host, replace(task, is_formatted=True), file_system="xfs")


@pytest.mark.parametrize("name", ["disabled", "context"])
def test_refused_key_fails_the_attachment(host: FakeHost, name: str) -> None:
    """A key that KMS does not open: the server learns why, and no disk is made."""
    task = host.add_attachment(VOLUME)
    if name == "disabled":
        host.kms.disabled.add(task.key_arn)
    else:
        task = replace(task, context_id=OTHER)
    with pytest.raises(Refusal):
        _attach(host, task)
    assert (_told(host), host.volumes.records.list_all()) == (["failed"], [])
    assert "refused" in host.tasks.messages[0]
    assert not host.volumes.records.default_disk(VOLUME).exists()


def test_server_that_is_away_fails_nothing(host: FakeHost) -> None:
    """Without an answer of KMS nothing is reported: the task is done later."""
    host.kms.is_away = True
    task = host.add_attachment(VOLUME)
    with pytest.raises(Unreachable):
        _attach(host, task)
    assert _told(host) == []


def test_volume_whose_data_are_elsewhere(host: FakeHost, tmp_path: Path) -> None:
    """A formatted volume is never formatted again: not on a missing disk, and not on an empty one."""
    task = host.add_attachment(VOLUME, is_formatted=True, home="i-0ccccccc")
    with pytest.raises(HostError, match=r"host i-0ccccccc.*take a snapshot there"):
        _attach(host, task)
    with (tmp_path / "empty").open("wb") as file:
        file.truncate(64 * MIB)
    with pytest.raises(HostError, match="take a snapshot there"):
        _attach(host, task, disk=tmp_path / "empty")
    assert not (tmp_path / "empty").read_bytes().strip(b"\0")
    assert _told(host) == ["failed", "failed"]


def test_disk_of_another_volume_is_refused(host: FakeHost) -> None:
    """A volume is not opened from the disk of another one, also when the token was exchanged to say otherwise."""
    for name in (VOLUME, OTHER):
        _attach(host, host.add_attachment(name))
        host.volumes.close(name)
    first, second = (host.volumes.records.default_disk(name) for name in (VOLUME, OTHER))
    task = replace(host.tasks.tasks.attachments[VOLUME], is_formatted=True)
    with pytest.raises(HostError, match=f"this disk is of {OTHER}, not of {VOLUME}"):
        _attach(host, task, disk=second)
    format_ = host.formats.get_format("qemu")
    own = format_.read_tokens(first)
    format_.write_tokens(second, own)
    with pytest.raises(WrongKeyError, match="exchanged"):
        _attach(host, task, disk=second)
    host.volumes.records.save(replace(host.volumes.find_place(VOLUME).record, disk=str(second)))
    with pytest.raises(WrongKeyError):
        host.volumes.open(host.kms, VOLUME)


def test_disk_that_is_not_empty_is_refused(host: FakeHost, tmp_path: Path) -> None:
    """A disk with a file system or other data is not formatted, and one that is too small is not, either."""
    task = host.add_attachment(VOLUME)
    for content, text in ((b"data", "does not begin with zeros"), (b"", "too small")):
        (tmp_path / "disk").write_bytes(content.ljust(40 * MIB, b"\0"))
        with pytest.raises(HostError, match=text):
            _attach(host, task, disk=tmp_path / "disk")
    subprocess.run(["mkfs.ext4", "-q", tmp_path / "disk", "60M"], check=True)
    with pytest.raises(HostError, match="not empty: it has ext4"):
        _attach(host, task, disk=tmp_path / "disk")


def test_half_of_a_header_is_made_again(host: FakeHost) -> None:
    """A host that was killed while it formatted its own file formats it again."""
    task = host.add_attachment(VOLUME)
    disk = host.volumes.records.default_disk(VOLUME)
    disks.make_file(disk, 1)
    _attach(host, task)
    assert host.formats.get_format("qemu").read_tokens(disk)


def test_rewrapped_key_of_the_server_reaches_the_disk(host: FakeHost) -> None:
    """The same data key under another KMS key: the token follows; a token of another data key does not."""
    task = host.add_attachment(VOLUME)
    _attach(host, task)
    host.volumes.close(VOLUME)
    old = Token(VOLUME, VOLUME, task.key_arn, task.wrapped_key)
    arn, wrapped = host.kms.re_encrypt(old, "arn:b")
    _attach(host, replace(task, key_arn=arn, wrapped_key=wrapped, is_formatted=True))
    disk = host.volumes.records.default_disk(VOLUME)
    assert host.formats.get_format("qemu").read_tokens(disk) == [replace(old, key_arn="arn:b", wrapped_key=wrapped)]
    host.volumes.close(VOLUME)
    _, foreign = host.kms.make_key("arn:c", VOLUME)
    with pytest.raises(WrongKeyError):
        _attach(host, replace(task, key_arn="arn:c", wrapped_key=foreign, is_formatted=True))
    assert host.formats.get_format("qemu").read_tokens(disk)[0].key_arn == "arn:b"


def test_grow(host: FakeHost, tmp_path: Path) -> None:
    """The file, the disk and the mounted file system grow."""
    mount = tmp_path / "mount"
    _attach(host, host.add_attachment(VOLUME), mount=mount, file_system="ext4")
    (mount / "file").write_text("kept")
    before = shutil.disk_usage(mount).total
    host.volumes.grow(host.kms, VOLUME, 96 * MIB)
    assert shutil.disk_usage(mount).total > 2.5 * before
    assert (mount / "file").read_text() == "kept"


def test_a_volume_does_not_shrink(host: FakeHost, tmp_path: Path) -> None:
    """What is behind the new end would be lost: nothing is unmounted, closed or noted."""
    mount = tmp_path / "mount"
    device = _attach(host, host.add_attachment(VOLUME), mount=mount, file_system="ext4")
    with pytest.raises(HostError, match="cannot become smaller"):
        host.volumes.grow(host.kms, VOLUME, 31 * MIB)
    assert (measure(device), file_systems.find_mounts(device)) == (32 * MIB, [mount])
    assert host.volumes.find_place(VOLUME).record.size == 32 * MIB


def test_nothing_is_hidden_by_a_mount(tmp_path: Path) -> None:
    """A mount point, a folder with something in it and a file are refused; a new folder and an empty one are taken."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for folder, text in ((Path("/proc"), "mounted at"), (tmp_path / "full", "not empty"),
                         (tmp_path / "full" / "file", "not a folder")):  # fmt: skip
        with pytest.raises(HostError, match=text):
            file_systems.check_folder(folder)
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new"):
        file_systems.check_folder(folder)


def test_local_disk(host: FakeHost, tmp_path: Path) -> None:
    """A file is formatted under a key of KMS, found again by its path on a host that has no record, and re-wrapped."""
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(40 * MIB)
    format_ = host.formats.get_format("qemu")
    place = local.format_disk(host.user_kms, host.volumes, format_, tmp_path / "disk", "arn:a")
    volume_id = place.record.volume_id
    with pytest.raises(HostError, match="not empty"):
        local.format_disk(host.user_kms, host.volumes, format_, tmp_path / "disk", "arn:a")
    host.volumes.records.remove(volume_id)
    for keys in ((), ("arn:b",)):
        with pytest.raises(HostError, match="confirm it by --key arn:a"):
            local.adopt_disk(host.volumes, host.formats, tmp_path / "disk", keys)
    assert host.volumes.records.list_all() == []
    adopted = local.adopt_disk(host.volumes, host.formats, tmp_path / "disk", ["arn:a"])
    assert adopted.record == place.record
    host.volumes.open(host.kms, volume_id)
    local.rewrap(host.user_kms, host.volumes, volume_id, "arn:b")
    host.kms.disabled.add("arn:a")
    host.volumes.close(volume_id)
    host.volumes.open(host.kms, volume_id)
    with pytest.raises(HostError, match="only luks2"):
        local.reencrypt(host.user_kms, host.volumes, volume_id, "")


@pytest.mark.parametrize("member", ["key_arn", "context_id"])
def test_header_of_somebody_else_is_not_opened_at_boot(host: FakeHost, member: str) -> None:
    """Who writes to the disk formats it under a key of their own, which KMS opens for this host: it is not asked."""
    task = host.add_attachment(VOLUME)
    _attach(host, task)
    host.volumes.close(VOLUME)
    disk, format_ = host.volumes.records.default_disk(VOLUME), host.formats.get_format("qemu")
    foreign = {"key_arn": task.key_arn, "context_id": VOLUME, member: f"{OTHER}-of-another"}
    arn, wrapped = host.kms.make_key(foreign["key_arn"], foreign["context_id"])
    key = host.kms.open_key(wrapped, foreign["context_id"])
    format_.make(disk, key, Token(VOLUME, foreign["context_id"], arn, wrapped))
    host.kms.asked.clear()
    with pytest.raises(HostError, match="its header was exchanged"):
        host.volumes.open(host.kms, VOLUME)
    with pytest.raises(HostError, match="its header was exchanged"):
        host.volumes.open_key(host.kms, host.volumes.find_place(VOLUME))
    assert (host.kms.asked, host.volumes.find_place(VOLUME).find_open()) == ([], None)
    format_.make(disk, key, Token(VOLUME, VOLUME, task.key_arn, wrapped))  # the header lies about the KMS key
    with pytest.raises(Refusal, match="IncorrectKey" if member == "key_arn" else "InvalidCiphertext"):
        host.volumes.open(host.kms, VOLUME)
    host.volumes.records.save(Record(VOLUME, str(disk), "qemu"))
    with pytest.raises(HostError, match="attach the volume again"):
        host.volumes.open(host.kms, VOLUME)


def test_agent(host: FakeHost) -> None:
    """The agent attaches, opens again what a killed process has closed, closes what is to be detached, and reports."""
    task = host.add_attachment(VOLUME)
    said: list[str] = []
    agent.do_tasks(host.server, host.volumes, said.append)
    host.add_attachment(OTHER, is_formatted=True)
    host.tasks.tasks.attachments[VOLUME] = replace(task, state="attached")
    kill(host.folder / "run" / f"fuin-{VOLUME}" / "pid")
    agent.do_tasks(host.server, host.volumes, said.append)
    assert said[0] == f"{VOLUME}: attached"
    assert said[-1].startswith(f"{OTHER}: the data of {OTHER} are on another disk")
    del host.tasks.tasks.attachments[OTHER]
    agent.do_tasks(host.server, host.volumes, said.append)
    assert f"{VOLUME}: open again" in said
    host.tasks.tasks.attachments[VOLUME] = replace(task, state="detaching")
    agent.do_tasks(host.server, host.volumes, said.append)
    assert said[-1] == f"{VOLUME}: detached"
    assert host.tasks.reports[-1] == (VOLUME, "detached")


class Clock:
    """A clock that a watch moves by sleeping."""

    def __init__(self, host: FakeHost, changes: dict[int, str]) -> None:
        self.now, self.sleeps, self._host, self._changes = 0.0, 0, host, changes

    def sleep(self, seconds: float) -> None:
        """Move on, and change what is due then."""
        self.now += seconds
        self.sleeps += 1
        change = self._changes.get(self.sleeps)
        if change == "away":
            self._host.kms.is_away = True
        elif change == "back":
            self._host.kms.is_away = False
        elif change == "disabled":
            self._host.kms.disabled |= {token.key_arn for token in self._tokens()}
        elif change == "header lost":
            with self._host.volumes.records.default_disk(VOLUME).open("r+b") as file:
                file.write(bytes(2 * MIB))

    def _tokens(self) -> list[Token]:
        return self._host.formats.get_format("qemu").read_tokens(self._host.volumes.records.default_disk(VOLUME))


@pytest.mark.parametrize(
    ("changes", "sleeps", "text"),
    [
        ({3: "disabled"}, 3, "is disabled"),
        ({3: "away"}, 4, "it is away"),
        ({2: "away", 3: "back", 5: "disabled"}, 5, "is disabled"),
        ({2: "header lost"}, 2, ""),
    ],
)
def test_watch_closes_within_the_bound(
    host: FakeHost, tmp_path: Path, changes: dict[int, str], sleeps: int, text: str
) -> None:
    """A third of the bound after a refusal, and before the bound is over without an answer, the volume is closed."""
    mount = tmp_path / "mount"
    _attach(host, host.add_attachment(VOLUME), mount=mount, file_system="ext4")
    clock = Clock(host, changes)
    with (mount / "in use").open("w"):
        error = agent.Watch(host.kms, host.volumes, VOLUME, 15, lambda: clock.now, clock.sleep).run()
    assert (text in str(error), clock.sleeps) == (True, sleeps)
    assert host.volumes.find_place(VOLUME).find_open() is None
