"""What runs in the guest: three lives of one local disk and one volume, two of them ended by a power cut.

KMS is a fake whose data keys are on a disk of their own. `HERE` on a line is where the outside cuts the power.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from fuin.host import agent, disks, file_systems, local
from fuin.host.disk import BusyError, WrongKeyError, measure
from fuin.host.luks2 import reencryption
from fuin.host.luks2.format import Luks2
from fuin.host.luks2.header import read_header
from fuin.host.snapshots.taking import take_snapshot
from fuin.host.volumes import Wish
from fuin.host.wire.refusals import Refusal
from fuin.host.wire.tasks import SnapshotTask
from fuin.secret import Secret
from tests.host.fakes import FakeHost

DISK, SECOND, STATE = Path("/dev/vda"), Path("/dev/vdb"), Path("/dev/vdc")
MOUNT, VOLUME_MOUNT = Path("/mnt/disk"), Path("/mnt/volume")
VOLUME = "vol-0aaaaaaa"
MIB = 1024 * 1024
NEEDLE = b"what nobody may find on the raw disk"


def save(host: FakeHost, **more: str) -> None:
    """Keep the data keys of the fake KMS for the next life."""
    keys = {
        wrapped.hex(): [context, key.hex(), host.kms.arns[wrapped]] for wrapped, (context, key) in host.kms.keys.items()
    }
    with STATE.open("r+b") as file:
        file.write(json.dumps({"keys": keys, **more}).encode().ljust(MIB, b"\0"))
        os.fsync(file.fileno())


def load(host: FakeHost) -> dict[str, Any]:
    """Return what the last life has kept, with its data keys in the fake KMS."""
    value: dict[str, Any] = json.loads(STATE.read_bytes()[:MIB].rstrip(b"\0"))
    for wrapped, (context, key, arn) in value["keys"].items():
        host.kms.keys[bytes.fromhex(wrapped)] = (context, bytes.fromhex(key))
        host.kms.arns[bytes.fromhex(wrapped)] = arn
    return value


def say(line: str) -> None:
    """Print a line, which the outside reads from the serial port."""
    print(line, flush=True)


def flush(file: Path, data: bytes) -> None:
    """Write a file, and return when it is on the disk."""
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    parent = os.open(file.parent, os.O_RDONLY)
    os.fsync(parent)
    os.close(parent)


def first(host: FakeHost) -> None:
    """Format a local disk, open it by the pipe, mount it, flush a file, and go on writing until the power is cut."""
    place = local.format_disk(host.user_kms, host.volumes, host.formats.choose(), DISK, "arn:a")
    assert place.format.name == "luks2"
    save(host)
    opened = host.volumes.open(host.kms, place.record.volume_id)
    say(f"open at {opened.device}: {subprocess.check_output(['dmsetup', 'table', place.name], text=True).strip()}")
    file_systems.make(opened.device, "ext4")
    file_systems.mount(opened.device, MOUNT)
    flush(MOUNT / "flushed", NEEDLE * 1000)
    try:
        host.volumes.close(place.record.volume_id)
    except BusyError:
        raise AssertionError("nobody uses it") from None
    host.volumes.open(host.kms, place.record.volume_id)
    file_systems.mount(opened.device, MOUNT)
    say("HERE")
    for number in range(1_000_000):
        (MOUNT / f"late-{number % 50}").write_bytes(NEEDLE * 1000)


def second(host: FakeHost) -> None:
    """Recover, refuse wrong keys, grow, attach a volume, then begin to re-encrypt under the mounted file system."""
    load(host)
    place = local.adopt_disk(host.volumes, host.formats, DISK, ["arn:a"])
    volume_id = place.record.volume_id
    _refuse_wrong_keys(host, place.disk, place.name)
    opened = host.volumes.open(host.kms, volume_id)
    file_systems.mount(opened.device, MOUNT)
    assert (MOUNT / "flushed").read_bytes() == NEEDLE * 1000
    say("recovered")
    before = os.statvfs(MOUNT).f_blocks
    host.volumes.grow(host.kms, volume_id, measure(DISK) - 16 * MIB)
    assert os.statvfs(MOUNT).f_blocks > 1.3 * before
    say("grown while it is mounted")
    _live_of_a_volume(host)
    flush(MOUNT / "before re-encryption", NEEDLE)
    threading.Thread(target=_cut_soon, args=(host, volume_id)).start()
    local.reencrypt(host.user_kms, host.volumes, volume_id, "arn:b")
    say("FAILED: the re-encryption has ended before the power was cut")


def _refuse_wrong_keys(host: FakeHost, disk: Path, name: str) -> None:
    try:
        Luks2().open(disk, name, Secret(bytes(64)))
    except WrongKeyError as error:
        say(f"refused: {error}")
    else:
        raise AssertionError("a wrong key was taken")
    assert not Path(f"/dev/mapper/{name}").exists()


def _live_of_a_volume(host: FakeHost) -> None:
    """Attach, write, snapshot, cut off while a file is open."""
    disks.GIB = 32 * MIB
    task = host.add_attachment(VOLUME)
    host.volumes.attach(host.server, task, Wish(SECOND, "", VOLUME_MOUNT, "ext4"))
    flush(VOLUME_MOUNT / "file", NEEDLE * 100)
    sent = take_snapshot(host.server, host.volumes, SnapshotTask("snap-00000001", VOLUME, ""))
    assert any(NEEDLE in block for block in host.blocks.snapshots["snap-00000001"].values())
    say(f"snapshot: {sent.sent} blocks")
    (VOLUME_MOUNT / "in use").write_text("")
    with (VOLUME_MOUNT / "in use").open():
        try:
            host.volumes.detach(host.server.tasks, VOLUME)
        except BusyError as error:
            say(f"busy: {error}")
    host.volumes.detach(host.server.tasks, VOLUME)
    assert host.tasks.reports[-2:] == [(VOLUME, "busy"), (VOLUME, "detached")]


def _cut_soon(host: FakeHost, volume_id: str) -> None:
    """Write while the data are written anew, and say when the power is to be cut: when some of it is."""
    while not reencryption.has_keyslots(DISK):
        pass
    save(host, volume_id=volume_id)
    number = 0
    while _segments() < 2:
        number += 1
        flush(MOUNT / f"meanwhile-{number % 20}", NEEDLE * 100)
    flush(MOUNT / "during re-encryption", NEEDLE * 10)
    say("HERE")


def _segments() -> int:
    try:
        return len(read_header(DISK).metadata["segments"])
    except Exception:
        return 0


def third(host: FakeHost) -> None:
    """Open in the middle of the re-encryption, find all that was flushed, end it, and cut off a volume in use."""
    load(host)
    place = local.adopt_disk(host.volumes, host.formats, DISK, ["arn:a", "arn:b"])
    volume_id = place.record.volume_id
    old, new = sorted(Luks2().read_tokens(DISK), key=lambda token: token.is_next)
    assert (old.key_arn, new.key_arn, new.is_next) == ("arn:a", "arn:b", True)
    opened = host.volumes.open(host.kms, volume_id)
    file_systems.mount(opened.device, MOUNT)
    for name, count in (("flushed", 1000), ("before re-encryption", 1), ("during re-encryption", 10)):
        assert (MOUNT / name).read_bytes() == NEEDLE * count, name
    say("opened in the middle of the re-encryption")
    local.reencrypt(host.user_kms, host.volumes, volume_id, "")
    assert Luks2().read_tokens(DISK) == [new.as_current()]
    assert read_header(DISK).keyslots == []
    assert (MOUNT / "flushed").read_bytes() == NEEDLE * 1000
    host.volumes.close(volume_id)
    try:
        Luks2().open(DISK, place.name, host.kms.open_key(old.wrapped_key, volume_id))
    except WrongKeyError:
        say("the old data key is refused")
    else:
        raise AssertionError("the old data key was taken")
    host.volumes.open(host.kms, volume_id)
    file_systems.mount(opened.device, MOUNT)
    assert (MOUNT / "during re-encryption").read_bytes() == NEEDLE * 10
    _cut_off(host, volume_id)
    say("DONE")


def fourth(host: FakeHost) -> None:
    """Below an encrypted volume a device drops all writes after a moment: what was flushed before is there."""
    size = int(subprocess.check_output(["blockdev", "--getsz", str(SECOND)]))
    table = f"0 {size} linear {SECOND} 0"
    _dmsetup("create", "below", "--table", table)
    below = Path("/dev/mapper/below")
    subprocess.run(["dd", "if=/dev/zero", f"of={below}", "bs=1M", "count=2"], check=True, capture_output=True)
    place = local.format_disk(host.user_kms, host.volumes, Luks2(), below, "arn:a", force=True)
    opened = host.volumes.open(host.kms, place.record.volume_id)
    file_systems.make(opened.device, "ext4")
    file_systems.mount(opened.device, VOLUME_MOUNT)
    flush(VOLUME_MOUNT / "flushed", NEEDLE)
    _dmsetup("suspend", "--nolockfs", "below")
    _dmsetup("load", "below", "--table", f"0 {size} flakey {SECOND} 0 0 3600 1 drop_writes")
    _dmsetup("resume", "below")
    with suppress(OSError):
        flush(VOLUME_MOUNT / "lost", NEEDLE)  # the disk says that it has it
    host.volumes.close(place.record.volume_id)
    _dmsetup("remove", "below")
    _dmsetup("create", "below", "--table", table)
    opened = host.volumes.open(host.kms, place.record.volume_id)
    file_systems.mount(opened.device, VOLUME_MOUNT)
    assert (VOLUME_MOUNT / "flushed").read_bytes() == NEEDLE
    assert not (VOLUME_MOUNT / "lost").exists()
    host.volumes.close(place.record.volume_id)
    _dmsetup("remove", "below")
    say("lost writes leave what was flushed")
    say("DONE")


def _dmsetup(*arguments: str) -> None:
    subprocess.run(["dmsetup", *arguments], check=True)
    subprocess.run(["dmsetup", "mknodes"], check=True)  # there is no udev that would do it


def _cut_off(host: FakeHost, volume_id: str) -> None:
    """The key is disabled while the disk is mounted and in use: a watch takes the key out of the kernel."""
    host.kms.disabled.add("arn:b")
    with (MOUNT / "in use").open("wb"):
        error = agent.Watch(host.kms, host.volumes, volume_id, 0.3).run()
    assert isinstance(error, Refusal)
    name = host.volumes.find_place(volume_id).name
    state = subprocess.check_output(["dmsetup", "info", name], text=True)
    table = subprocess.check_output(["dmsetup", "table", "--showkeys", name], text=True)
    assert "SUSPENDED" in state
    assert (
        host.kms.keys[host.volumes.find_place(volume_id).format.read_tokens(DISK)[0].wrapped_key][1].hex() not in table
    )
    say(f"cut off while in use: {table.strip()}")


if __name__ == "__main__":
    {"first": first, "second": second, "third": third, "fourth": fourth}[sys.argv[1]](FakeHost(Path("/tmp/host")))
