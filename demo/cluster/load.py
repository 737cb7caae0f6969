"""The load: clients that write and use keys through haproxy all the time, and remember each answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.cluster.machine.nodes import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.testing.kit.users import User

LIMIT = 3.0  # seconds for which a client waits for an answer
OBJECTS, GRANTS, USES = "objects", "grants", "key uses"


class Load:
    """Writers of objects and of grants, and users of a key; each sends every request once."""

    def __init__(self, url: str, user: User, key: str, bucket: str) -> None:
        self._kms, self._s3 = (client(name, url, user, seconds=LIMIT) for name in ("kms", "s3"))
        self._patient = {name: client(name, url, user, attempts=5, seconds=30) for name in ("kms", "s3")}
        self._key, self._bucket, self._numbers = key, bucket, itertools.count(1)
        self._grants_of = str(self._patient["kms"].create_key(Description="grants")["KeyMetadata"]["Arn"])
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._written: dict[str, dict[str, bytes]] = {OBJECTS: {}, GRANTS: {}}
        self._answers: dict[str, list[float]] = {OBJECTS: [], GRANTS: [], USES: []}
        self.failures: Counter[str] = Counter()
        work = [(OBJECTS, self._put), (OBJECTS, self._put), (GRANTS, self._grant), (USES, self._use), (USES, self._use)]
        self._threads = [threading.Thread(target=self._run, args=each, daemon=True) for each in work]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, when all answers are there."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def longest_gap(self, since: float, *kinds: str) -> float:
        """Return the longest time since a moment (time.monotonic) in which no request of these kinds succeeded."""
        with self._lock:
            times = sorted(moment for kind in kinds for moment in self._answers[kind] if moment > since)
        moments = [since, *times, time.monotonic()]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def count(self, *kinds: str) -> int:
        """Return how many requests of these kinds have succeeded."""
        with self._lock:
            return sum(len(self._answers[kind]) for kind in kinds)

    def find_lost(self) -> list[str]:
        """Read back every write that was acknowledged; return those that are not there."""
        s3, kms = self._patient["s3"], self._patient["kms"]
        lost = []
        for name, body in self._written[OBJECTS].items():
            try:
                found = s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
            except s3.exceptions.NoSuchKey:
                found = b""
            if found != body:
                lost.append(f"the object {name}")
        pages = kms.get_paginator("list_grants").paginate(KeyId=self._grants_of)
        grants = {grant["GrantId"] for page in pages for grant in page["Grants"]}
        return lost + [f"the grant {name}" for name in self._written[GRANTS] if name not in grants]

    def _run(self, kind: str, request: Callable[[str], tuple[str, bytes]]) -> None:
        while not self._ending.wait(0.02):
            try:
                name, body = request(f"{next(self._numbers):06d}")
            except (ClientError, BotoCoreError):
                with self._lock:
                    self.failures[kind] += 1
                continue
            with self._lock:
                self._answers[kind].append(time.monotonic())
                if kind in self._written:
                    self._written[kind][name] = body

    def _put(self, name: str) -> tuple[str, bytes]:
        body = name.encode() * 200
        self._s3.put_object(Bucket=self._bucket, Key=f"load/{name}", Body=body)
        return f"load/{name}", body

    def _grant(self, name: str) -> tuple[str, bytes]:
        answer: Any = self._kms.create_grant(
            KeyId=self._grants_of, GranteePrincipal="arn:aws:iam::123456789012:root", Operations=["Decrypt"], Name=name
        )
        return str(answer["GrantId"]), b""

    def _use(self, name: str) -> tuple[str, bytes]:
        self._kms.generate_data_key(KeyId=self._key, KeySpec="AES_256")
        return name, b""
