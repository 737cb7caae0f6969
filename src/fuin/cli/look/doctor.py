"""`fuin doctor`: whether a machine and a data folder are as a key server needs them."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from fuin.cli.terminal_escape import escape
from fuin.cli.wire.command import JsonOutput
from fuin.cli.wire.show import print_json, size_text
from fuin.errors import FuinError
from fuin.server import keyholding, tls
from fuin.settings import GIB, MIB, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD, WARNING, BAD = "ok", "warning", "bad"
_LEAST, _LITTLE = 64 * MIB, 2 * GIB
_SHORT, _CHARACTERS = 16, 6  # a passphrase below these is guessed
_SOON = 30 * 86400.0  # seconds before the end of a certificate
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized

Data = Annotated[Path, typer.Option("--data", help="The server's data folder.", envvar="FUIN_DATA")]
Passphrase = Annotated[Path | None, typer.Option("--passphrase-file", help="The file with the passphrase.")]
Certificate = Annotated[Path | None, typer.Option("--tls-cert", help="The certificate.")]
PrivateKey = Annotated[Path | None, typer.Option("--tls-key", help="The file with its private key.")]


class Finding(NamedTuple):
    """What was found about one thing, and what to do."""

    level: str
    subject: str
    text: str


def doctor(
    data: Data = Path("fuin-data"), passphrase_file: Passphrase = None, tls_cert: Certificate = None,
    tls_key: PrivateKey = None, json_output: JsonOutput = False,
) -> None:  # fmt: skip
    """Look for what is unsafe on this machine: permissions, clock, memory, disk, TLS and passphrase.

    It reads the data folder, so run it there as the server's user; it changes nothing. The exit status is 1 if
    something is bad; warnings alone are 0.

    **Example**: `fuin doctor --data /var/lib/fuin --passphrase-file /etc/fuin/passphrase`
    """
    settings = Settings(data=data.absolute())
    if not settings.data.is_dir():
        raise FuinError(f"{data} is not a folder; `fuin serve --data {data}` makes it")
    found = [
        *check_permissions(settings), *check_root_key(settings), *check_clock(), *check_memory(),
        *check_disk(settings.data), *check_tls(settings, tls_cert, tls_key),
    ]  # fmt: skip
    if passphrase_file is not None:
        found += check_passphrase(passphrase_file, settings.data)
    if json_output:
        print_json([finding._asdict() for finding in found])
    else:
        for finding in found:
            typer.echo(escape(f"{finding.level:<8} {finding.subject}: {finding.text}"))
    if any(finding.level == BAD for finding in found):
        raise typer.Exit(1)


def check_permissions(settings: Settings) -> Iterator[Finding]:
    """Yield who else could read or write the data."""
    places = [settings.data, settings.blobs, settings.audit, settings.run, settings.database, settings.root_key]
    present = [place for place in places if place.exists()]
    open_ones = [place for place in present if place.stat().st_mode & 0o077]
    foreign = [place for place in present if place.stat().st_uid != os.geteuid()]
    for place in open_ones:
        mode = stat.S_IMODE(place.stat().st_mode)
        yield Finding(BAD, str(place), f"others have a right to it ({mode:04o}); chmod go= {place}")
    for place in foreign:
        yield Finding(WARNING, str(place), "belongs to another user; run this as the server's user")
    if not open_ones and not foreign:
        yield Finding(GOOD, "permissions", f"only this user may read {settings.data}")


def check_root_key(settings: Settings) -> Iterator[Finding]:
    """Yield whether a copy of the folder is enough to open everything."""
    if not settings.root_key.exists():
        yield Finding(WARNING, "root key", f"{settings.root_key} does not exist: the server was not started yet")
    elif not keyholding.needs_passphrase(settings):
        yield Finding(
            WARNING, "root key", "no passphrase seals it: who copies the data folder can open everything. Only the "
            "first start with --passphrase-file seals it"
        )  # fmt: skip
    else:
        yield Finding(GOOD, "root key", "a passphrase seals it")


def check_passphrase(file: Path, data: Path) -> list[Finding]:
    """Return the findings about a passphrase file; the passphrase itself is not shown."""
    found = []
    mode = file.stat().st_mode
    if mode & 0o077:
        found.append(Finding(BAD, str(file), f"others have a right to it ({stat.S_IMODE(mode):04o}); chmod go= {file}"))
    text = file.read_bytes().rstrip(b"\r\n")
    if not text:
        found.append(Finding(BAD, str(file), "is empty"))
    elif len(text) < _SHORT or len(set(text)) < _CHARACTERS:
        found.append(Finding(WARNING, str(file), f"the passphrase is weak: take {_SHORT} characters or more"))
    if data.resolve() in file.resolve().parents:
        found.append(Finding(BAD, str(file), "is in the data folder, so that a copy of the folder has it"))
    return found or [Finding(GOOD, "passphrase", f"{file} is private, and long enough")]


def check_clock() -> Iterator[Finding]:
    """Yield whether the kernel knows that the clock is right."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, with modes 0: only to read
    try:
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        state = -1
    if state == _TIME_ERROR:
        yield Finding(WARNING, "clock", "no time service keeps it right: run chrony or systemd-timesyncd")
    elif state < 0:
        yield Finding(WARNING, "clock", "this system does not say whether it is kept right")
    else:
        yield Finding(GOOD, "clock", "a time service keeps it right")


def check_memory() -> Iterator[Finding]:
    """Yield whether keys in memory could come to a disk."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    swaps = Path("/proc/swaps")
    has_swap = swaps.exists() and len(swaps.read_text(encoding="utf-8", errors="replace").splitlines()) > 1
    if limit == resource.RLIM_INFINITY or os.geteuid() == 0:
        yield Finding(GOOD, "memory", "the keyholder can lock all of its memory")
    elif has_swap:
        yield Finding(
            WARNING, "memory", f"{size_text(limit)} may be locked, and swap is on: a key could come to a disk. "
            "Turn swap off, or set LimitMEMLOCK=infinity"
        )  # fmt: skip
    else:
        yield Finding(GOOD, "memory", f"{size_text(limit)} may be locked, and swap is off")


def check_disk(data: Path) -> Iterator[Finding]:
    """Yield how much room there is for records, rows and objects."""
    free, inodes = shutil.disk_usage(data).free, os.statvfs(data)
    text = f"{size_text(free)} free for {data}"
    if free < _LEAST or (inodes.f_files and inodes.f_favail < 1000):
        yield Finding(BAD, "disk", f"{text}: full. The server refuses requests before the log cannot be written")
    else:
        yield Finding(WARNING if free < _LITTLE else GOOD, "disk", text)


def check_tls(settings: Settings, certificate: Path | None, key: Path | None) -> Iterator[Finding]:
    """Yield whether the certificate is valid for long, and its key private."""
    own = settings.data / "tls" / "cert.pem"
    file = certificate or (own if own.exists() else None)
    if key is not None and key.stat().st_mode & 0o077:
        yield Finding(BAD, str(key), f"others have a right to the private key; chmod go= {key}")
    if file is None:
        yield Finding(WARNING, "TLS", "no certificate was given (--tls-cert): plain HTTP is for this machine only")
        return
    end = _read_end(file)
    left = end - time.time()
    day = time.strftime("%Y-%m-%d", time.gmtime(end))
    if left <= 0:
        yield Finding(BAD, "TLS", f"{file} ended on {day}")
    else:
        yield Finding(WARNING if left < _SOON else GOOD, "TLS", f"{file} is valid until {day}")


def _read_end(file: Path) -> float:
    try:
        return tls.read_end(file)
    except ValueError:
        raise FuinError(f"{file} is no certificate in PEM") from None
