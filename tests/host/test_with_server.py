"""`fuin volume` against the whole server: EC2, EBS direct and KMS, with the credentials of a user and of a host."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fuin.cli.volume import app
from fuin.errors import FuinError
from fuin.host import disks
from fuin.host.programs import HostError
from fuin.host.qemu.header import read_header
from fuin.testing.kit.users import REGION
from tests.ec2.hosts import TestHost, ask
from tests.host.needs import needs_qemu
from tests.support.place import Place

pytestmark = needs_qemu
MIB = 1024 * 1024
ZONE = f"{REGION}a"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services."""
    made = Place(tmp_path_factory.mktemp("host") / "data")
    yield made
    made.close()


class Machine:
    """A registered host with its file, on which commands run as the account's root."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.host = TestHost(place)
        self.folder = folder
        self.file = folder / "host.json"
        content = {
            "host_id": self.host.id, "access_key_id": self.host.user.access_key_id,
            "secret_access_key": self.host.user.secret_access_key, "endpoint_url": place.url, "region": REGION,
            "folder": str(folder / "volumes"), "run_folder": str(folder / "run"),
        }  # fmt: skip
        self.file.write_text(json.dumps(content))
        self.file.chmod(0o600)

    def run(self, *arguments: object) -> str:
        """Run a command and return its output; raises what it raises."""
        command = [*map(str, arguments), "--host-file", str(self.file)]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    def close(self) -> None:
        """Close all volumes."""
        for line in self.run("list", "--json").splitlines():
            self.run("close", json.loads(line)["volume"], "--force")


@pytest.fixture
def machine(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Give a host; a GiB is 32 MiB here."""
    monkeypatch.setattr(disks, "GIB", 32 * MIB)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", place.root.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", place.root.secret_access_key)
    found = Machine(place, tmp_path)
    yield found
    found.close()


def _state(ec2: Any, volume: str) -> tuple[str, list[str]]:
    (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    return found["State"], [each["State"] for each in found["Attachments"]]


def test_life(place: Place, machine: Machine, tmp_path: Path) -> None:
    """Attach, mount, detach and attach again, each by one command; the server and KMS know of each."""
    ec2, kms = place.client("ec2"), place.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"]
    mount = tmp_path / "mount"
    said = machine.run("attach", volume, "--mkfs", "ext4", "--mount", mount)
    assert said.startswith(f"{volume} is open at /dev/loop")
    assert _state(ec2, volume) == ("in-use", ["attached"])
    (mount / "file").write_text("kept")
    [shown] = [json.loads(line) for line in machine.run("list", "--json").splitlines()]
    assert (shown["volume"], shown["mount"], shown["format"]) == (volume, str(mount), "qemu")
    kms.disable_key(KeyId=key)
    assert (mount / "file").read_text() == "kept"  # what is open stays open
    machine.run("detach", volume)
    assert _state(ec2, volume) == ("available", [])
    with pytest.raises(Exception, match="CustomerKeyHasBeenRevoked"):
        machine.run("attach", volume)
    kms.enable_key(KeyId=key)
    machine.run("attach", volume)
    assert (mount / "file").read_text() == "kept"
    raw = (machine.folder / "volumes" / f"{volume}.disk").read_bytes()
    assert b"kept" not in raw


def test_open_at_boot_needs_the_attachment(place: Place, machine: Machine, tmp_path: Path) -> None:
    """The host opens its volume again by itself, as long as it is attached: detached by force, KMS refuses it."""
    ec2 = place.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    machine.run("attach", volume, "--mkfs", "ext4", "--mount", tmp_path / "mount")
    machine.run("close", volume)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del os.environ[name]  # monkeypatch puts them back
    assert "is open at" in machine.run("open", volume)
    assert (tmp_path / "mount" / "lost+found").is_dir()
    machine.run("close", volume)
    ec2.detach_volume(VolumeId=volume, Force=True)
    with pytest.raises(Exception, match="AccessDenied"):
        machine.run("open", volume)


def test_agent_and_busy(place: Place, machine: Machine, tmp_path: Path) -> None:
    """Attached and detached by boto3 alone: the agent opens and closes it, and it is busy while it is used."""
    ec2 = place.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=machine.host.id, Device="/dev/sdf")
    assert machine.run("agent", "--once") == f"{volume}: attached\n"
    machine.run("attach", volume, "--mkfs", "ext4", "--mount", tmp_path / "mount")
    with (tmp_path / "mount" / "file").open("w"):
        ec2.detach_volume(VolumeId=volume)
        assert "is in use" in machine.run("agent", "--once")
        assert _state(ec2, volume) == ("in-use", ["busy"])
    assert machine.run("agent", "--once") == f"{volume}: detached\n"
    assert _state(ec2, volume) == ("available", [])


def test_attachment_that_was_ended_by_force(place: Place, machine: Machine) -> None:
    """Detached by force from elsewhere, a volume is closed by the agent, or by the command, and nothing fails."""
    ec2 = place.client("ec2")
    for command in (("agent", "--once"), ("detach",)):
        volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        machine.run("attach", volume)
        ec2.detach_volume(VolumeId=volume, Force=True)
        said = machine.run(*command, *([volume] if command[0] == "detach" else []))
        assert f"{volume}" in said
        assert "closed" in said
        assert json.loads(machine.run("list", "--json").splitlines()[-1])["device"] == ""


def test_resize(place: Place, machine: Machine, tmp_path: Path) -> None:
    """The volume grows on the server, its disk and its file system here."""
    ec2 = place.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    machine.run("attach", volume, "--mkfs", "ext4", "--mount", tmp_path / "mount")
    before = os.statvfs(tmp_path / "mount").f_blocks
    assert machine.run("resize", volume, 3) == f"{volume} has 3 GiB\n"
    assert os.statvfs(tmp_path / "mount").f_blocks > 2.5 * before
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"] == 3
    with pytest.raises(FuinError, match="has 3 GiB, and cannot become smaller"):
        machine.run("resize", volume, 2)
    machine.run("close", volume)
    with pytest.raises(FuinError, match="is not open"):
        machine.run("resize", volume, 4)
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"] == 3, "nothing was asked of the server"


def test_wishes_are_looked_at_first(place: Place, machine: Machine, tmp_path: Path) -> None:
    """A mount point that is taken, or an unknown file system: the volume is not attached."""
    volume = place.client("ec2").create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    for words, text in ((("--mount", "/proc"), "mounted at /proc already"), (("--mkfs", "ext5"), "is called ext5")):
        with pytest.raises(FuinError, match=text):
            machine.run("attach", volume, *words)
    assert place.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"] == []


def test_host_of_another_volume_is_refused(place: Place, machine: Machine, tmp_path: Path) -> None:
    """Another host has neither the task nor the right to the key."""
    ec2 = place.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    machine.run("attach", volume)
    machine.run("close", volume)
    (tmp_path / "other").mkdir()
    other = Machine(place, tmp_path / "other")
    (other.folder / "volumes").symlink_to(machine.folder / "volumes")  # it has stolen the disk and its header
    with pytest.raises(Exception, match="AccessDenied"):
        other.run("open", volume)


def test_local_disk(place: Place, machine: Machine, tmp_path: Path) -> None:
    """A file under a key of KMS, without a volume: formatted, re-wrapped, and opened with the user's credentials."""
    kms = place.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(48 * MIB)
    said = machine.run("format", tmp_path / "disk", "--key", first, "--mkfs", "ext4", "--mount", tmp_path / "mount")
    disk = said.split()[0]
    assert machine.run("rewrap", disk, "--key", second) == f"{disk} is under {second}\n"
    machine.run("close", disk)
    kms.disable_key(KeyId=first)
    assert machine.run("open", tmp_path / "disk").startswith(f"{disk} is open at")
    assert (tmp_path / "mount" / "lost+found").is_dir()
    machine.run("close", disk)
    kms.disable_key(KeyId=second)
    with pytest.raises(Exception, match="DisabledException"):
        machine.run("open", disk)


def test_snapshot_and_restore_under_another_key(place: Place, machine: Machine, tmp_path: Path) -> None:
    """A snapshot goes over EBS direct, a second one sends little, and a volume under another key gets the files."""
    ec2, kms = place.client("ec2"), place.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=first)["VolumeId"]
    machine.run("attach", volume, "--mkfs", "ext4", "--mount", tmp_path / "mount")
    (tmp_path / "mount" / "file").write_bytes(b"text" * 200_000)
    said = machine.run("snapshot", volume, "--description", "first")
    snapshot, sent = said.split(":")[0], int(said.split()[1])
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1})
    (tmp_path / "mount" / "later").write_text("later")
    said = machine.run("snapshot", volume)
    later, sent_later = said.split(":")[0], int(said.split()[1])
    assert 0 < sent_later < sent
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[later], WaiterConfig={"Delay": 1})
    copy = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=later, Encrypted=True, KmsKeyId=second)["VolumeId"]
    machine.run("attach", copy, "--mount", tmp_path / "copy")
    assert (tmp_path / "copy" / "file").read_bytes() == b"text" * 200_000
    assert (tmp_path / "copy" / "later").read_text() == "later"
    kms.disable_key(KeyId=first)
    machine.run("close", copy)
    machine.run("open", copy)  # its own key is the second one
    assert (tmp_path / "copy" / "later").read_text() == "later"


def test_rewrapped_volume_has_the_new_key_in_its_header(place: Place, machine: Machine) -> None:
    """Re-wrapped on the server, a volume opens without its first key, and its header follows at the next attach."""
    ec2, kms = place.client("ec2"), place.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=first)["VolumeId"]
    machine.run("attach", volume)
    with pytest.raises(HostError, match="`fuin rewrap` it there"):
        machine.run("rewrap", volume, "--key", second)
    machine.run("detach", volume)
    ask(place, place.root, "ModifyVolume", VolumeId=volume, FuinKmsKeyId=second)
    kms.disable_key(KeyId=first)
    machine.run("attach", volume)
    [token] = read_header(machine.folder / "volumes" / f"{volume}.disk").tokens
    assert token.key_arn == second
    machine.run("close", volume)
    machine.run("open", volume)
