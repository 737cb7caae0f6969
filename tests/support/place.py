"""The in-process Fuin of `fuin.testing.kit`, with what Fuin's own tests do to it beside using its clients."""

import asyncio
import base64
import hashlib
import http.client
import itertools
import json
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from sqlalchemy import Connection, text

from fuin import ids
from fuin.blobs.files import threads
from fuin.gate.authentication import DayKeys
from fuin.store.identity import roles, users
from fuin.testing import kit
from fuin.testing.kit import ACCOUNT, OTHER_ACCOUNT, REGION, User
from tests.support import by_hand
from tests.support.by_hand import Reply
from tests.support.processes import wait_until

__all__ = ["ACCOUNT", "ANYTHING", "OTHER_ACCOUNT", "REGION", "Place", "Reply", "error_of", "wait"]

ANYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
T = TypeVar("T")
_numbers = itertools.count(1)


class Place(kit.Place):
    """All services with two accounts; tests of a folder share one, and make keys, buckets and users of their own."""

    @property
    def day_keys(self) -> DayKeys:
        """Return the signing keys of the day that the edge keeps."""
        return self.edge.day_keys

    def start_keyholder(self) -> None:
        """Start the keyholder again and wait until it is ready."""
        self.keyholder.start()

    def stop_keyholder(self) -> None:
        """Kill the keyholder."""
        self.keyholder.kill()

    # Clients. Those of KMS and IAM check no parameters: the server is to refuse them.

    def kms(self, user: User | None = None, region: str = REGION) -> Any:
        """Return a client of KMS, by default of the first account's root."""
        return self.client("kms", user, region=region, parameter_validation=False)

    def service(self, name: str, user: User | None = None, *, token: str | None = None, region: str = REGION) -> Any:
        """Return a client of any service that checks no parameters."""
        return self.client(name, user, token=token, region=region, parameter_validation=False)

    def s3(self, user: User | None = None, *, checksums: bool = True) -> Any:
        """Return a client of S3; without `checksums` it adds none of its own."""
        when = "when_supported" if checksums else "when_required"
        return self.client("s3", user, request_checksum_calculation=when, response_checksum_validation=when)

    # Identities.

    def add_names(self, *names: str) -> None:
        """Add users to the first account that grants and policies can name; they have no access keys."""

        def insert(conn: Connection) -> None:
            for name in names:
                users.insert_user(conn, users.User(ACCOUNT, name, ids.new_user_id(), time.time()))

        self.run(self.services.store.change(insert))

    def add_role(self, name: str, path: str = "/") -> None:
        """Add a role to the first account that grants and policies can name."""
        role = roles.Role(ACCOUNT, name, ids.new_role_id(), time.time(), path)
        self.run(self.services.store.change(roles.insert_role, role))

    def new_user(self, policy: Mapping[str, Any] | None = None, name: str | None = None) -> User:
        """Add a user with an access key over IAM, as the root."""
        iam = self.service("iam")
        chosen = name or f"user-{secrets.token_hex(4)}"
        iam.create_user(UserName=chosen)
        key = iam.create_access_key(UserName=chosen)["AccessKey"]
        if policy is not None:
            iam.put_user_policy(UserName=chosen, PolicyName="own", PolicyDocument=json.dumps(policy))
        return User(chosen, key["AccessKeyId"], key["SecretAccessKey"])

    # Keys and buckets.

    def new_key(self, **members: Any) -> str:
        """Make a KMS key and return its ARN."""
        arn: str = self.kms().create_key(**members)["KeyMetadata"]["Arn"]
        return arn

    def bucket(self, stem: str = "bucket") -> str:
        """Make a bucket and return its name."""
        name = f"{stem}-{next(_numbers)}"
        self.s3().create_bucket(Bucket=name)
        return name

    def put_policy(self, bucket: str, *statements: Mapping[str, Any]) -> None:
        """Put a bucket policy of these statements; it may be public, which new buckets block otherwise."""
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.s3().delete_public_access_block(Bucket=bucket)
        self.s3().put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))

    # Behind the service's back.

    def sql(self, statement: str, **parameters: Any) -> None:
        """Change the database, with its epoch, as another process would."""

        def execute(conn: Connection) -> None:
            conn.execute(text(statement), parameters)

        self.run(self.services.store.change(execute))

    def expire(self, key_id: str) -> None:
        """Let a key's deletion date be past."""
        self.sql("UPDATE keys SET deletion_date = :past WHERE key_id = :id", past=time.time() - 1, id=key_id)

    def blobs(self) -> list[Path]:
        """Return the files of the blob store, without those that are out of the way."""
        return [path for path in self.settings.blobs.glob("[0-9a-f]/*/*") if path.is_file()]

    def settle(self) -> None:
        """Wait until the removal of replaced blobs, which no answer waits for, is through."""
        self.run(self._settle())

    async def _settle(self) -> None:
        await asyncio.gather(*(threads.start(time.sleep, 0.05) for _ in range(8)))

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until a condition holds."""
        wait_until(condition, seconds, "the condition holds")

    def drafts(self, request_id: str) -> list[dict[str, Any]]:
        """Return what the audit records of one request hold, oldest first."""
        return [dict(entry.draft) for entry in self.record(request_id)]

    # Requests made by hand.

    def post(
        self,
        target: str | None,
        body: bytes,
        *,
        user: User | None = None,
        service: str = "kms",
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
        region: str = REGION,
        method: str = "POST",
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """Send one request to KMS; return its status, its body and its headers."""
        given = {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        if target is not None:
            given["X-Amz-Target"] = target
        request = AWSRequest(method, f"{self.url}/", headers=given, data=body)
        if signed:
            self._sign(request, user, service, region)
        answer = urllib3.request(method, f"{self.url}/", headers=dict(request.headers), body=body, retries=False)
        return answer.status, answer.json() if answer.data else {}, answer.headers

    def form(
        self,
        body: bytes,
        *,
        user: User | None = None,
        service: str = "iam",
        region: str = REGION,
        method: str = "POST",
        query: str = "",
        signed: bool = True,
    ) -> tuple[int, str]:
        """Send one form to IAM or STS; return the status and the text of the answer."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest(method, f"{self.url}/{query}", headers=headers, data=body)
        if signed:
            self._sign(request, user, service, region)
        answer = urllib3.request(method, f"{self.url}/{query}", headers=dict(request.headers), body=body, retries=False)
        return answer.status, answer.data.decode()

    def _sign(self, request: AWSRequest, user: User | None, service: str, region: str) -> None:
        who = user or self.root
        SigV4Auth(Credentials(who.access_key_id, who.secret_access_key), service, region).add_auth(request)

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
        """Return the headers of a signed request to S3; the payload hash is the body's unless another is given."""
        chosen = hashlib.sha256(body).hexdigest() if payload_hash is None else payload_hash
        request = AWSRequest(method, self.url + target, headers=dict(headers or {}))
        by_hand.Signer(user or self.root, chosen, region).add_auth(request)
        found = dict(request.headers.items())
        found["X-Amz-Content-SHA256"] = chosen
        return found

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", **options: Any
    ) -> Reply:
        """Send one signed request to S3."""
        return self.raw(method, target, self.signed(method, target, headers, body, **options), body)

    def raw(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send one request as it is, with the body's length unless its transfer is chunked."""
        return by_hand.send(self.settings.port, method, target, headers, body)

    def connection(self) -> AbstractContextManager[http.client.HTTPConnection]:
        """Give a connection to the server."""
        return by_hand.connection(self.settings.port)

    @staticmethod
    def md5(body: bytes) -> dict[str, str]:
        """Return the Content-MD5 header of a body."""
        return {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def error_of(error: ClientError) -> tuple[int, str, str]:
    """Return an error's status, code and message."""
    found: Any = error.response["Error"]
    return error.response["ResponseMetadata"]["HTTPStatusCode"], found["Code"], found.get("Message", "")


async def wait(future: Coroutine[Any, Any, T]) -> T:
    """Return what an awaitable gives; makes a coroutine of any awaitable."""
    return await future
