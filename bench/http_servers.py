"""uvicorn and granian under the real application: the figures behind docs/decisions/0004.

`python -m bench.http_servers` starts Fuin (one worker on uvicorn and its keyholder), then a granian process with the
same ASGI application on the same data and keyholder, and measures both alike. CPU is the HTTP process's and the
keyholder's together.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench import measure, processes, targets
from bench.__main__ import BUCKET, BULK, SECONDS, show
from bench.measure import MIB, Row
from bench.targets import Target
from fuin.gate.http import WHOLE, Receive, Scope, Send
from fuin.server.application import Application
from fuin.server.worker import open_services
from fuin.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping


@dataclass(frozen=True)
class Both(Target):
    """A process that speaks HTTP, and the keyholder that it shares with another."""

    keyholder: int = 0

    def pids(self) -> list[int]:
        """Return this HTTP server's processes and the keyholder."""
        return [*processes.tree(self.pid), self.keyholder]


def application() -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the application that granian loads, in plain ASGI; its data folder is in the environment."""
    settings = Settings(data=Path(os.environ["BENCH_DATA"]))
    fuin = Application(lambda: open_services(settings), None)

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] != WHOLE:
                await send(message)
                return
            headers = [*message["headers"], (b"content-length", b"%d" % len(message["body"]))]
            await send({"type": "http.response.start", "status": message["status"], "headers": headers})
            await send({"type": "http.response.body", "body": message["body"]})

        await fuin(scope, receive, sent)

    return plain


@contextlib.contextmanager
def granian(data: Path, keyholder: int) -> Iterator[Target]:
    """Run granian with one worker and one runtime thread."""
    port = targets.free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "bench.http_servers:application",
        "--port", str(port), "--workers", "1", "--runtime-threads", "1", "--loop", "uvloop", "--no-ws", "--http", "1",
        "--log-level", "warning",
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=targets.ROOT, env=os.environ | {"BENCH_DATA": str(data)})
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=1):
                break
            time.sleep(0.1)
        yield Both("granian", url, server.pid, keyholder)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def main() -> None:
    """Measure the two, alternately, three times."""
    with tempfile.TemporaryDirectory(prefix="fuin-bench-") as folder:
        data = Path(folder) / "data"
        with targets.fuin(data) as fuin:
            worker, keyholder = child(fuin, "fuin.server.worker"), child(fuin, "fuin.keyholder")
            kms, s3 = measure.client(fuin, "kms"), measure.client(fuin, "s3")
            key = kms.create_key()["KeyMetadata"]["Arn"]
            s3.create_bucket(Bucket=BUCKET)
            with granian(data, keyholder) as other:
                for _ in range(3):
                    for target in (Both("uvicorn", fuin.url, worker, keyholder), other):
                        rows(target, key)


def child(server: Target, module: str) -> int:
    """Return the process id of a server's child."""
    return next(process.pid for process in psutil.Process(server.pid).children() if module in process.cmdline())


def rows(target: Target, key: str) -> list[Row]:
    """Measure one server: GenerateDataKey, PUT and GET."""
    make: dict[str, object] = {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {"purpose": "bench"}}
    sse = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    size = f"{BULK // MIB} MiB"
    return [
        show(measure.operation(target, "GenerateDataKey", make, 32, SECONDS)),
        show(measure.transfer(target, "PUT", f"/{BUCKET}/{target.name}", BULK, sse, f"PUT {size}")),
        show(measure.transfer(target, "GET", f"/{BUCKET}/{target.name}", BULK, {}, f"GET {size}")),
    ]


if __name__ == "__main__":
    main()
