"""`fuin cp`: files and objects, in any direction."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from fuin.cli.error_text import text_of_error
from fuin.cli.files.address import Address, is_address, parse_address, parse_object
from fuin.cli.files.download import download, look, stream
from fuin.cli.files.parts import Stopped, Workers
from fuin.cli.files.progress_line import ProgressLine
from fuin.cli.files.upload import Encryption, Target, copy, upload, upload_stream
from fuin.cli.standard_streams import standard_input
from fuin.cli.terminal_escape import escape
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import client_command
from fuin.cli.wire.show import say, size_text
from fuin.envelope.output import refuse_existing
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "-"
_PARALLEL = 8
_NOT_IN_S3 = "source or target must be in S3: write s3://BUCKET/KEY"

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE… TARGET", help="Files, s3://BUCKET/KEY, or - for a stream; the last one is the target."
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="All files of a folder, or all objects below a key.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files. Objects are always replaced.")]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="Encrypt the new objects under this KMS key (SSE-KMS).")
]
Parallel = Annotated[int, typer.Option("--parallel", min=1, max=64, help="How many requests at once.")]


class Job(NamedTuple):
    """One file or object, and where it goes."""

    source: Path | Address
    target: Path | Address


@client_command("s3", connections=64)
def copy_files(
    client: Client, paths: Paths, recursive: Recursive = False, force: Force = False, key: Key = None,
    parallel: Parallel = _PARALLEL,
) -> None:  # fmt: skip
    """Copy files to S3, objects to files, or objects within S3.

    Large ones go in parts, several at once. A file or an object appears whole or not at all, also when the command is
    interrupted. A target that ends in / or is a folder or a bucket keeps the name of the source.

    **Examples**

    * `fuin cp report.pdf s3://reports/2026/ --key alias/reports`
    * `fuin cp s3://reports/2026/report.pdf .`
    * `fuin cp -r photos s3://backup/photos`
    * `fuin cp s3://reports/a.pdf s3://archive/a.pdf`
    * `tar c folder | fuin cp - s3://backup/folder.tar`
    """
    *sources, last = paths
    if not sources:
        raise typer.BadParameter("fuin cp takes a source and a target")
    progress = ProgressLine()
    with Workers(parallel) as workers:
        copying = _Copying(client, workers, progress, Encryption(key), force=force)
        try:
            if STREAM in paths:
                copying.stream(sources, last)
            else:
                copying.run(_jobs(client, sources, last, recursive=recursive))
        finally:
            progress.close()
    copying.report()


class _Copying:
    """What one command copies, and how it went."""

    def __init__(
        self, client: Client, workers: Workers, progress: ProgressLine, encryption: Encryption, *, force: bool
    ) -> None:
        self._client, self._workers, self._progress = client, workers, progress
        self._encryption, self._force = encryption, force
        self._files = self._failures = 0

    def run(self, jobs: Iterator[Job]) -> None:
        """Do all jobs, several at once; each error is a line at once, and does not stop the others."""
        self._workers.run_files((partial(self._copy, job) for job in self._count(jobs)), self._note_failure)

    def _count(self, jobs: Iterator[Job]) -> Iterator[Job]:
        for job in jobs:
            self._files += 1
            yield job

    def _note_failure(self, error: FuinError | OSError) -> None:
        if isinstance(error, Stopped):
            return
        self._failures += 1
        self._progress.close()
        typer.echo(f"fuin: {escape(text_of_error(error))}", err=True)

    def _copy(self, job: Job) -> None:
        source, target, advance = job.source, job.target, self._progress.advance
        self._workers.check()
        if isinstance(source, Path):
            self._progress.expect(source.stat().st_size)
            upload(source, self._target(target), self._workers, advance)
            return
        if isinstance(target, Path):
            refuse_existing(target, force=self._force)
        seen = look(self._client, source)
        self._progress.expect(seen.size)
        if isinstance(target, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
            download(self._client, source, target, self._workers, advance, seen=seen, force=self._force)
        else:
            copy(source, seen, self._target(target), self._workers, advance)

    def stream(self, sources: list[str], last: str) -> None:
        """Copy standard input to an object, or an object to standard output."""
        if len(sources) != 1 or sources[0] == last:
            raise typer.BadParameter("- is one end, and one s3://BUCKET/KEY the other")
        self._files = 1
        if last == STREAM:
            stream(self._client, parse_object(sources[0]), sys.stdout.buffer, self._progress.advance)
        else:
            upload_stream(standard_input(), self._target(parse_object(last)), self._workers, self._progress.advance)

    def _target(self, address: Path | Address) -> Target:
        if isinstance(address, Path):
            raise FuinError(_NOT_IN_S3)
        return Target(self._client, address, self._encryption)

    def report(self) -> None:
        """Say what was copied; raises FuinError if not all was."""
        if self._failures == self._files == 1:
            raise typer.Exit(1)
        if self._failures:
            raise FuinError(f"{self._failures} of {self._files} were not copied")
        say(f"copied {self._files} {'file' if self._files == 1 else 'files'}, {size_text(self._progress.byte_count)}")


def _jobs(client: Client, sources: list[str], last: str, *, recursive: bool) -> Iterator[Job]:
    """Yield the files and objects to copy, and their targets; raises FuinError for what cannot be meant."""
    if not is_address(last) and not all(map(is_address, sources)):
        raise FuinError(_NOT_IN_S3)
    into: Path | Address = parse_address(last) if is_address(last) else Path(last)
    is_folder = (
        recursive
        or len(sources) > 1
        or last.endswith("/")
        or (not into.key if isinstance(into, Address) else into.is_dir())
    )
    if isinstance(into, Path) and not recursive and not (into if is_folder else into.parent).is_dir():
        raise FuinError(f"the folder {into if is_folder else into.parent} does not exist")
    for text in sources:
        if not recursive:
            source = parse_object(text) if is_address(text) else _one_file(text)
            name = (source.key if isinstance(source, Address) else source.name).rpartition("/")[2]
            yield Job(source, _place_below(into, name) if is_folder else into)
        elif is_address(text):
            yield from _objects_below(client, parse_address(text), into)
        else:
            yield from _files_below(text, into)


def _one_file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise FuinError(f"{text} is a folder; -r copies the files in it")
    if not path.exists():
        raise FuinError(f"{text} does not exist")
    return path


def _place_below(into: Path | Address, name: str) -> Path | Address:
    """Return the place of a name below a folder, or below a key; raises FuinError for a name that leads elsewhere."""
    if isinstance(into, Address):
        start = f"{into.key.rstrip('/')}/" if into.key else ""
        return Address(into.bucket, start + name)
    if any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
        raise FuinError(f"the key {name!r} cannot be the name of a file below {into}")
    return into / name


def _objects_below(client: Client, source: Address, into: Path | Address) -> Iterator[Job]:
    start = f"{source.key.rstrip('/')}/" if source.key else ""
    count = 0
    for found in client.items("list_objects_v2", str(source), "Contents", Bucket=source.bucket, Prefix=start):
        count += 1
        if not (found["Key"].endswith("/") and not found["Size"]):  # a folder that a console has made
            yield Job(Address(source.bucket, found["Key"]), _place_below(into, found["Key"].removeprefix(start)))
    if not count:
        raise FuinError(f"there is no object below s3://{source.bucket}/{start}")


def _files_below(text: str, into: Path | Address) -> Iterator[Job]:
    folder = Path(text)
    if not folder.is_dir():
        raise FuinError(
            f"{text} is not a folder; without -r a file is copied" if folder.exists() else f"{text} does not exist"
        )

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file():
                yield Job(path, _place_below(into, path.relative_to(folder).as_posix()))
