"""All services in one process behind one port, requests to them made by hand, and what the log says of each answer."""

import json
import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import msgspec
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.audit import reader
from fuin.formats import record
from fuin.gate.http import ClientGone, Receive, Request, Scope, Send
from fuin.server import application
from tests.support.place import REGION, Place
from tests.support.server import User

# Of a record beside the draft and the key id: docs/formats/audit-record.md.
_FIXED = 25 + record.ENTRY_OVERHEAD
_encode = msgspec.json.Encoder().encode  # the one that drafts are made with: other spaces and escapes, another length
_CODE = re.compile(r"<Code>([^<]*)</Code>")


@dataclass(frozen=True)
class Told:
    """An answer: its status, request id and error code, which is empty for a success."""

    status: int
    request_id: str
    code: str


class Edges(Place):
    """The object store, the key service, IAM and STS; tests put the names of what they ask about here."""

    users: dict[str, User | None]
    key: str
    blob: bytes

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            await application.answer(self.services, self.day_keys, request, send)
        except ClientGone:
            return

    def ask(
        self, service: str, method: str, target: str, headers: dict[str, str], body: bytes, user: User | None
    ) -> Told:
        """Send a request, signed if there is a user, and return what was answered."""
        request = AWSRequest(method, self.url + target, headers=headers, data=body)
        if user is not None:
            credentials = Credentials(user.access_key_id, user.secret_access_key)
            signer = S3SigV4Auth if service == "s3" else SigV4Auth
            signer(credentials, service, REGION).add_auth(request)
        sent = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        answer = self.pool.urlopen(
            method, target, body=body, headers=sent, retries=False, redirect=False, assert_same_host=False
        )
        request_id = answer.headers.get("x-amzn-requestid") or answer.headers["x-amz-request-id"]
        return Told(answer.status, request_id, code_of(answer.data))

    @property
    def pool(self) -> urllib3.HTTPConnectionPool:
        """Return connections to the place."""
        if not hasattr(self, "_pool"):
            self._pool = urllib3.HTTPConnectionPool("127.0.0.1", self.settings.port)
        return self._pool

    def close(self) -> None:
        """End everything that was started."""
        self.pool.close()
        super().close()

    def sizes(self, request_id: str) -> list[int]:
        """Return how many bytes of the log each record of a request takes, oldest first."""
        return [_FIXED + len(entry.key_id) + len(_encode(entry.draft)) for entry in self.record(request_id)]


def code_of(body: bytes) -> str:
    """Return the error code in an answer's body, of whatever service; empty if there is none."""
    if body.startswith(b"{"):
        return str(json.loads(body).get("__type", ""))
    found = _CODE.search(body.decode("utf-8", "replace"))
    return found[1] if found and b"<Deleted>" not in body and b"<DeleteResult" not in body else ""


def closing(entries: list[reader.Entry]) -> reader.Entry:
    """Return the record that says how a request was answered: no announcement, and no piece of a long list."""
    last = entries[-1]
    assert not {"about", "piece"} & set(last.draft), last.draft
    return last


def is_well_formed(body: bytes) -> bool:
    """Return whether an answer is XML or JSON."""
    try:
        json.loads(body) if body.startswith(b"{") else ElementTree.fromstring(body)
    except ValueError:
        return False
    return True


def names(drafts: list[dict[str, Any]], *, allowed: bool) -> list[str]:
    """Return all resources of decisions in records, in their order."""
    return [
        resource
        for draft in drafts
        for decision in draft.get("decisions", ())
        if decision["allowed"] is allowed
        for resource in reader.resources_of(decision)
    ]
