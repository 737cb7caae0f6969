"""The keyholder as a process: who may speak to it, what the kernel protects, how it ends and comes back."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuin.formats import context, frames
from fuin.formats.wrapped import Material
from fuin.keyholder import command
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.client import Keyholder
from fuin.keyholder.wire.sockets import bind_unix, connect_unix, peer_uid
from fuin.keyholder.wire.statuses import Status
from tests.keyholder.process import DRAFT, KEY_ID, Holder, play

ROOT = os.geteuid() == 0


def raw_ask(path: Path, data: bytes) -> bytes:
    """Send bytes on a connection of their own and return what comes until it is closed or one answer is whole."""
    with connect_unix(path) as peer:
        peer.settimeout(10)
        peer.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while not (len(received) >= 4 and len(received) >= 4 + int.from_bytes(received[:4], "big")):
                piece = peer.recv(65_536)
                if not piece:
                    break
                received += piece
        return received


def test_no_core_dumps_no_tracing(holder: Holder) -> None:
    """The kernel writes no core file of it, and lets nobody of the same user look into its memory."""
    limits = Path(f"/proc/{holder.pid}/limits").read_text()
    assert next(line for line in limits.splitlines() if line.startswith("Max core")).split()[4:6] == ["0", "0"]
    assert Path(f"/proc/{holder.pid}/mem").stat().st_uid == 0  # not dumpable: its proc files belong to root
    if not ROOT:
        with pytest.raises(PermissionError):
            Path(f"/proc/{holder.pid}/mem").read_bytes()


@pytest.mark.skipif(not ROOT, reason="other users can be played by root only")
def test_not_dumpable_for_another_user(tmp_path: Path) -> None:
    """Run by an ordinary user, its proc files still belong to root, and that user cannot read its memory."""
    script = (
        "import encodings.ascii, os, sys\n"
        "from fuin.keyholder.hardening import harden\n"
        "import ctypes\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"  # dumpable, as an ordinary process is
        "assert os.stat('/proc/self/mem').st_uid == 65534\n"
        "harden(None)\n"
        "assert os.stat('/proc/self/mem').st_uid == 0\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try: open(f'/proc/{os.getppid()}/mem', 'rb')\n"
        "    except PermissionError: os._exit(7)\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd="/").returncode == 7


def test_memory_is_locked_or_a_warning_says_why(own: Holder) -> None:
    """Where the limits allow it all memory is locked; else one line tells the operator."""
    own.start()
    status = Path(f"/proc/{own.pid}/status").read_text()
    locked = int(next(line for line in status.splitlines() if line.startswith("VmLck")).split()[1])
    _, said = own.end()
    assert (locked > 0) != ("memory could not be locked" in said)


def test_dies_with_its_supervisor(tmp_path: Path) -> None:
    """When the process that started it is killed, the keyholder ends as well."""
    script = (
        "import sys, time; from pathlib import Path; from tests.keyholder.process import Holder\n"
        "holder = Holder(Path(sys.argv[1])).start(); print(holder.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_foreign_parent_is_not_served(own: Holder) -> None:
    """A keyholder whose supervisor is gone before it could ask the kernel ends at once."""
    words = command.Command(own.listener.fileno(), own.audit, own.root_key, parent=1).arguments()
    ended = subprocess.run(
        [sys.executable, "-m", command.MODULE, *words], pass_fds=[own.listener.fileno()], check=False
    )  # fmt: skip
    assert ended.returncode == 0
    assert not own.root_key.exists()


@pytest.mark.skipif(not ROOT, reason="other users can be played by root only")
def test_another_user_is_not_answered(holder: Holder) -> None:
    """Whoever is not the keyholder's own user gets no answer, even with a descriptor of the socket's folder."""
    holder.folder.chmod(0o777)
    holder.path.chmod(0o777)
    request = frames.encode(1, requests.STATUS.code, [])
    assert raw_ask(holder.path, request)  # the same bytes are answered for its own user
    script = (
        "import os, socket, sys\n"
        "peer = socket.socket(socket.AF_UNIX); os.chdir(sys.argv[1]); os.setgid(65534); os.setuid(65534)\n"
        "peer.settimeout(10); peer.connect('keyholder.sock')\n"
        "try:\n"
        "    peer.sendall(bytes.fromhex(sys.argv[2])); answer = peer.recv(100)\n"
        "except (ConnectionResetError, BrokenPipeError): answer = b''\n"
        "print(len(answer))\n"
    )
    asked = subprocess.run(
        [sys.executable, "-c", script, str(holder.folder), request.hex()], capture_output=True, text=True, check=True
    )
    assert asked.stdout == "0\n"


def test_peer_uid_is_the_kernels_word(tmp_path: Path) -> None:
    """The uid of a peer is its effective uid at the time of the connection."""
    with bind_unix(tmp_path / "s") as listener, connect_unix(tmp_path / "s"):
        with listener.accept()[0] as accepted:
            assert peer_uid(accepted) == os.geteuid()
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"\xff" * 64, b"\0\0\0\x0c" + bytes(8) + b"\x01\x09" + bytes(2)],
    ids=["http", "zero-length", "huge", "too-many-fields"],
)
def test_malformed_frame_closes_that_peer_only(holder: Holder, data: bytes) -> None:
    """Bytes that are no frame end their own connection; everybody else goes on."""

    async def story(client: Keyholder) -> None:
        await client.status()
        assert raw_ask(holder.path, data) == b""
        await client.status()

    play(holder, story)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (0, []),
        (255, [b"x"]),
        (requests.STATUS.code, [b"x"]),
        (requests.DATA_KEY.code, []),
        (requests.DECRYPT.code, [b""] * 4),
        (requests.RANDOM.code, [b"\0\0\x01", b"{}"]),
        (requests.SEAL_SECRET.code, [b"\xff", b"x" * 40]),
        (requests.NEW_SECRET.code, [b""]),
        (requests.SIGNING_KEY.code, [b""] * 5),
        (requests.RE_ENCRYPT.code, [b"x"] * 7),
        (requests.FORGET.code, [b"\xff"]),
        (requests.CREATE_MATERIAL.code, [b"\xff", b"\xff", b"{}"]),
    ],
)
def test_wrong_request_gets_an_answer_and_harms_nobody(holder: Holder, code: int, fields: list[bytes]) -> None:
    """A well-formed frame with a senseless request is answered with a status and a text, and the process goes on."""
    answer = raw_ask(holder.path, frames.encode(77, code, fields))
    correlation, status, texts = frames.decode(answer[4:])
    assert correlation == 77
    assert status in (Status.INVALID, Status.DAMAGED)
    assert len(texts) == 1
    play(holder, lambda client: client.status())


def test_peer_that_takes_no_answers_is_not_read_from(holder: Holder) -> None:
    """Somebody who sends and never receives fills its own buffers, not the keyholder's memory, and delays nobody."""
    request = frames.encode(1, requests.SEAL_SECRET.code, [b"AKIA", b"x" * 120]) * 200
    with connect_unix(holder.path) as greedy:
        greedy.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += greedy.send(request)
        play(holder, lambda client: client.status())
    assert sent < 8 * 1024 * 1024


def test_memory_is_wiped_of_what_is_forgotten(own: Holder) -> None:
    """After `forget` the material's bytes are no longer in the process's memory (read as root)."""
    if not ROOT:
        pytest.skip("only root may read its memory")
    own.start()

    async def use(client: Keyholder) -> Material:
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        await client.data_key(material, context.EMPTY, 32, DRAFT)
        return material

    material = play(own, use)
    key = opened_key(own, material)
    assert in_memory(own.pid, key)
    play(own, lambda client: client.forget(KEY_ID))
    for _ in range(3):
        play(own, use)  # other derivations overwrite the scratch
    play(own, lambda client: client.forget(KEY_ID))
    assert not in_memory(own.pid, key)


def opened_key(holder: Holder, material: Material) -> bytes:
    """Return the key bytes of material, opened in the test with the root key's file."""
    from fuin.keyholder.backends.software.backend import SoftwareBackend
    from fuin.keyholder.sealed.root_key import open_root_key

    return bytes(SoftwareBackend(open_root_key(holder.root_key, None)).key_bytes(material))


def in_memory(pid: int, wanted: bytes) -> bool:
    """Tell whether bytes stand anywhere in a process's writable memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if "rw" not in rights or "[v" in line:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            memory.seek(start)
            with contextlib.suppress(OSError):
                if wanted in memory.read(end - start):
                    return True
    return False
