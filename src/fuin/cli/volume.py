"""`fuin volume`: encrypted volumes on this host, and local disks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fuin.cli import volume_agent, volume_disks
from fuin.cli.terminal_escape import escape
from fuin.cli.volume_host import (
    DeviceName,
    Disk,
    Force,
    Format,
    Host,
    HostFile,
    MakeFileSystem,
    Mount,
    Volume,
    check_wishes,
    free_name,
    wait_for,
)
from fuin.errors import FuinError
from fuin.host import agent, disks, local
from fuin.host.configuration import DEFAULT_FILE
from fuin.host.snapshots.taking import take_snapshot
from fuin.host.volumes import Wish

if TYPE_CHECKING:
    from fuin.host.wire.tasks import SnapshotTask

app = typer.Typer(help="Encrypted volumes on this host, and local disks; as root.", no_args_is_help=True)


@app.command()
def attach(
    volume: Volume, mount: Mount = None, device: Disk = None, format_: Format = "", mkfs: MakeFileSystem = "",
    device_name: DeviceName = "", host_file: HostFile = DEFAULT_FILE,
) -> None:  # fmt: skip
    """Attach a volume to this host, open it, and mount it.

    AttachVolume is asked with your usual AWS credentials, all else with those of the host. A volume that was attached
    here by another program is opened as well. A file system is made only if you ask for it, and only on a volume that
    has none.

    **Example**: `fuin volume attach vol-0123456789abcdef0 --mkfs ext4 --mount /srv/db`
    """
    host = Host(host_file)
    check_wishes(host, volume, mount, mkfs)
    server = host.server()
    others = server.tasks.describe().attachments
    task = others.get(volume)
    if task is None:
        name = device_name or free_name({other.device for other in others.values()})
        host.user().attach(volume, host.settings.host_id, name)
        task = wait_for(
            lambda: server.tasks.describe().attachments.get(volume), f"{volume} is not attached to this host"
        )
    wish = Wish(device.absolute() if device else None, format_, mount.absolute() if mount else None, mkfs)
    place = host.volumes.attach(server, task, wish)
    opened = place.find_open()
    where = f", mounted at {place.record.mount}" if place.record.mount else ""
    typer.echo(escape(f"{volume} is open at {opened.device if opened else '?'} ({place.format.name}){where}"))


@app.command()
def detach(volume: Volume, force: Force = False, host_file: HostFile = DEFAULT_FILE) -> None:
    """Unmount and close a volume, and end its attachment; the host can then no longer open its key.

    While a process uses it, it is `busy` and stays attached. DetachVolume is asked with your usual AWS credentials.

    **Example**: `fuin volume detach vol-0123456789abcdef0`
    """
    host = Host(host_file)
    server = host.server()
    task = server.tasks.describe().attachments.get(volume)
    if task is not None and (force or task.state not in {"detaching", "busy"}):
        host.user().detach(volume, host.settings.host_id, force=force)
    if force or task is None:  # the server has ended the attachment, so that there is nothing to report
        host.volumes.close(volume, force=force)
    else:
        host.volumes.detach(server.tasks, volume)
    typer.echo(escape(f"{volume} is closed"))


@app.command("list")
def list_volumes(
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    host_file: HostFile = DEFAULT_FILE,
) -> None:
    """List the volumes and local disks that this host knows, and where they are open and mounted.

    **Example**: `fuin volume list`
    """
    for found in agent.describe(Host(host_file).volumes):
        if json_output:
            typer.echo(json.dumps(found))
        else:
            state = f"open at {found['device']}" if found["device"] else "closed"
            mounted = f", mounted at {found['mount']}" if found["mount"] else ""
            typer.echo(escape(f"{found['volume']}  {found['format']}  {found['disk']}  {state}{mounted}"))


@app.command()
def resize(
    volume: Volume, size: Annotated[int, typer.Argument(metavar="GIB", min=1)], host_file: HostFile = DEFAULT_FILE
) -> None:
    """Make a volume and its file system larger, to so many GiB.

    A block device below it must have grown before. In the format qemu it is unmounted for a moment.

    **Example**: `fuin volume resize vol-0123456789abcdef0 20`
    """
    host = Host(host_file)
    if not local.is_local(volume):
        task = host.server().tasks.describe().attachments.get(volume)
        if task is None:
            raise FuinError(f"{volume} is not attached to this host: attach it, and then resize it")
        if task.size > size:
            raise FuinError(f"{volume} has {task.size} GiB, and cannot become smaller")
        if task.size < size:
            host.volumes.check_growth(volume, size * disks.GIB)
            host.user().modify_size(volume, size)
    host.volumes.grow(host.keys(volume), volume, size * disks.GIB)
    typer.echo(escape(f"{volume} has {size} GiB"))


@app.command()
def snapshot(
    volume: Volume,
    description: Annotated[str, typer.Option("--description", help="A text for DescribeSnapshots.")] = "",
    host_file: HostFile = DEFAULT_FILE,
) -> None:
    """Take a snapshot of an open volume: its blocks are read here and sent to the server, only the changed ones.

    CreateSnapshot is asked with your usual AWS credentials. While the blocks are read, writers wait, unless the file
    system below the disk can make a copy that shares its blocks (xfs, btrfs).

    **Example**: `fuin volume snapshot vol-0123456789abcdef0`
    """
    host = Host(host_file)
    server = host.server()
    snapshot_id = host.user().create_snapshot(volume, description)

    def find_task() -> SnapshotTask | None:
        return next((task for task in server.tasks.describe().snapshots if task.snapshot_id == snapshot_id), None)

    sent = take_snapshot(server, host.volumes, wait_for(find_task, f"{snapshot_id} is not for this host to send"))
    typer.echo(escape(f"{snapshot_id}: {sent.sent:,} of {sent.read:,} blocks sent"))


app.command("format")(volume_disks.format_disk)
app.command("open")(volume_agent.open_volume)
app.command("close")(volume_disks.close_disk)
app.command("agent")(volume_agent.run_agent)
app.command("rewrap")(volume_disks.rewrap_disk)
app.command("reencrypt")(volume_disks.reencrypt_disk)
