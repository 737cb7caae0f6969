"""Requests to S3 by botocore's client, with an end: each is tried a few times, and not beyond its deadline.

botocore brings the chain of credentials, signatures, TLS, and the answers of S3 and of what resembles it. Its own
retries are off: they know of no deadline for the whole, so a silent server would hold a thread for a minute.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, SSLError
from botocore.exceptions import ConnectionError as NoConnectionError
from urllib3.exceptions import HTTPError

from fuin.errors import FuinError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fuin.blobs.s3.address import Address

T = TypeVar("T")

_CONNECT = 5.0  # seconds, also for each piece of a body
_SILENCE = 10.0  # seconds that S3 may keep silent
PATIENCE = 20.0  # seconds for a request, with all of its tries
_PAUSES = (0.1, 0.4, 1.6)  # seconds between tries
_PIECE = 256 * 1024  # bytes of a body between two looks at the clock
_BUSY_STATUSES = {429, 500, 502, 503, 504}
_BUSY_CODES = {"RequestTimeout", "SlowDown", "OperationAborted"}

log = logging.getLogger("fuin.blobs")

# What a request or the reading of its answer may end with when the network or the server fails.
BROKEN = (NoConnectionError, HTTPClientError, IncompleteReadError, HTTPError, HTTPException, OSError)


class NotFoundError(FuinError):
    """S3 has no object, upload or bucket of this name; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class AlreadyThereError(FuinError):
    """There is an object of this name, and the request was for a new one."""


class OutOfRangeError(FuinError):
    """The object has no byte of the range."""


class _Upload:
    """A body that is sent piece by piece until the deadline; botocore asks for its length first."""

    def __init__(self, body: memoryview, deadline: float) -> None:
        self._body = body
        self._deadline = deadline
        self._at = 0

    def __len__(self) -> int:
        return len(self._body)

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._at

    def seek(self, offset: int, _whence: int = 0) -> int:
        """Go to the beginning; awscrt's signer takes no body for one that cannot seek."""
        self._at = offset
        return offset

    def read(self, _size: int = -1) -> memoryview:
        """Return the next piece, empty at the end; raises TimeoutError."""
        if time.monotonic() > self._deadline:
            raise TimeoutError("S3 takes a blob too slowly")
        piece = self._body[self._at : self._at + _PIECE]
        self._at += len(piece)
        return piece


class Client:
    """The client of one bucket; it is made with the first request, since that takes a quarter of a second."""

    def __init__(self, address: Address, endpoint: str, authority: Path | None) -> None:
        self.address = address
        self._endpoint = endpoint
        self._authority = authority
        self._lock = threading.Lock()
        self._made: Any = None

    def call(
        self,
        operation: str,
        *,
        patience: float = PATIENCE,
        body: memoryview | None = None,
        tries: int = 4,
        **members: Any,
    ) -> dict[str, Any]:
        """Return the answer of S3 to one operation, tried again when that may help; waits.

        Raises NotFoundError, AlreadyThereError, OutOfRangeError or StoreUnavailable.
        """
        return self._repeat(operation, patience, tries, lambda deadline: self._send(operation, body, deadline, members))

    def read(self, key: str, span: str | None = None) -> tuple[bytes, dict[str, Any]]:
        """Return the bytes of a small object, or of a span of one, and the answer; raises as `call` does."""
        members = {"Key": key} if span is None else {"Key": key, "Range": span}

        def read(deadline: float) -> tuple[bytes, dict[str, Any]]:
            answer = self._send("get_object", None, deadline, members)
            content = answer["Body"].read()
            if len(content) != answer["ContentLength"]:
                raise OSError("an answer of S3 has another length than it says")
            return content, answer

        return self._repeat("get_object", PATIENCE, 4, read)

    def _repeat(self, operation: str, patience: float, tries: int, send: Callable[[float], T]) -> T:
        deadline = time.monotonic() + patience
        pauses = iter(_PAUSES[: tries - 1])
        while True:
            try:
                return send(deadline)
            except BROKEN as error:
                pause = next(pauses, None)
                if pause is None or time.monotonic() + pause > deadline:
                    raise _failure(_describe(operation, error)) from error
            time.sleep(pause * (0.5 + secrets.randbelow(512) / 1024))  # so that not all come again at once

    def _send(
        self, operation: str, body: memoryview | None, deadline: float, members: dict[str, Any]
    ) -> dict[str, Any]:
        if body is not None:
            members = {**members, "Body": bytes(body) if len(body) <= _PIECE else _Upload(body, deadline)}
        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(Bucket=self.address.bucket, **members)
        except ClientError as error:
            raise _meaning_of(operation, error) from error
        except BROKEN:
            raise
        except (BotoCoreError, ValueError) as error:  # no credentials, no such profile, an endpoint that is no URL, ...
            raise _failure(f"the blobs on S3 cannot be reached: {error}") from error
        return answer

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = _make_client(self._endpoint, self._authority)
            return self._made


def _make_client(endpoint: str, authority: Path | None) -> Any:
    session = botocore.session.Session()
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_SILENCE,
        parameter_validation=False,  # what is sent is ours
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=64,
        request_checksum_calculation="when_required",  # frames are authenticated; old servers know no checksums
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": False, "addressing_style": "path" if endpoint else "auto"},
        ignore_configured_endpoint_urls=True,  # AWS_ENDPOINT_URL may be this very server's
        user_agent_extra="fuin",
    )
    return session.create_client(
        "s3",
        region_name=session.get_config_variable("region") or "us-east-1",
        endpoint_url=endpoint or None,
        verify=str(authority) if authority else None,
        config=config,
    )


def _describe(operation: str, error: Exception) -> str:
    if isinstance(error, SSLError):
        return f"the S3 does not prove by its certificate who it is; --blobs-ca names the authority to trust: {error}"
    return f"S3 fails at {operation}: {str(error) or type(error).__name__}"


class _Busy(OSError):
    """S3 cannot do it now, and says that it may be tried again."""


def _meaning_of(operation: str, error: ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status in _BUSY_STATUSES or code in _BUSY_CODES:
        return _Busy(f"{status} {code}")
    if status == 404:
        return NotFoundError(code)
    if status == 412:
        return AlreadyThereError(code)
    if status == 416:
        return OutOfRangeError(code)
    return _failure(f"S3 refuses {operation}: {status} {code}")


def _failure(text: str) -> StoreUnavailable:
    """Return the error, whose text is for the server's own log: a client sees a 503 only."""
    log.warning("%s", text)
    return StoreUnavailable(text)
