"""The agent of a host: it does the server's tasks as they come, and watches whether volumes may stay open."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from fuin.host import file_systems
from fuin.host.local import is_local
from fuin.host.programs import HostError
from fuin.host.snapshots.taking import take_snapshot
from fuin.host.volumes import Wish
from fuin.host.wire.refusals import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.host.records import Record
    from fuin.host.volumes import Keys, Server, Volumes
    from fuin.host.wire.tasks import AttachmentTask, SnapshotTask

LOOKS = 3  # in the time after which a volume without its right must be closed


def do_tasks(server: Server, volumes: Volumes, say: Callable[[str], None]) -> None:
    """Do each task once, and say how it went; what fails is tried again the next time."""
    tasks = server.tasks.describe()
    for attachment in tasks.attachments.values():
        _try(partial(_do_attachment, server, volumes, attachment, say), attachment.volume_id, say)
    for record in volumes.records.list_all():
        if record.volume_id not in tasks.attachments and not is_local(record.volume_id):
            _try(partial(_close_ended, volumes, record, say), record.volume_id, say)
    for snapshot in tasks.snapshots:
        _try(partial(_do_snapshot, server, volumes, snapshot, say), snapshot.snapshot_id, say)


def _try(step: Callable[[], None], name: str, say: Callable[[str], None]) -> None:
    try:
        step()
    except HostError as error:
        say(f"{name}: {error}")


def _do_attachment(server: Server, volumes: Volumes, task: AttachmentTask, say: Callable[[str], None]) -> None:
    record = volumes.records.find(task.volume_id)
    if task.state == "attaching":
        volumes.attach(server, task, Wish())
        say(f"{task.volume_id}: attached")
    elif task.state in {"detaching", "busy"}:
        volumes.detach(server.tasks, task.volume_id)
        say(f"{task.volume_id}: detached")
    elif record is not None and volumes.place(record).find_open() is None:
        volumes.open(server.keys, task.volume_id)
        say(f"{task.volume_id}: open again")


def _close_ended(volumes: Volumes, record: Record, say: Callable[[str], None]) -> None:
    """Close a volume whose attachment was ended by force; raises BusyError, and tries again, while it is used."""
    if volumes.place(record).find_open() is not None:
        volumes.close(record.volume_id)
        say(f"{record.volume_id}: closed, since its attachment has ended")


def _do_snapshot(server: Server, volumes: Volumes, task: SnapshotTask, say: Callable[[str], None]) -> None:
    sent = take_snapshot(server, volumes, task)
    say(f"{task.snapshot_id}: {sent.sent:,} of {sent.read:,} blocks sent")


class Watch:
    """Closes a volume when its key can no longer be opened: within `bound` seconds, also when no answer comes."""

    def __init__(
        self, keys: Keys, volumes: Volumes, volume_id: str, bound: float,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._keys = keys
        self._volumes = volumes
        self._volume_id = volume_id
        self._bound = bound
        self._clock = clock
        self._sleep = sleep

    def run(self) -> HostError:
        """Look at the right until it is gone or cannot be asked for, close the volume, and return the reason."""
        confirmed = self._clock()
        while True:
            self._sleep(self._bound / LOOKS)
            asked = self._clock()
            try:
                place = self._volumes.find_place(self._volume_id)
                self._volumes.open_key(self._keys, place).wipe()
                confirmed = asked
            except Unreachable as error:
                if self._clock() - confirmed >= self._bound - self._bound / LOOKS:
                    return self._end(error)
            except HostError as error:  # a refusal, or a header or a record from which nobody could ask
                return self._end(error)
            except OSError as error:
                return self._end(HostError(f"the disk cannot be read: {error}"))

    def _end(self, error: HostError) -> HostError:
        """Close the volume; what still uses it loses it."""
        self._volumes.close(self._volume_id, force=True)
        return error


def describe(volumes: Volumes) -> list[dict[str, str]]:
    """Return what this host knows of each of its volumes."""
    found = []
    for record in volumes.records.list_all():
        opened = volumes.place(record).find_open()
        mounts = file_systems.find_mounts(opened.device) if opened else []
        found.append({
            "volume": record.volume_id, "disk": record.disk, "format": record.format,
            "device": str(opened.device) if opened else "", "mount": str(mounts[0]) if mounts else "",
        })  # fmt: skip
    return found
