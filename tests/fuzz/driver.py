"""Sends random requests through the whole edge, many at a time: signature, JSON, rights, store, a real keyholder."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil

from fuin.gate.http import Request
from fuin.server import application
from tests.support.place import REGION

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.fuzz.inputs import Inputs
    from tests.support.place import Place
    from tests.support.server import User

AT_ONCE = 64
SLOW = 1.0  # seconds
_SIGNED = "content-type;host;x-amz-date;x-amz-target"


@dataclass
class Findings:
    """What a run has seen; `failures` and `slow` hold the operation and the body of each bad answer.

    An answer is slow if it is so again when nothing else is asked: a pause of the machine makes all at hand wait.
    """

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    slow: list[tuple[str, bytes, float]] = field(default_factory=list)
    slowest: float = 0.0
    grown: int = 0  # bytes of resident memory, from a tenth of the run to its end

    @property
    def count(self) -> int:
        """Return how many requests were answered."""
        return sum(self.answers.values())


class Driver:
    """Signs as one user and calls the key service in its own process."""

    def __init__(self, place: Place, user: User) -> None:
        self._place = place
        self._user = user
        self._key: tuple[str, bytes] = ("", b"")

    def run(self, inputs: Inputs, count: int) -> Findings:
        """Send `count` requests and return what came of them."""
        return self._place.run(self._run(inputs, count), within=3600)

    async def _run(self, inputs: Inputs, count: int) -> Findings:
        findings = Findings()
        process = psutil.Process()
        start = 0
        for _ in range(count // AT_ONCE):
            if not start and findings.count > count // 10:
                start = process.memory_info().rss
            await asyncio.gather(*(self._one(findings, *inputs.next()) for _ in range(AT_ONCE)))
        findings.grown = process.memory_info().rss - start
        suspects, findings.slow = findings.slow, []
        for operation, body, _ in suspects:
            await self._one(findings, operation, body)
        return findings

    async def _one(self, findings: Findings, operation: str, body: bytes) -> None:
        status, answer = 0, b""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, answer
            status = message.get("status", status)
            answer += message.get("body", b"")

        began = time.thread_time()
        request = Request(self._scope(operation, body), receive)
        await application.answer(self._place.services, self._place.day_keys, request, send)
        took = time.thread_time() - began
        findings.answers[operation, str(status)] += 1
        findings.slowest = max(findings.slowest, took)
        if status not in {200, 400, 413}:
            findings.failures.append((operation, body, answer))
        if took > SLOW:
            findings.slow.append((operation, body, took))

    def _scope(self, operation: str, body: bytes) -> dict[str, Any]:
        date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": "127.0.0.1",
            "x-amz-date": date,
            "x-amz-target": f"TrentService.{operation}",
        }
        listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical = f"POST\n/\n\n{listed}\n{_SIGNED}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{date[:8]}/{REGION}/kms/aws4_request"
        told = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(date[:8]), told.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._user.access_key_id}/{scope}, "
            f"SignedHeaders={_SIGNED}, Signature={signature}"
        )
        return {
            "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "client": ("127.0.0.1", 9),
        }  # fmt: skip

    def _signing_key(self, day: str) -> bytes:
        if self._key[0] != day:
            key = f"AWS4{self._user.secret_access_key}".encode()
            for part in (day, REGION, "kms", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, key)
        return self._key[1]
