"""From S3 to a file or a stream: the object of one moment, whole."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from botocore.exceptions import HTTPClientError

from fuin.cli.files.parts import PART, Span, Workers, split
from fuin.cli.wire.answers import WireError, wire_error
from fuin.envelope.output import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fuin.cli.files.address import Address
    from fuin.cli.wire.client import Client

    Write = Callable[[bytes, int], object]
    Advance = Callable[[int], None]

_PIECE = 256 * 1024
_TRIES = 5  # of one part whose connection breaks


class Seen(NamedTuple):
    """An object as it was when the transfer began; `etag` holds the transfer to it."""

    size: int
    etag: str | None
    answer: dict[str, Any]


def look(client: Client, source: Address) -> Seen:
    """Return the size and the entity tag of an object; raises WireError."""
    answer = client.ask("head_object", str(source), Bucket=source.bucket, Key=source.key)
    return Seen(answer["ContentLength"], answer.get("ETag"), answer)


def download(
    client: Client, source: Address, target: Path, workers: Workers, advance: Advance, *, seen: Seen, force: bool
) -> None:
    """Write an object to a file, which appears when it is whole; raises WireError, OSError."""
    with whole_file(target, force=force) as file:
        descriptor = file.fileno()

        def fetch(span: Span | None) -> None:
            start = span.start if span else 0
            _fetch(
                client, source, seen, span, lambda data, at: _write_at(descriptor, data, start + at), workers, advance
            )

        spans: list[Span | None] = [None] if seen.size <= PART else [*split(seen.size)]
        workers.run_parts(partial(fetch, span) for span in spans)


def stream(client: Client, source: Address, sink: BinaryIO, advance: Advance) -> None:
    """Write an object to a stream in order; raises WireError, also when the stream has its beginning already."""
    seen = look(client, source)
    with Workers(1) as alone:
        _fetch(client, source, seen, None, lambda data, _: sink.write(data), alone, advance)
    sink.flush()


def _fetch(
    client: Client, source: Address, seen: Seen, span: Span | None, write: Write, workers: Workers, advance: Advance
) -> None:
    """Give the bytes of a span, or of the whole object, to `write`; a connection that breaks is taken up again."""
    start, length = span or Span(0, seen.size)
    done = 0
    for attempt in range(1, _TRIES + 1):
        is_whole = span is None and not done
        header = None if is_whole else f"bytes={start + done}-{start + length - 1}"
        answer = client.ask(
            "get_object", str(source), Bucket=source.bucket, Key=source.key, Range=header, IfMatch=seen.etag
        )
        try:
            for piece in _pieces(answer["Body"]):
                workers.check()
                write(piece, done)
                done += len(piece)
                advance(len(piece))
        except HTTPClientError as error:
            if attempt == _TRIES:
                raise wire_error(error, str(source)) from error
        else:
            if done == length:
                return
            if attempt == _TRIES:
                raise WireError(f"{source} ended after {done} of {length} bytes")


def _pieces(body: Any) -> Iterator[bytes]:
    while piece := body.read(_PIECE):
        yield piece


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count
