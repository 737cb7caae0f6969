"""A command that a signal ends: its exit status, its line, and that nothing half-written is left."""

import os
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.envelope.kms_stand_in import ALIAS, KmsStandIn, serve_kms
from tests.support import environment
from tests.support.processes import wait_until
from tests.support.server import FUIN, new_user

SIZE = 1024 * 1024
BEGINNING = b"x" * 300_000


@pytest.fixture
def stalled() -> Iterator[str]:
    """Give the address of an S3 that sends the beginning of an object, and then nothing."""
    end = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(SIZE))
            self.send_header("ETag", '"x"')
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(BEGINNING)
            end.wait()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    end.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsStandIn]:
    """Give a KMS stand-in of this test's own."""
    yield from serve_kms(monkeypatch)


def unfinished(folder: Path) -> list[Path]:
    """Return the files that have something in them and no name yet."""
    return [path for path in folder.glob(".*.tmp") if path.stat().st_size]


def _has_begun(folder: Path) -> bool:
    return bool(unfinished(folder))


def test_signals_end_a_download(stalled: str, tmp_path: Path) -> None:
    """SIGINT, SIGTERM and SIGHUP end `fuin cp` within seconds, though its connection hangs."""
    processes = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        folder = tmp_path / number.name
        folder.mkdir()
        variables = environment.clean(tmp_path, **new_user("x").variables, AWS_ENDPOINT_URL=stalled)
        # A shell that runs the tests in the background ignores SIGINT, and so would they.
        command = ["env", "--default-signal=INT", str(FUIN), "cp", "s3://bucket/key", str(folder / "out")]
        processes[number] = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    for number, process in processes.items():
        folder = tmp_path / number.name
        wait_until(partial(_has_begun, folder), 60.0, "the download has begun")
        assert stat.S_IMODE(unfinished(folder)[0].stat().st_mode) == 0o600
        process.send_signal(number)
    for number, process in processes.items():
        _, line = process.communicate(timeout=60)
        words = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
        assert (process.returncode, line) == (128 + number, f"fuin: {words}\n")
        assert list((tmp_path / number.name).iterdir()) == []


def test_signal_ends_a_decryption(kms: KmsStandIn, tmp_path: Path) -> None:
    """`fuin decrypt` takes its plaintext back when it is ended."""
    variables = environment.clean(
        tmp_path, **new_user("x").variables, AWS_ENDPOINT_URL_KMS=kms.url, AWS_REGION="eu-central-1"
    )
    text = os.urandom(3 * SIZE)
    command = [str(FUIN), "encrypt", "-", "--key", ALIAS]
    message = subprocess.run(command, input=text, env=variables, capture_output=True, check=True).stdout
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [str(FUIN), "decrypt", "-", "-o", str(folder / "out")]
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(message[: 2 * SIZE])
        process.stdin.flush()
        wait_until(lambda: bool(unfinished(folder)), 60.0, "plaintext was written")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []
