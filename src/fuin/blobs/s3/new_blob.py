"""Writing a blob to S3: up to 8 MiB by one PutObject, more by a multipart upload; whole or not at all.

A part is gathered in memory before it is sent, so each request can be repeated, and no thread and no connection waits
for a slow client. (S3 ends a request whose body stops for 20 seconds.)
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from fuin.blobs.s3 import small, threads
from fuin.blobs.s3.client import NotFoundError
from fuin.errors import FuinError, StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable

    from typing_extensions import Buffer

    from fuin.blobs.s3.client import Client

PART = 8 * 1024 * 1024  # bytes; AWS takes 5 MiB at least, and 10,000 parts
_PATIENCE = 60.0  # seconds for a part


class Budget:
    """How many bytes of unfinished parts a process keeps in memory."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Take room for bytes; raises StoreUnavailable when too many are kept."""
        with self._lock:
            if size > self._left:
                raise StoreUnavailable("too many uploads wait for S3 or for their clients")
            self._left -= size

    def give_back(self, size: int) -> None:
        """Give room back."""
        with self._lock:
            self._left += size


class S3NewBlob:
    """A `NewBlob` in a bucket."""

    def __init__(self, client: Client, budget: Budget, blob: str) -> None:
        self.blob = blob
        self.size = 0
        self._client = client
        self._budget = budget
        self._key = client.address.blob_key(blob)
        self._part = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._may_exist = False

    def append(self, pieces: Iterable[Buffer]) -> Future[None]:
        """Append the pieces, in order."""
        return threads.start(self._append, pieces)

    def commit(self, pieces: Iterable[Buffer] = ()) -> Future[None]:
        """Append the last pieces, and make the object."""
        return threads.start(self._commit, pieces)

    def discard(self) -> Future[None]:
        """Remove the object or the upload."""
        return threads.start(self._discard)

    def release(self) -> None:
        """Drop what is in memory. Who uses a blob is said in the index's database (`store/s3/upload_intents.py`)."""
        self._budget.give_back(len(self._part))
        self._part = bytearray()

    def _append(self, pieces: Iterable[Buffer]) -> None:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            self.size += len(view)
            while view:
                step = view[: PART - len(self._part)]
                self._budget.take(len(step))
                self._part += step
                view = view[len(step) :]
                if len(self._part) == PART:
                    self._send_part()

    def _send_part(self) -> None:
        try:
            if self._upload is None:
                self._upload = self._client.call("create_multipart_upload", Key=self._key)["UploadId"]
            number, body = len(self._parts) + 1, memoryview(self._part)
            known: dict[str, Any] = {"Key": self._key, "UploadId": self._upload, "PartNumber": number}
            answer = self._client.call("upload_part", patience=_PATIENCE, body=body, **known)
        except NotFoundError as error:
            raise StoreUnavailable(f"a blob cannot be written to S3: {error.code}") from error
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self.release()

    def _commit(self, pieces: Iterable[Buffer]) -> None:
        self._append(pieces)
        self._may_exist = True
        if self._upload is None:
            try:
                self._client.call("put_object", patience=_PATIENCE, Key=self._key, body=memoryview(self._part))
            except NotFoundError as error:
                raise StoreUnavailable(f"a blob cannot be written to S3: {error.code}") from error
        else:
            if self._part:
                self._send_part()
            self._complete()
        self.release()

    def _complete(self) -> None:
        """Make the object of its parts. A second try after a lost answer finds no upload: the object itself tells."""
        known: dict[str, Any] = {"Key": self._key, "UploadId": self._upload, "MultipartUpload": {"Parts": self._parts}}
        try:
            self._client.call("complete_multipart_upload", patience=_PATIENCE, **known)
        except FuinError as error:
            try:
                length = self._client.call("head_object", Key=self._key)["ContentLength"]
            except NotFoundError:
                length = -1
            if length != self.size:
                raise StoreUnavailable(f"a blob could not be completed on S3: {error}") from error

    def _discard(self) -> None:
        self.release()
        with contextlib.suppress(FuinError):
            if self._upload is not None:
                self._client.call("abort_multipart_upload", Key=self._key, UploadId=self._upload)
        with contextlib.suppress(FuinError):
            if self._may_exist:
                small.delete(self._client, [self._key])
