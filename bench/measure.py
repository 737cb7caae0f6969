"""The measurements: each returns one row of the table."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from bench import requests
from bench.processes import cpu_seconds, resident_bytes
from bench.targets import CREDENTIALS, ROOT, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
GB = 1e9
PIECE = os.urandom(MIB)


@dataclass(frozen=True)
class Row:
    """One line of the table; None where a figure has no meaning."""

    server: str
    what: str
    per_second: float | None = None
    cpu_us: float | None = None  # CPU microseconds per request, all processes of the server
    p50_ms: float | None = None
    p99_ms: float | None = None
    mb_per_second: float | None = None
    cpu_s_per_gb: float | None = None
    grown_mib: float | None = None  # resident memory, the highest during the transfer less that before it
    bare_us: float | None = None  # CPU microseconds of the bare primitive


def client(target: Target, service: str) -> Any:
    """Return a boto3 client for setting things up."""
    return boto3.client(
        service, endpoint_url=target.url, region_name=requests.REGION,
        aws_access_key_id=CREDENTIALS.access_key, aws_secret_access_key=CREDENTIALS.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )  # fmt: skip


def operation(
    target: Target, name: str, members: dict[str, object], connections: int, seconds: float, label: str = ""
) -> Row:
    """Measure one KMS operation under a number of connections; `label` names it when its name is not enough."""
    request = requests.kms(target.url, CREDENTIALS, name, members)
    run_load(target, request, connections, min(1.0, seconds))  # warm up
    pids = target.pids()
    before = cpu_seconds(pids)
    result = run_load(target, request, connections, seconds)
    used = cpu_seconds(pids) - before
    return Row(
        target.name, f"{label or name}, {connections} connections", result["requests"] / result["seconds"],
        1e6 * used / result["requests"], result["p50_ms"], result["p99_ms"],
    )  # fmt: skip


def run_load(target: Target, request: bytes, connections: int, seconds: float) -> dict[str, Any]:
    """Run the load generator in a process of its own; any failed request ends the benchmark."""
    host, port = target.address
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", host, str(port), str(connections), str(seconds)],
        input=request, capture_output=True, check=True, cwd=ROOT, timeout=seconds + 60,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    if result["failures"]:
        raise SystemExit(f"{target.name}: {result['failures']} requests failed, the first: {result['failure']}")
    return result


def pieces(size: int) -> Iterator[bytes]:
    """Yield `size` bytes, a multiple of one MiB."""
    for _ in range(size // MIB):
        yield PIECE


def payload_hash(size: int) -> str:
    """Return the SHA-256 of what `pieces` yields."""
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    return digest.hexdigest()


def transfer(target: Target, method: str, path: str, size: int, more: dict[str, str], label: str) -> Row:
    """Measure one PUT (with a signed payload) or GET of `size` bytes."""
    digest = payload_hash(size) if method == "PUT" else requests.empty_hash()
    if method == "PUT":
        more = {**more, "Content-Length": str(size)}
    head = requests.s3_head(target.url, CREDENTIALS, method, path, digest, more)
    pids = target.pids()
    resident, before, started = resident_bytes(pids), cpu_seconds(pids), time.perf_counter()
    highest = exchange(target, head, size, method, pids)
    took, used = time.perf_counter() - started, cpu_seconds(pids) - before
    return Row(
        target.name, label, mb_per_second=size / took / 1e6, cpu_s_per_gb=used / (size / GB),
        grown_mib=(highest - resident) / MIB,
    )  # fmt: skip


def exchange(target: Target, head: bytes, size: int, method: str, pids: list[int]) -> int:
    """Send the head and body, read the answer whole; return the highest resident memory seen on the way."""
    host, port = target.address
    connection = http.client.HTTPConnection(host, port, timeout=600)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(head)
    highest, moved = 0, 0
    if method == "PUT":
        for piece in pieces(size):
            connection.sock.sendall(piece)
            moved += len(piece)
            if moved % (32 * MIB) == 0:
                highest = max(highest, resident_bytes(pids))
    response = http.client.HTTPResponse(connection.sock, method=method)
    response.begin()
    buffer, got = bytearray(MIB), 0
    while count := response.readinto(buffer):
        got += count
        if got % (32 * MIB) < MIB // 8:
            highest = max(highest, resident_bytes(pids))
    if response.status != 200 or (method == "GET" and got != size):
        raise SystemExit(f"{target.name} {method}: status {response.status}, {got} bytes: {bytes(buffer[:300])!r}")
    connection.close()
    return max(highest, resident_bytes(pids))
