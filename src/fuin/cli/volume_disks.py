"""`fuin volume format`, `close`, `rewrap` and `reencrypt`: disks that no server of EC2 knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuin.cli.terminal_escape import escape
from fuin.cli.volume_host import Force, Format, Host, HostFile, Key, MakeFileSystem, Mount, Volume, check_wishes
from fuin.host import file_systems, local
from fuin.host.configuration import DEFAULT_FILE
from fuin.host.wire.clients import UserKms

DiskArgument = Annotated[Path, typer.Argument(metavar="DISK", help="A block device, a partition or a file.")]
Overwrite = Annotated[bool, typer.Option("--force", help="Also a disk that is not empty: what is on it is lost.")]
OtherKey = Annotated[str, typer.Option("--key", metavar="KEY", help="Another KMS key; by default the same one.")]


def format_disk(
    disk: DiskArgument, key: Key, format_: Format = "", mkfs: MakeFileSystem = "", mount: Mount = None,
    force: Overwrite = False, host_file: HostFile = DEFAULT_FILE,
) -> None:  # fmt: skip
    """Encrypt a local disk under a new data key of KMS: no volume of EC2, only a key.

    It asks KMS with your usual AWS credentials, which need `kms:GenerateDataKeyWithoutPlaintext` and `kms:Decrypt`.
    `fuin volume open` opens it again by its id, or by the disk.

    **Example**: `fuin volume format /dev/sdb1 --key alias/disks --mkfs ext4 --mount /srv/data`
    """
    host = Host(host_file)
    check_wishes(host, "", mount, mkfs)
    kms = UserKms(host.endpoint)
    place = local.format_disk(kms, host.volumes, host.formats.choose(format_), disk.absolute(), key, force=force)
    volume_id = place.record.volume_id
    opened = host.volumes.open(kms, volume_id)
    if mkfs:
        file_systems.make(opened.device, mkfs)
    if mount:
        file_systems.mount(opened.device, mount.absolute())
        host.volumes.records.save(place.record.with_mount(mount.absolute()))
    typer.echo(escape(f"{volume_id} is open at {opened.device} ({place.format.name})"))


def close_disk(volume: Volume, force: Force = False, host_file: HostFile = DEFAULT_FILE) -> None:
    """Unmount and close a volume or a local disk; an attachment stays.

    **Example**: `fuin volume close disk-0123456789abcdef0`
    """
    Host(host_file).volumes.close(volume, force=force)
    typer.echo(escape(f"{volume} is closed"))


def rewrap_disk(volume: Volume, key: Key, host_file: HostFile = DEFAULT_FILE) -> None:
    """Bring the data key of a local disk under another KMS key; no data are moved.

    The data key stays the same, so that anyone who once had it can still read the disk: `fuin volume reencrypt` gives
    it a new one. It needs `kms:ReEncryptFrom` on the old key and `kms:ReEncryptTo` on the new one.

    **Example**: `fuin volume rewrap disk-0123456789abcdef0 --key alias/disks-2027`
    """
    host = Host(host_file)
    typer.echo(escape(f"{volume} is under {local.rewrap(UserKms(host.endpoint), host.volumes, volume, key)}"))


def reencrypt_disk(volume: Volume, key: OtherKey = "", host_file: HostFile = DEFAULT_FILE) -> None:
    """Write all data of a local disk anew under a new data key, also while it is mounted; only in the format luks2.

    The new wrapped key is in the header before the first byte changes, and the old one is removed after the last.
    When it was interrupted, ask again: it goes on.

    **Example**: `fuin volume reencrypt disk-0123456789abcdef0`
    """
    host = Host(host_file)
    local.reencrypt(UserKms(host.endpoint), host.volumes, volume, key)
    typer.echo(escape(f"{volume} has a new data key"))
