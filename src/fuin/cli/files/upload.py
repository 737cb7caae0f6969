"""From a file or a stream to S3, and from S3 to S3: an object appears when it is whole."""

from __future__ import annotations

import mimetypes
import os
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from fuin.cli.files.parts import MIB, PART, FilePart, Span, Workers, finish, split
from fuin.cli.standard_streams import read_full
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from fuin.cli.files.address import Address
    from fuin.cli.files.download import Seen
    from fuin.cli.wire.client import Client

    Advance = Callable[[int], None]

COPY_PART = 64 * MIB
WHOLE_COPY = 256 * MIB  # larger ones are copied in parts, since an answer must come within a minute
_GROWTH = 1000  # parts of a stream after which they double, since nobody knows how many there will be
_KEPT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata")


class Encryption(NamedTuple):
    """The KMS key of new objects; without one the bucket's default encryption decides."""

    key: str | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """Return the parameters of a request that begins an object."""
        return {} if self.key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key}


class Target(NamedTuple):
    """Where objects are written, by which client and under which key."""

    client: Client
    address: Address
    encryption: Encryption

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a request about this object; raises WireError."""
        address = self.address
        return self.client.ask(operation, str(address), Bucket=address.bucket, Key=address.key, **parameters)


def upload(source: Path, target: Target, workers: Workers, advance: Advance) -> None:
    """Write a file to an object; raises WireError, OSError."""
    kind = {"ContentType": mimetypes.guess_type(source.name)[0]}
    with source.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        if before.st_size <= PART:
            _put(target, kind, file.read(), advance)
            return
        with _multipart(target, kind) as upload_id:
            parts = workers.run_parts(
                partial(_send_part, target, upload_id, number, FilePart(file.fileno(), span), advance)
                for number, span in enumerate(split(before.st_size), 1)
            )
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise FuinError(f"{source} was changed while it was read; copy it again")
            _complete(target, upload_id, parts)


def upload_stream(source: BinaryIO, target: Target, workers: Workers, advance: Advance) -> None:
    """Write a stream to an object, in parts if it is long; raises WireError, OSError."""
    piece, number = read_full(source, PART), 1
    if len(piece) < PART:
        _put(target, {}, piece, advance)
        return
    with _multipart(target, {}) as upload_id:
        running: list[Future[dict[str, Any]]] = []
        try:
            while piece:
                if number > workers.parallel:
                    running[number - 1 - workers.parallel].result()  # no more pieces are in memory than threads
                running.append(workers.start_part(partial(_send_part, target, upload_id, number, piece, advance)))
                number += 1
                piece = read_full(source, PART << (number // _GROWTH))
            _complete(target, upload_id, finish(running))
        except BaseException:
            workers.stop(running)
            raise


def copy(source: Address, seen: Seen, target: Target, workers: Workers, advance: Advance) -> None:
    """Copy an object within S3, with its headers and metadata; raises WireError."""
    origin = {"CopySource": {"Bucket": source.bucket, "Key": source.key}, "CopySourceIfMatch": seen.etag}
    if seen.size <= WHOLE_COPY:
        target.ask("copy_object", **origin, **target.encryption.parameters)
        advance(seen.size)
        return
    kept = {name: seen.answer[name] for name in _KEPT if seen.answer.get(name)}
    with _multipart(target, kept) as upload_id:

        def send(number: int, span: Span) -> dict[str, Any]:
            extent = f"bytes={span.start}-{span.start + span.length - 1}"
            answer = target.ask(
                "upload_part_copy", UploadId=upload_id, PartNumber=number, CopySourceRange=extent, **origin
            )
            advance(span.length)
            found = answer["CopyPartResult"]
            return {"PartNumber": number, "ETag": found["ETag"], **_checksums(found)}

        spans = enumerate(split(seen.size, COPY_PART), 1)
        _complete(target, upload_id, workers.run_parts(partial(send, number, span) for number, span in spans))


def _put(target: Target, parameters: dict[str, Any], data: bytes, advance: Advance) -> None:
    target.ask("put_object", Body=data, **parameters, **target.encryption.parameters)
    advance(len(data))


def _send_part(target: Target, upload_id: str, number: int, body: FilePart | bytes, advance: Advance) -> dict[str, Any]:
    answer = target.ask("upload_part", UploadId=upload_id, PartNumber=number, Body=body)
    advance(len(body))
    return {"PartNumber": number, "ETag": answer["ETag"], **_checksums(answer)}


def _checksums(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"}


def _complete(target: Target, upload_id: str, parts: list[dict[str, Any]]) -> None:
    target.ask("complete_multipart_upload", UploadId=upload_id, MultipartUpload={"Parts": parts})


@contextmanager
def _multipart(target: Target, parameters: dict[str, Any]) -> Iterator[str]:
    """Begin an upload in parts and give its id; after an error or a signal nothing of it is left."""
    begun = target.ask("create_multipart_upload", **parameters, **target.encryption.parameters)
    try:
        yield begun["UploadId"]
    except BaseException:
        with suppress(FuinError):
            target.ask("abort_multipart_upload", UploadId=begun["UploadId"])
        raise
