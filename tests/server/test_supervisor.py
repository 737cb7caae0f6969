"""`fuin serve`: its children are kept running, one server has one folder, and the root key is opened first."""

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import uvicorn
from botocore.exceptions import ClientError

from fuin.server.bounds import Bounds
from fuin.server.worker import WorkerServer
from tests.conftest import ServerFactory
from tests.support import environment
from tests.support.processes import free_port, is_alive, wait_until
from tests.support.server import FUIN, Server, run

LONG = os.environ.get("FUIN_LONG") == "1"


def test_a_killed_keyholder_is_replaced_and_workers_recover(new_server: ServerFactory) -> None:
    """Killing the keyholder costs a moment: the same workers use its successor, and keys still open."""
    server = new_server().start()
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"before")["CiphertextBlob"]
    workers = {worker.pid for worker in server.workers()}
    old = server.keyholder().pid
    os.kill(old, signal.SIGKILL)
    server.wait_healthy()
    assert server.keyholder().pid != old
    assert {worker.pid for worker in server.workers()} == workers
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"before"
    server.stop()


def test_a_stopped_keyholder_is_replaced(new_server: ServerFactory) -> None:
    """A keyholder that is there and does nothing is killed; requests to it end in a 5xx soon, and retries succeed."""
    server = new_server(workers=1).start()
    kms, before = server.client("kms", retry=False), server.keyholder()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    before.suspend()
    started = time.monotonic()
    with pytest.raises(ClientError) as caught:
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    assert time.monotonic() - started < 30  # a client waits for a minute
    server.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256")
    assert server.keyholder().pid != before.pid
    assert "the keyholder has been stopped for 3 s; starting again" in server.errors.read_text()
    server.stop()


def test_a_server_that_was_up_stays_up(new_server: ServerFactory) -> None:
    """Without its root key the keyholder cannot come back, and the server says so; with it, all goes on by itself.

    Meanwhile also a worker that ends is replaced, and answers what it can.
    """
    server = new_server(workers=1).start()
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    root_key, away = server.data / "root.key", server.home / "root.key"
    root_key.rename(away)
    [worker] = server.workers()
    server.keyholder().kill()
    worker.kill()
    wait_until(lambda: server.errors.read_text().count("is missing beside an audit log") > 1, 60, "starts fail")
    wait_until(lambda: status(server, "/health/live") == 200, 60, "another worker answers")
    assert status(server, "/health") == 503
    away.rename(root_key)
    wait_until(lambda: status(server, "/health") == 200, 60, "the keyholder comes back")
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    server.stop()


def status(server: Server, path: str) -> int:
    """Return the status of an unsigned GET, 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_a_start_can_be_ended(tmp_path: Path) -> None:
    """SIGTERM ends a server in order also while its keyholder starts, which can take long."""
    arguments = [str(FUIN), "serve", "--data", str(tmp_path / "data"), "--port", str(free_port()), "--workers", "1"]
    held = environment.clean(tmp_path, FUIN_PAUSE_POINT="audit.after_first_segment")
    with subprocess.Popen(arguments, env=held, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        segment = tmp_path / "data" / "audit" / "0000000000000001.log"
        wait_until(segment.exists, 60, "the keyholder starts")
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=60)
        assert (process.returncode, said, complained) == (0, "", "")


@pytest.mark.skipif(not LONG, reason="takes twelve seconds: only in the long form")
def test_a_stopped_worker_is_replaced(new_server: ServerFactory) -> None:
    """The connections that a stopped worker has taken do not hang for ever; other workers are not touched."""
    server = new_server().start()
    stopped, other = server.workers()
    stopped.suspend()
    wait_until(lambda: not is_alive(stopped), 60, "the stopped worker is ended")
    wait_until(lambda: len(server.workers()) == 2, 60, "another takes its place")
    assert is_alive(other)
    server.wait_healthy()
    server.stop()


def test_a_killed_worker_is_replaced(new_server: ServerFactory) -> None:
    """The number of workers stays what it was."""
    server = new_server().start()
    before = {worker.pid for worker in server.workers()}
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: len({w.pid for w in server.workers()} - before) == 1, 60, "a new worker")
    server.wait_healthy()
    server.stop()


def test_a_killed_supervisor_takes_its_children_along(new_server: ServerFactory) -> None:
    """No keyholder with open keys outlives the server, however that ended."""
    server = new_server().start()
    children = [server.keyholder(), *server.workers()]
    os.kill(server.pid, signal.SIGKILL)
    gone, left = psutil.wait_procs(children, timeout=60)
    assert not left, left
    assert len(gone) == 3


def test_one_folder_has_one_server(new_server: ServerFactory) -> None:
    """A second server on the same data is refused and does not disturb the first."""
    server = new_server().start()
    arguments = ["serve", "--data", str(server.data), "--port", str(free_port())]
    second = server.fuin(*arguments, check=False)
    assert second.returncode == 1
    assert "another server uses" in second.stderr
    server.wait_healthy()
    server.stop()


def test_a_missing_root_key_is_told_with_what_to_do(new_server: ServerFactory) -> None:
    """Beside a log no new root key is made; the sentence says which file is missing, and what helps.

    It is told whatever the starting process has done to the signals: with SIGCHLD ignored, exit statuses are lost.
    """
    server = new_server(workers=1).start()
    server.stop()
    (server.data / "root.key").rename(server.home / "root.key")
    script = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    arguments = ["serve", "--data", str(server.data), "--port", str(server.port)]
    refused = run(
        [sys.executable, "-c", script, str(FUIN), *arguments], environment.clean(server.home), check=False
    )  # fmt: skip
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    missing = server.data / "root.key"
    assert line.startswith(f"fuin: the keyholder did not start: {missing} is missing beside an audit log")
    assert "Put back the root.key" in line
    assert not missing.exists()


def test_a_worker_says_why_it_does_not_start(tmp_path: Path) -> None:
    """An invalid certificate is reported in one line, and the server ends."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    arguments = ["serve", "--data", str(tmp_path / "data"), "--port", str(free_port()), "--workers", "1"]
    done = run(
        [str(FUIN), *arguments, "--tls-cert", str(bad), "--tls-key", str(bad)], environment.clean(tmp_path), check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("fuin: a worker did not start: ")
    assert "PEM" in done.stderr.splitlines()[-1]


def test_a_worker_gives_signs_of_life() -> None:
    """It writes to its pipe again and again; a pipe that nobody reads, or that is closed, does not hurt it."""
    read_end, write_end = os.pipe2(os.O_NONBLOCK)

    async def story() -> None:
        server = WorkerServer(uvicorn.Config("none"), write_end, Bounds(10))
        server._beat()
        assert os.read(read_end, 10) == b"."
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(write_end, bytes(4096))
        server._beat()
        os.close(read_end)
        server._beat()

    asyncio.run(story())
    os.close(write_end)


def test_a_taken_port_is_a_clear_error(server: Server, tmp_path: Path) -> None:
    """The server says that the address is taken, and ends."""
    done = server.fuin("serve", "--data", str(tmp_path / "data"), "--port", str(server.port), check=False)
    assert done.returncode == 1
    assert "is taken by another program" in done.stderr


def test_workers_do_not_inherit_the_root_secret(server: Server) -> None:
    """The variables that give the root access key stop at the supervisor."""
    for child in [server.keyholder(), *server.workers()]:
        assert not any(name.startswith("FUIN_ROOT_") for name in child.environ())


def serve_with_passphrase(folder: Path, passphrase: str) -> subprocess.Popen[str]:
    """Start a server whose root key a passphrase on standard input seals."""
    arguments = [str(FUIN), "serve", "--data", str(folder / "data"), "--port", str(free_port()), "--workers", "1"]
    process = subprocess.Popen(
        [*arguments, "--passphrase-file", "-"],
        env=environment.clean(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(passphrase + "\n")
    process.stdin.close()
    process.stdin = None
    return process


def test_a_passphrase_seals_the_root_key(tmp_path: Path) -> None:
    """The first start takes the passphrase, a later start needs the same one, and the file does not hold the key."""
    first = serve_with_passphrase(tmp_path, "correct horse battery staple")
    assert first.stdout is not None
    assert any(line.startswith("ready ") for line in first.stdout)
    os.kill(next(c.pid for c in psutil.Process(first.pid).children() if "keyholder" in " ".join(c.cmdline())), 9)
    data = ["--data", str(tmp_path / "data")]

    def opened_again() -> bool:
        name = f"u{os.urandom(3).hex()}"
        return run([str(FUIN), "user", "add", name, *data], environment.clean(tmp_path), check=False).returncode == 0

    wait_until(opened_again, 60, "the keyholder is opened again without asking")
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert first.returncode == 0

    wrong = serve_with_passphrase(tmp_path, "wrong")
    assert wrong.stderr is not None
    assert "passphrase does not open" in wrong.communicate(timeout=60)[1]
    assert wrong.returncode == 1

    none = run([str(FUIN), "serve", *data], environment.clean(tmp_path), check=False)
    assert none.returncode == 1
    assert "a passphrase seals the root key" in none.stderr


def test_the_first_start_prints_the_root_access_key_once(tmp_path: Path) -> None:
    """Without the variables the server makes the root access key, shows it at the first start, and never again."""
    arguments = [str(FUIN), "serve", "--data", str(tmp_path / "data"), "--port", str(free_port()), "--workers", "1"]
    shown = []
    for _ in range(2):
        process = subprocess.Popen(arguments, env=environment.clean(tmp_path), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("ready "):
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
        shown.append("AWS_SECRET_ACCESS_KEY=" in "".join(lines))
    assert shown == [True, False]


def test_a_missing_audit_log_is_noticed(new_server: ServerFactory) -> None:
    """Data without its log is refused, since a log that begins anew would hide what was done; it can be insisted on."""
    server = new_server().start()
    server.stop()
    shutil.rmtree(server.data / "audit")
    arguments = ["serve", "--data", str(server.data), "--port", str(server.port), "--workers", "1"]
    refused = server.fuin(*arguments, check=False)
    assert refused.returncode == 1
    assert "holds no audit log" in refused.stderr
    process = subprocess.Popen(
        [str(FUIN), *arguments, "--new-audit-log"],
        env=environment.clean(server.home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert any(line.startswith("ready ") for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_worker_has_so_many_places_and_no_more(new_server: ServerFactory) -> None:
    """`--connections` bounds the connections of a worker under TLS too, and a free place is there for the next."""
    server = new_server(workers=1, tls=True, options=("--connections", "3"))
    server.start()
    context = ssl.create_default_context(cafile=str(server.certificate))

    def connected() -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", server.port), 60)
        client = context.wrap_socket(plain, server_hostname="localhost")
        client.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        return client

    with contextlib.ExitStack() as held:
        clients = [held.enter_context(connected()) for _ in range(2)]
        held.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))  # and no handshake
        with pytest.raises((ConnectionError, ssl.SSLError)):
            connected()
        clients[0].close()
        wait_until(lambda: _is_given(lambda: held.enter_context(connected())), 60, "the next one has the free place")
    server.stop()


def _is_given(connect: Callable[[], object]) -> bool:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        connect()
        return True
    return False
