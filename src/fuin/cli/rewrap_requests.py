"""The requests of `fuin rewrap`: UpdateObjectEncryption for each object, some at a time, not faster than allowed."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fuin.store.s3.object_name import ObjectName

_HEADER = "x-fuin-rewrap-from"
_IN_A_ROW = 1000  # refusals after which all others would be the same
_TRIES = 5
# The object was replaced or deleted since the ledger was read, or depends on another key.
_CHANGED = ("PreconditionFailed", "412", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed")


class Change(NamedTuple):
    """One object whose data key is to come under another key; `source` is what it depends on, None under SSE-S3."""

    name: ObjectName
    size: int
    key_arn: str
    source: str | None


class Outcome(NamedTuple):
    """What became of a change; without a `code` it is done."""

    change: Change
    code: str = ""
    message: str = ""

    @property
    def is_done(self) -> bool:
        """Return whether the object is under the other key."""
        return not self.code

    @property
    def is_overtaken(self) -> bool:
        """Return whether the object has changed meanwhile, so that the change was for one that is no longer there."""
        return self.code in _CHANGED


class Server:
    """A running server, to which the usual credentials of AWS's programs are sent."""

    def __init__(self, endpoint_url: str | None, region: str, parallel: int) -> None:
        """Make the client; raises FuinError without an endpoint, since the default one is Amazon's."""
        self._source = threading.local()
        config = Config(
            retries={"total_max_attempts": _TRIES, "mode": "standard"}, max_pool_connections=parallel,
            s3={"addressing_style": "path"}, user_agent_extra="fuin-rewrap",
        )  # fmt: skip
        try:
            session = botocore.session.Session()
            self._client: Any = session.create_client(
                "s3", region_name=region, endpoint_url=endpoint_url, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise FuinError(f"no client of S3 can be made: {error}") from error
        if ".amazonaws.com" in self._client.meta.endpoint_url:
            raise FuinError("where is the server? Give --endpoint-url, or set AWS_ENDPOINT_URL_S3")
        self._client.meta.events.register("before-call.s3.UpdateObjectEncryption", self._add_header)

    def _add_header(self, params: dict[str, Any], **_: object) -> None:
        if self._source.value is not None:
            params["headers"][_HEADER] = self._source.value

    def send(self, change: Change) -> Outcome:
        """Ask for one change; raises FuinError when the server cannot be asked at all."""
        self._source.value = change.source
        name = change.name
        try:
            self._client.update_object_encryption(
                Bucket=name.bucket, Key=name.key, VersionId=name.version,
                ObjectEncryption={"SSEKMS": {"KMSKeyArn": change.key_arn}},
            )  # fmt: skip
        except ClientError as error:
            found: Any = error.response.get("Error", {})
            return Outcome(change, found.get("Code") or "Error", found.get("Message") or "")
        except BotoCoreError as error:
            raise FuinError(f"the server cannot be asked: {error}") from error
        return Outcome(change)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def send_all(
    server: Server, changes: Iterable[Change], take: Callable[[Outcome], None], *, parallel: int, rate: float
) -> None:
    """Send all changes, up to `parallel` at once and `rate` in a second (0: as fast as it goes); `take` each outcome.

    What was sent is waited for, also when this is interrupted. Raises FuinError when the server cannot be asked, or
    refuses a thousand in a row.
    """
    pause = 1 / rate if rate else 0.0
    refusals = _Refusals(take)
    due = monotonic()
    under_way: set[Future[Outcome]] = set()
    with ThreadPoolExecutor(parallel) as pool:
        for change in changes:
            now = monotonic()
            if due > now:
                sleep(due - now)
            due = max(due, now) + pause
            if len(under_way) >= 2 * parallel:
                under_way = refusals.take_ended(under_way)
            under_way.add(pool.submit(server.send, change))
        while under_way:
            under_way = refusals.take_ended(under_way)


class _Refusals:
    def __init__(self, take: Callable[[Outcome], None]) -> None:
        self._take = take
        self._in_a_row = 0

    def take_ended(self, under_way: set[Future[Outcome]]) -> set[Future[Outcome]]:
        """Wait for the first outcomes, take them, and return those that are still under way."""
        ended, others = wait(under_way, return_when=FIRST_COMPLETED)
        for each in ended:
            outcome = each.result()
            self._take(outcome)
            self._in_a_row = 0 if outcome.is_done or outcome.is_overtaken else self._in_a_row + 1
        if self._in_a_row >= _IN_A_ROW:
            raise FuinError(f"{_IN_A_ROW:,} requests in a row were refused, the last one with {outcome.code}")
        return others
