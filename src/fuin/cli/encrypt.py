"""`fuin encrypt` and `fuin decrypt`: files and streams under a data key from any AWS KMS endpoint."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from fuin.cli.pairs import parse_pairs
from fuin.cli.standard_streams import standard_input
from fuin.cli.wire.show import say
from fuin.envelope import files
from fuin.envelope.kms import KmsClient
from fuin.envelope.output import whole_file
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

SUFFIX = ".fuin"
STREAM = "-"

Source = Annotated[str, typer.Argument(metavar="FILE", help="The file to read; - for standard input.")]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="OUT", help="The file to write; - for standard output.")
]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="KEY=VALUE", help="Encryption context pair; may be repeated."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output file.")]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="The KMS endpoint; default: AWS_ENDPOINT_URL_KMS, else AWS's."),
]
Region = Annotated[
    str | None,
    typer.Option("--region", metavar="R", help="Default: the Region in the key's ARN, else AWS_REGION."),
]
WriterKey = Annotated[str, typer.Option("--key", metavar="KEY", help="KMS key: alias/…, id or ARN.")]
ReaderKey = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="Refuse a message under any other KMS key.")
]


def encrypt(
    file: Source,
    key: WriterKey,
    output: Output = None,
    context: Pairs = None,
    force: Force = False,
    endpoint_url: Endpoint = None,
    region: Region = None,
) -> None:
    """Encrypt a file under a new data key from a KMS key.

    The result is an AWS Encryption SDK message, with the encrypted data key in it; the default output is FILE.fuin.
    This needs the permission `kms:GenerateDataKey`, not `kms:Encrypt`.

    **Examples**

    * `fuin encrypt report.pdf --key alias/reports`
    * `fuin encrypt report.pdf -o sealed.bin --key alias/reports --context team=finance --context year=2026`
    * `tar c folder | fuin encrypt - --key alias/backup > folder.tar.fuin`
    * `fuin encrypt a.txt --key alias/reports --endpoint-url http://127.0.0.1:8700 --region us-east-1`
    """
    target = output or (STREAM if file == STREAM else file + SUFFIX)
    if target == STREAM and sys.stdout.isatty():
        raise FuinError("ciphertext is not written to a terminal: give -o, or redirect the output")
    client = KmsClient(endpoint_url, region)
    pairs = parse_pairs(context)
    with _streams(file, target, "encrypting", force=force) as (source, sink, progress):
        arn = files.encrypt(source, sink, client, key, pairs, progress)
    _say_written(target, arn)


def decrypt(
    file: Source,
    output: Output = None,
    key: ReaderKey = None,
    context: Pairs = None,
    force: Force = False,
    endpoint_url: Endpoint = None,
    region: Region = None,
) -> None:
    """Decrypt a file that `fuin encrypt` or an AWS Encryption SDK wrote.

    The message names its own KMS key, so `--key` is only a check. `--context` is a check too: the message's context
    must contain these pairs. The output file appears only when the whole message has proved genuine. This needs the
    permission `kms:Decrypt`.

    **Examples**

    * `fuin decrypt report.pdf.fuin`
    * `fuin decrypt sealed.bin -o report.pdf --key alias/reports --context team=finance`
    * `fuin decrypt - < folder.tar.fuin | tar x`
    """
    target = output or _plain_name(file)
    client = KmsClient(endpoint_url, region)
    pairs = parse_pairs(context)
    with _streams(file, target, "decrypting", force=force) as (source, sink, progress):
        arn = files.decrypt(source, sink, client, progress, key=key, context=pairs)
    _say_written(target, arn)


def _say_written(target: str, arn: str) -> None:
    if target != STREAM:
        say(f"wrote {target} (key {arn})")


def _plain_name(file: str) -> str:
    if file == STREAM:
        return STREAM
    if not file.endswith(SUFFIX) or Path(file).name == SUFFIX:
        raise FuinError(f"{file} does not end in {SUFFIX}: give the output's name with -o")
    return file.removesuffix(SUFFIX)


@contextmanager
def _streams(
    file: str, target: str, verb: str, *, force: bool
) -> Iterator[tuple[files.BinarySource, files.BinarySink, Callable[[int], None]]]:
    """Open input, output and progress bar; the output file appears only if nothing fails."""
    with _input(file) as source, _output(target, force=force) as sink, _bar(file, verb) as progress:
        yield source, sink, progress


@contextmanager
def _input(file: str) -> Iterator[files.BinarySource]:
    if file == STREAM:
        yield standard_input()
        return
    with Path(file).open("rb", buffering=0) as source:
        yield source


@contextmanager
def _output(target: str, *, force: bool) -> Iterator[files.BinarySink]:
    if target != STREAM:
        with whole_file(Path(target), force=force) as sink:
            yield sink
        return
    counted = _CountingStream(sys.stdout.buffer)
    try:
        yield counted
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be flushed at exit
        raise FuinError("the reader of standard output has gone away") from None
    except FuinError as error:
        if not counted.written:
            raise
        raise FuinError(f"{error}; the output is incomplete: do not use it") from error


class _CountingStream:
    """Standard output that counts its bytes: after the first byte, the output can be incomplete."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.written = 0

    def write(self, data: Buffer) -> int:
        """Write all of `data`."""
        self.written += self._stream.write(data)
        return self.written


@contextmanager
def _bar(file: str, verb: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes each number of bytes and draws a bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    total = Path(file).stat().st_size if file != STREAM and Path(file).is_file() else None
    columns = (TextColumn(verb), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda count: bar.advance(task, count)
