"""What the commands of `fuin volume` share: their options, and the host with its volumes."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from fuin.errors import FuinError
from fuin.host import file_systems, local
from fuin.host.configuration import HostConfiguration, read_configuration
from fuin.host.formats import Formats
from fuin.host.records import Records
from fuin.host.volumes import Server, Volumes
from fuin.host.wire.clients import HostBlocks, HostKms, UserEndpoint, UserKms, UserVolumes
from fuin.host.wire.tasks import TaskWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.host.volumes import Keys

T = TypeVar("T")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Volume = Annotated[str, typer.Argument(metavar="VOLUME", help="The id of a volume or of a local disk.")]
HostFile = Annotated[
    Path, typer.Option("--host-file", metavar="FILE", envvar="FUIN_HOST_FILE", help="The host's credentials.")
]
Format = Annotated[str, typer.Option("--format", metavar="luks2|qemu", help="By default the best that works here.")]
Mount = Annotated[Path | None, typer.Option("--mount", metavar="DIR", help="Mount its file system here.")]
MakeFileSystem = Annotated[
    str, typer.Option("--mkfs", metavar="ext4|xfs", help="Make this file system, if the volume has none.")
]
Disk = Annotated[
    Path | None,
    typer.Option("--device", metavar="DISK", help="The device, partition or file below it; by default a new file."),
]
DeviceName = Annotated[
    str,
    typer.Option("--device-name", metavar="NAME", help="The name in DescribeVolumes; by default a free one."),
]
Force = Annotated[bool, typer.Option("--force", help="Also while it is used: what uses it loses it.")]
Key = Annotated[str, typer.Option("--key", metavar="KEY", help="KMS key: alias/…, id or ARN.")]
_POLL = 0.2  # seconds between looks at a task that has to appear
_PATIENCE = 30.0


class Host:
    """What the commands work with; the credentials are read when they are needed."""

    def __init__(self, file: Path) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would have the data key
        self._file = file
        self._has_file = file.exists()
        self._settings: HostConfiguration | None = None
        settings = self.settings if self._has_file else HostConfiguration("", "", "", "", "")
        self.formats = Formats(settings.run_folder, discard=settings.discard)
        self.volumes = Volumes(self.formats, Records(settings.folder))

    @property
    def settings(self) -> HostConfiguration:
        """Return the content of the host's file."""
        if self._settings is None:
            self._settings = read_configuration(self._file)
        return self._settings

    @property
    def endpoint(self) -> UserEndpoint | None:
        """Return where the user's requests go, if the settings of AWS's programs do not say it."""
        return UserEndpoint(self.settings.endpoint_url, self.settings.region) if self._has_file else None

    def server(self) -> Server:
        """Return the server, asked as this host."""
        return Server(TaskWire(self.settings), HostKms(self.settings), HostBlocks(self.settings))

    def user(self) -> UserVolumes:
        """Return the server, asked as the user."""
        return UserVolumes(UserEndpoint(self.settings.endpoint_url, self.settings.region))

    def keys(self, volume_id: str, patience: float | None = None) -> Keys:
        """Return who opens the data key: the user for a local disk, the host for a volume."""
        return UserKms(self.endpoint, patience) if local.is_local(volume_id) else HostKms(self.settings, patience)


def check_wishes(host: Host, volume_id: str, mount: Path | None, file_system: str) -> None:
    """Raise HostError for a wish that cannot be met, before anything is done; a volume's own mount point is free."""
    record = host.volumes.records.find(volume_id) if volume_id else None
    if mount is not None and (record is None or record.mount != str(mount.absolute())):
        file_systems.check_folder(mount.absolute())
    if file_system:
        file_systems.check_type(file_system)


def free_name(names: set[str]) -> str:
    """Return a device's name for DescribeVolumes that none of the other attachments has."""
    pairs = (f"/dev/sd{first}{second}" for first in ("", *_LETTERS) for second in _LETTERS[5:])
    return next(name for name in pairs if name not in names)


def wait_for(find: Callable[[], T | None], otherwise: str) -> T:
    """Return what the server shows in a while; raises FuinError with the text if it does not."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = find()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise FuinError(otherwise)
        time.sleep(_POLL)
