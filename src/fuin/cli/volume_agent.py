"""`fuin volume open` and `fuin volume agent`: what a host does without a person."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fuin.cli.terminal_escape import escape
from fuin.cli.volume_host import Host, HostFile, Mount
from fuin.errors import FuinError
from fuin.host import agent, local
from fuin.host.configuration import DEFAULT_FILE
from fuin.host.programs import HostError

VolumeOrDisk = Annotated[str, typer.Argument(metavar="VOLUME", help="The id of a volume, or a local disk's path.")]
WatchBound = Annotated[
    float,
    typer.Option("--watch", metavar="SECONDS", help="Stay, and close it within so many seconds of its key being lost."),
]
KnownKeys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="ARN", help="The KMS key of a local disk that this host has not seen before."),
]
Every = Annotated[float, typer.Option("--every", min=0.1, metavar="SECONDS", help="How often to ask for tasks.")]
Once = Annotated[bool, typer.Option("--once", help="Do the tasks that are there, and end.")]


def open_volume(
    volume: VolumeOrDisk, mount: Mount = None, watch: WatchBound = 0, key: KnownKeys = None,
    host_file: HostFile = DEFAULT_FILE,
) -> None:  # fmt: skip
    """Open a volume by the wrapped key in its header, and mount it where it was: at boot, without a person.

    A volume is opened with the host's credentials, which work as long as it is attached; a local disk with the usual
    AWS credentials. Its header must name the KMS key that this host remembers; for a local disk of another machine,
    `--key` says which one it is.

    With `--watch` the command stays and asks KMS three times in the bound: when the key is refused, or when no answer
    comes for that time, the volume is closed, also while it is used.

    **Example**: `fuin volume open vol-0123456789abcdef0 --watch 15`
    """
    host = Host(host_file)
    if "/" in volume:
        volume = local.adopt_disk(host.volumes, host.formats, Path(volume).absolute(), key or ()).record.volume_id
    if mount:
        records = host.volumes.records
        records.save(host.volumes.find_place(volume).record.with_mount(mount.absolute()))
    opened = host.volumes.open(host.keys(volume), volume)
    typer.echo(escape(f"{volume} is open at {opened.device}"))
    if watch:
        keys = host.keys(volume, patience=watch / agent.LOOKS)
        error = agent.Watch(keys, host.volumes, volume, watch).run()
        raise FuinError(f"{volume} was closed: {error}")


def run_agent(every: Every = 5, once: Once = False, host_file: HostFile = DEFAULT_FILE) -> None:
    """Do the server's tasks for this host as they come: open, close, and send snapshots.

    With it, `aws ec2 attach-volume`, `detach-volume` and `create-snapshot` work from anywhere; without it, the
    commands of `fuin volume` on this host do the same, one at a time. Only the host's credentials are used.

    **Example**: `fuin volume agent`
    """
    host = Host(host_file)
    server = host.server()
    while True:
        try:
            agent.do_tasks(server, host.volumes, lambda line: typer.echo(escape(line)))
        except HostError as error:
            if once:
                raise
            typer.echo(escape(str(error)), err=True)
        if once:
            return
        time.sleep(every)
