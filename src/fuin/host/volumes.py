"""The volumes of a host: opened, closed, grown and read for snapshots, as the server's tasks ask for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fuin.host import disks, file_systems
from fuin.host.disk import BusyError, DiskFormat, OpenDisk, measure
from fuin.host.luks2 import reencryption
from fuin.host.programs import HostError
from fuin.host.records import Record, Records, require_filled, require_same_key
from fuin.host.snapshots.filling import fill
from fuin.host.token import Token, choose_tokens
from fuin.host.wire.refusals import Unreachable

if TYPE_CHECKING:
    from fuin.host.formats import Formats
    from fuin.host.wire.clients import HostBlocks
    from fuin.host.wire.tasks import AttachmentTask, TaskWire
    from fuin.secret import Secret

_NAME = "fuin-{}"  # of an open disk, in /dev/mapper and in the folder of processes


class Keys(Protocol):
    """Who opens wrapped data keys: KMS, asked by the host or by a user."""

    def open_key(self, wrapped_key: bytes, context_id: str, key_arn: str) -> Secret:
        """Return the data key, which must be under this KMS key; raises Refusal or Unreachable."""
        ...


class Wish(NamedTuple):
    """What the user asks for beyond the server's task: the disk, its format, a mount, and a new file system."""

    disk: Path | None = None
    format: str = ""
    mount: Path | None = None
    file_system: str = ""


class Server(NamedTuple):
    """The server, as a host asks it."""

    tasks: TaskWire
    keys: Keys
    blocks: HostBlocks


class Place(NamedTuple):
    """A volume's disk on this host, and its format."""

    record: Record
    format: DiskFormat

    @property
    def disk(self) -> Path:
        """Return the disk."""
        return Path(self.record.disk)

    @property
    def name(self) -> str:
        """Return the name under which the disk is open."""
        return _NAME.format(self.record.volume_id)

    def read_tokens(self) -> list[Token]:
        """Return the tokens of the header; raises HostError if they are not as this host's record says."""
        tokens = choose_tokens(self.format.read_tokens(self.disk), self.record.volume_id)
        for token in tokens:
            require_same_key(self.record, token)
        return tokens

    def find_open(self) -> OpenDisk | None:
        """Return the open disk, if it is open."""
        return self.format.find_open(self.name)


class Volumes:
    """All volumes of this host."""

    def __init__(self, formats: Formats, records: Records) -> None:
        self._formats = formats
        self.records = records

    def find_place(self, volume_id: str) -> Place:
        """Return where a volume is; raises HostError if this host does not know it."""
        record = self.records.find(volume_id)
        if record is None:
            raise HostError(f"this host has no disk of {volume_id}")
        return self.place(record)

    def place(self, record: Record) -> Place:
        """Return where the volume of a record is."""
        found = next(each for each in self._formats.all if each.name == record.format)
        return Place(record, found)

    def attach(self, server: Server, task: AttachmentTask, wish: Wish) -> Place:
        """Open a volume as its task says, report it, and then make and mount its file system as the user wishes."""
        with self.records.lock(task.volume_id):
            try:
                place = self._open_attachment(server, task, wish)
            except Unreachable:
                raise
            except HostError as error:
                server.tasks.report_attachment(task.volume_id, "failed", message=str(error))
                raise
            opened = place.find_open()
            if opened is None:
                raise HostError(f"{task.volume_id} was closed at once")
            filled = bool(task.snapshot_id)
            server.tasks.report_attachment(task.volume_id, "attached", formatted=True, filled=filled)
            if wish.file_system:
                file_systems.make(opened.device, wish.file_system)
            if place.record.mount:
                file_systems.mount(opened.device, Path(place.record.mount))
            return place

    def _open_attachment(self, server: Server, task: AttachmentTask, wish: Wish) -> Place:
        key = server.keys.open_key(task.wrapped_key, task.context_id, task.key_arn)
        try:
            place = self._prepare(task, wish, key)
            opened = place.format.open(place.disk, place.name, key, size=place.record.size)
        finally:
            key.wipe()
        if task.snapshot_id:
            fill(server.blocks, task.snapshot_id, opened.device)
            place = place._replace(record=replace(place.record, is_unfilled=False))
            self.records.save(place.record)
        return place

    def _prepare(self, task: AttachmentTask, wish: Wish, key: Secret) -> Place:
        """Return the place of a volume, after its disk was found or made, and was compared with the task."""
        before = self.records.find(task.volume_id)
        remembered = Path(before.disk) if before else self.records.default_disk(task.volume_id)
        disk = wish.disk or remembered
        is_new = not task.is_formatted or bool(task.snapshot_id)
        is_own = is_new and disk == self.records.default_disk(task.volume_id)
        if is_own:
            disks.make_file(disk, task.size * disks.GIB)
        if not disk.exists():
            raise HostError(_absence_text(task, disk))
        token = Token(task.volume_id, task.context_id, task.key_arn, task.wrapped_key)
        format_ = self._formats.find_format(disk)
        if format_ is None and not is_new:
            raise HostError(_absence_text(task, disk))
        if format_ is None or (is_own and not format_.read_tokens(disk)):  # a killed process has left a half
            format_ = self._formats.choose(wish.format)
            if not is_own:
                disks.check_empty(disk)
            disks.check_size(disk, task.size * disks.GIB)
            format_.make(disk, key, token)
        format_ = self._formats.get_format(format_.name)
        _adopt(format_, disk, token, key)
        mount = before.mount if before else ""
        size = before.size if before else task.size * disks.GIB
        record = Record(
            task.volume_id, str(disk), format_.name, mount, size, bool(task.snapshot_id), task.key_arn,
            context_id=task.context_id,
        )  # fmt: skip
        record = record.with_mount(wish.mount)
        self.records.save(record)
        return Place(record, format_)

    def detach(self, tasks: TaskWire, volume_id: str, *, force: bool = False) -> None:
        """Unmount and close a volume, and report it; raises BusyError, and reports it, while it is used."""
        with self.records.lock(volume_id):
            if self.records.find(volume_id) is not None:
                try:
                    self.close(volume_id, force=force)
                except BusyError as error:
                    tasks.report_attachment(volume_id, "busy", message=str(error))
                    raise
            tasks.report_attachment(volume_id, "detached")

    def close(self, volume_id: str, *, force: bool = False) -> None:
        """Unmount and close a volume; `force` takes its key away while it is used."""
        place = self.find_place(volume_id)
        opened = place.find_open()
        try:
            if opened is not None:
                file_systems.unmount(opened.device)
            place.format.close(place.name)
        except BusyError:
            if not force:
                raise
            place.format.cut_off(place.name)

    def open(self, keys: Keys, volume_id: str) -> OpenDisk:
        """Open a volume by the token of its disk, and mount it where it was: for a start without a person."""
        with self.records.lock(volume_id):
            place = self.find_place(volume_id)
            require_filled(place.record)
            opened = place.find_open() or self._open_by_token(keys, place)
            if place.record.mount:
                file_systems.mount(opened.device, Path(place.record.mount))
            return opened

    def _open_by_token(self, keys: Keys, place: Place) -> OpenDisk:
        format_ = self._formats.get_format(place.format.name)
        tokens = place.read_tokens()
        is_under_way = len(tokens) > 1 and reencryption.has_keyslots(place.disk)
        token = next((each for each in tokens if each.is_next == is_under_way), tokens[0])
        key = keys.open_key(token.wrapped_key, token.context_id, token.key_arn)
        try:
            if is_under_way:
                return reencryption.open_interrupted(place.disk, place.name, key)
            return format_.open(place.disk, place.name, key, size=place.record.size)
        finally:
            key.wipe()

    def open_key(self, keys: Keys, place: Place) -> Secret:
        """Return the data key of a volume that is not in a re-encryption."""
        tokens = place.read_tokens()
        if any(token.is_next for token in tokens):
            raise HostError("the volume is in a re-encryption: `fuin volume reencrypt` goes on with it")
        return keys.open_key(tokens[0].wrapped_key, tokens[0].context_id, tokens[0].key_arn)

    def check_growth(self, volume_id: str, size: int) -> OpenDisk:
        """Return the open disk of a volume; raises HostError unless it can have `size` bytes: never fewer than now."""
        place = self.find_place(volume_id)
        require_filled(place.record)
        opened = place.find_open()
        if opened is None:
            raise HostError(f"{volume_id} is not open: open it, and then resize it")
        if size < max(place.record.size, measure(opened.device)):
            raise HostError(f"{volume_id} has {place.record.size:,} bytes, and cannot become smaller")
        return opened

    def grow(self, keys: Keys, volume_id: str, size: int) -> None:
        """Let an open volume and its file system have `size` bytes; raises as `check_growth`."""
        with self.records.lock(volume_id):
            opened = self.check_growth(volume_id, size)
            place = self.find_place(volume_id)
            key = self.open_key(keys, place)
            try:
                disks.grow_file(place.disk, size)
                mounts = file_systems.find_mounts(opened.device)
                if place.format.grows_unmounted:
                    file_systems.unmount(opened.device)
                opened = place.format.grow(place.disk, place.name, key, size)
                self.records.save(replace(place.record, size=size))
            finally:
                key.wipe()
            if place.format.grows_unmounted and file_systems.find_type(opened.device) == "ext4":
                file_systems.grow(opened.device)  # xfs grows only while it is mounted
            for folder in mounts:
                file_systems.mount(opened.device, folder)
            file_systems.grow(opened.device)


def _adopt(format_: DiskFormat, disk: Path, token: Token, key: Secret) -> None:
    """Compare a disk with a task: volume and key must be the same; a data key that was wrapped anew is written."""
    tokens = choose_tokens(format_.read_tokens(disk), token.volume_id)
    format_.check_key(disk, key)
    if tokens != [token] and not any(each.is_next for each in tokens):
        format_.write_tokens(disk, [token])


def _absence_text(task: AttachmentTask, disk: Path) -> str:
    home = f" (host {task.home})" if task.home else ""
    return (
        f"the data of {task.volume_id} are on another disk{home}, not on {disk}: "
        "take a snapshot there, and create a volume from it"
    )
