"""Small objects of the store's own: notes, marks and lists of keys."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fuin.blobs.s3.client import NotFoundError
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fuin.blobs.s3.client import Client

T = TypeVar("T")
_AT_ONCE = 1000  # keys of one DeleteObjects and of one page


def read(client: Client, name: str) -> bytes | None:
    """Return a small object, None if there is no such object; raises StoreUnavailable."""
    try:
        return client.read(client.address.key(name))[0]
    except NotFoundError as error:
        if error.code != "NoSuchKey":
            raise StoreUnavailable(f"{client.address.place} cannot be read: {error.code}") from error
        return None


def write(client: Client, name: str, content: bytes) -> None:
    """Write a small object; raises StoreUnavailable."""
    try:
        client.call("put_object", Key=client.address.key(name), body=memoryview(content))
    except NotFoundError as error:
        raise StoreUnavailable(f"{client.address.place} cannot be written: {error.code}") from error


def decode(content: bytes, kind: type[T]) -> T | None:
    """Return the value of a note, None where it is damaged."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError:
        return None


def page(client: Client, folder: str, size: int = _AT_ONCE, token: str | None = None) -> dict[str, Any]:
    """Return one page of a list of objects; raises StoreUnavailable."""
    more: dict[str, Any] = {} if token is None else {"ContinuationToken": token}
    try:
        prefix = client.address.key(folder)
        return client.call("list_objects_v2", Prefix=prefix, MaxKeys=min(size, _AT_ONCE), **more)
    except NotFoundError as error:
        raise StoreUnavailable(f"{client.address.place} cannot be listed: {error.code}") from error


def entries(client: Client, folder: str) -> Iterator[tuple[str, float, float]]:
    """Yield each object of a folder: its name in the folder, and its age in seconds, by the clock of S3.

    Raises StoreUnavailable.
    """
    start, token = len(client.address.key(folder)), None
    while True:
        found = page(client, folder, token=token)
        now = _answer_time(found)
        for entry in found.get("Contents", ()):
            modified = entry["LastModified"].timestamp()
            yield entry["Key"][start:], now - modified, modified
        token = found.get("NextContinuationToken")
        if token is None:
            return


def _answer_time(answer: dict[str, Any]) -> float:
    try:
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date).timestamp()
    except (KeyError, ValueError):
        return 0.0


def uploads_of(client: Client, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the key and the id of each multipart upload whose key has a prefix; raises StoreUnavailable."""
    marks: dict[str, Any] = {}
    while True:
        try:
            found = client.call("list_multipart_uploads", Prefix=prefix, **marks)
        except NotFoundError as error:
            raise StoreUnavailable(f"{client.address.place} cannot be listed: {error.code}") from error
        for upload in found.get("Uploads", ()):
            yield upload["Key"], upload["UploadId"]
        if not found.get("IsTruncated"):
            return
        marks = {"KeyMarker": found["NextKeyMarker"], "UploadIdMarker": found.get("NextUploadIdMarker", "")}


def delete(client: Client, keys: Iterable[str]) -> None:
    """Delete objects by their keys; those that are not there do not matter. Raises StoreUnavailable."""
    rest = list(keys)
    while rest:
        batch, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
        try:
            if len(batch) == 1:
                client.call("delete_object", Key=batch[0])
                continue
            wanted = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
            failed = client.call("delete_objects", Delete=wanted).get("Errors")
        except NotFoundError as error:
            if error.code == "NoSuchKey":
                continue
            raise StoreUnavailable(f"{client.address.place} cannot be written: {error.code}") from error
        if failed:
            raise StoreUnavailable(f"S3 does not delete {len(failed)} blobs: {failed[0].get('Code')}")
