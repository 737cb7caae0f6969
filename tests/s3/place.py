"""The object store in this process beside the key service: real keyholder, real store, real files, real HTTP.

Being in the same process, tests can look into the store and the blobs and take the keyholder away.
"""

import asyncio
import base64
import hashlib
import http.client
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from fuin.gate.http import ClientGone, Receive, Request, Scope, Send
from fuin.kms import app as kms
from fuin.s3 import app as s3
from fuin.s3 import pool
from tests.kms.place import ACCOUNT, REGION
from tests.kms.place import Place as KeyService
from tests.support.processes import wait_until
from tests.support.server import User

__all__ = ["ACCOUNT", "REGION", "Place", "Reply", "refused"]

_numbers = itertools.count(1)


class _Signer(S3SigV4Auth):  # type: ignore[misc]
    """Signs with the payload hash that the test chose."""

    def __init__(self, user: User, payload_hash: str, region: str) -> None:
        super().__init__(Credentials(user.access_key_id, user.secret_access_key), "s3", region)
        self._payload_hash = payload_hash

    def payload(self, request: Any) -> str:
        """Return the chosen hash."""
        return self._payload_hash


@dataclass(frozen=True)
class Reply:
    """An answer to a request made by hand."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Return the error's code."""
        return self.text("Code")

    @property
    def message(self) -> str:
        """Return the error's message."""
        return self.text("Message")

    def text(self, name: str) -> str:
        """Return the text of an element of the XML body; empty when there is none."""
        if not self.body:
            return ""
        for element in ElementTree.fromstring(self.body).iter():
            if element.tag.rpartition("}")[2] == name:
                return element.text or ""
        return ""


class Place(KeyService):
    """One object store with its key service and two accounts."""

    def __init__(self, folder: Path) -> None:
        self._s3_clients: dict[tuple[str, bool], Any] = {}
        super().__init__(folder)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        handle = kms.handle if b"x-amz-target" in request.headers else s3.handle
        try:
            await handle(self.services, self.day_keys, request, send)
        except ClientGone:
            return

    def close(self) -> None:
        """End everything that was started."""
        for client in self._s3_clients.values():
            client.close()
        super().close()

    def s3(self, user: User | None = None, *, checksums: bool = True) -> Any:
        """Return a boto3 client that sends each call once; without `checksums` it adds none of its own."""
        who = user or self.root
        index = (who.access_key_id, checksums)
        if index not in self._s3_clients:
            when = "when_supported" if checksums else "when_required"
            config = Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                request_checksum_calculation=when,
                response_checksum_validation=when,
                read_timeout=30,
                signature_version="s3v4",  # for presigned URLs; boto3 makes version 2 ones by default
            )
            session = boto3.session.Session(who.access_key_id, who.secret_access_key, region_name=REGION)
            self._s3_clients[index] = session.client("s3", endpoint_url=self.url, config=config)
        return self._s3_clients[index]

    def bucket(self, stem: str = "bucket") -> str:
        """Make a bucket and return its name."""
        name = f"{stem}-{next(_numbers)}"
        self.s3().create_bucket(Bucket=name)
        return name

    def signed(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        user: User | None = None,
        payload_hash: str | None = None,
        region: str = REGION,
    ) -> dict[str, str]:
        """Return the headers of a signed request; the payload hash is the body's unless another is given."""
        chosen = hashlib.sha256(body).hexdigest() if payload_hash is None else payload_hash
        request = AWSRequest(method, self.url + target, headers=dict(headers or {}))
        _Signer(user or self.root, chosen, region).add_auth(request)
        found = dict(request.headers.items())
        found["X-Amz-Content-SHA256"] = chosen
        return found

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", **options: Any
    ) -> Reply:
        """Send one signed request made by hand."""
        return self.raw(method, target, self.signed(method, target, headers, body, **options), body)

    def raw(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send one request as it is, with the body's length unless its transfer is chunked."""
        with self.connection() as connection:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            given = {name.lower() for name in headers}
            if not given & {"content-length", "transfer-encoding"} and (body or method in {"PUT", "POST"}):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """Give a connection to the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=30)
        try:
            yield connection
        finally:
            connection.close()

    @staticmethod
    def md5(body: bytes) -> dict[str, str]:
        """Return the Content-MD5 header of a body."""
        return {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}

    def blobs(self) -> list[Path]:
        """Return the files of the blob store, without those that are out of the way."""
        return [path for path in self.settings.blobs.glob("[0-9a-f]/*/*") if path.is_file()]

    def settle(self) -> None:
        """Wait until the removal of replaced blobs, which no answer waits for, is through."""
        self.run(self._settle())

    async def _settle(self) -> None:
        await asyncio.gather(*(pool.run(time.sleep, 0.05) for _ in range(8)))

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until a condition holds."""
        wait_until(condition, seconds, "the condition holds")

    def drafts(self, request_id: str) -> list[dict[str, Any]]:
        """Return what the audit records of one request hold, oldest first."""
        return [dict(entry.draft) for entry in self.record(request_id)]

    def new_key(self, **members: Any) -> str:
        """Make a KMS key and return its ARN."""
        arn: str = self.client().create_key(**members)["KeyMetadata"]["Arn"]
        return arn

    def put_policy(self, bucket: str, *statements: Mapping[str, Any]) -> None:
        """Put a bucket policy of these statements; it may be public, which new buckets block otherwise."""
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.s3().delete_public_access_block(Bucket=bucket)
        self.s3().put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def refused(error: ClientError) -> tuple[int, str, str]:
    """Return an error's status, code and message."""
    found = error.response["Error"]
    return error.response["ResponseMetadata"]["HTTPStatusCode"], found["Code"], found.get("Message", "")
