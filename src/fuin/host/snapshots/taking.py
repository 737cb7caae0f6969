"""Taking a snapshot of an open volume: a copy that shares its blocks where the file system below can, else a pause."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.host import file_systems
from fuin.host.programs import HostError, succeeds
from fuin.host.records import require_filled
from fuin.host.snapshots.sending import Sent, Source, find_parent, send_snapshot
from fuin.host.wire.refusals import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from fuin.host.disk import OpenDisk
    from fuin.host.volumes import Place, Server, Volumes
    from fuin.host.wire.tasks import SnapshotTask


def take_snapshot(server: Server, volumes: Volumes, task: SnapshotTask) -> Sent:
    """Send the blocks of a volume for a pending snapshot; raises HostError, of which the server learns as well.

    The volume must be attached here, open, and filled.
    """
    try:
        with volumes.records.lock(task.volume_id):
            _require_attached(server, task)
            place = volumes.find_place(task.volume_id)
            require_filled(place.record)
            return _take(server, volumes, task, place, _require_open(place))
    except Unreachable:
        raise
    except HostError as error:
        server.tasks.report_snapshot(task.snapshot_id, str(error))
        raise


def _require_attached(server: Server, task: SnapshotTask) -> None:
    if task.volume_id not in server.tasks.describe().attachments:
        raise HostError(f"{task.volume_id} is not attached to this host")


def _require_open(place: Place) -> OpenDisk:
    opened = place.find_open()
    if opened is None:
        raise HostError(f"{place.record.volume_id} is not open here: attach it, so that its blocks can be read")
    return opened


def _take(server: Server, volumes: Volumes, task: SnapshotTask, place: Place, opened: OpenDisk) -> Sent:
    records = volumes.records
    known = records.checksums(task.volume_id, task.parent_id) if task.parent_id else None
    parent = find_parent(server.blocks, task.parent_id, known)
    checksums = records.checksums(task.volume_id, task.snapshot_id)
    with _still_source(server, volumes, place, opened) as source:
        sent = send_snapshot(server.blocks, task.snapshot_id, source, parent, checksums)
    for file in checksums.parent.glob(f"{task.volume_id}.*.checksums"):
        if file != checksums:
            file.unlink(missing_ok=True)
    return sent


@contextmanager
def _still_source(server: Server, volumes: Volumes, place: Place, opened: OpenDisk) -> Iterator[Source]:
    """Yield a disk that holds still: a copy of the file below that takes no space, or the volume itself, frozen."""
    name = f"{place.name}-still"
    place.format.close(name)  # what a killed process has left
    copy = _make_copy_file(place) if place.disk.is_file() else None
    offset = place.format.find_data(place.disk)
    try:
        with _pause(opened):
            if copy is None or not succeeds(["cp", "--reflink=always", str(place.disk), str(copy)]):
                yield Source(opened.device, place.disk, offset)
                return
        key = volumes.open_key(server.keys, place)
        try:
            still = place.format.open(copy, name, key, size=place.record.size, read_only=True)
        finally:
            key.wipe()
        yield Source(still.device, copy, offset)
        place.format.close(name)
    finally:
        if copy is not None:
            copy.unlink(missing_ok=True)


def _make_copy_file(place: Place) -> Path:
    """Return a new file of ours beside the disk; what a killed process has left of such files is removed."""
    prefix = f".fuin-{place.record.volume_id}-"
    for file in place.disk.parent.glob(f"{prefix}*.still"):
        file.unlink(missing_ok=True)
    number, name = tempfile.mkstemp(".still", prefix, place.disk.parent)
    os.close(number)
    return Path(name)


def _pause(opened: OpenDisk) -> AbstractContextManager[None]:
    mounts = file_systems.find_mounts(opened.device)
    return file_systems.freeze(mounts[0]) if mounts else nullcontext()
