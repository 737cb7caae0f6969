"""The keyholder as a process: who may speak to it, what the kernel protects, how it ends and comes back."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uvloop

from fuin.audit import reader
from fuin.audit.verify import verify
from fuin.errors import KeyholderUnavailable
from fuin.formats import context, frames
from fuin.formats.wrapped import Material
from fuin.keyholder import command
from fuin.keyholder.client import Keyholder
from fuin.keyholder.offline import audit_checker
from fuin.keyholder.opcodes import Opcode, Status
from fuin.keyholder.sockets import bind_unix, connect_unix, peer_uid
from tests.keyholder.process import DRAFT, KEY_ID, Holder, draft, play

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
    deadline = time.monotonic() + 10
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
    request = frames.encode(1, Opcode.STATUS, [])
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
        (0, []), (255, [b"x"]), (Opcode.STATUS, [b"x"]), (Opcode.DATA_KEY, []), (Opcode.DECRYPT, [b""] * 4),
        (Opcode.RANDOM, [b"\0\0\x01", b"{}"]), (Opcode.SEAL_SECRET, [b"\xff", b"x" * 40]), (Opcode.NEW_SECRET, [b""]),
        (Opcode.SIGNING_KEY, [b""] * 5), (Opcode.RE_ENCRYPT, [b"x"] * 7), (Opcode.FORGET, [b"\xff"]),
        (Opcode.CREATE_MATERIAL, [b"\xff", b"\xff", b"{}"]),
    ],
)  # fmt: skip
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
    request = frames.encode(1, Opcode.SEAL_SECRET, [b"AKIA", b"x" * 120]) * 200
    with connect_unix(holder.path) as greedy:
        greedy.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += greedy.send(request)
        play(holder, lambda client: client.status())
    assert sent < 8 * 1024 * 1024


def test_sigterm_finishes_the_turn(own: Holder) -> None:
    """On SIGTERM it ends with status 0, and what it answered is in the log."""
    own.start()
    play(own, lambda client: client.record(draft(1)))
    assert own.end(signal.SIGTERM) == (0, "")
    assert len(reader.find(own.audit, "r-1")) == 1


def test_killed_keyholder_comes_back(own: Holder) -> None:
    """After kill -9 calls in flight fail cleanly, and the same client works again once it was restarted."""
    own.start()

    async def story(client: Keyholder) -> None:
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        plaintext, blob = await client.data_key(material, context.EMPTY, 32, DRAFT)
        os.kill(own.pid, signal.SIGSTOP)
        waiting = asyncio.gather(*(client.record(draft(n)) for n in range(5)), return_exceptions=True)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(own.end, signal.SIGKILL)
        assert [type(answer) for answer in await waiting] == [KeyholderUnavailable] * 5
        early = asyncio.create_task(client.decrypt(material, context.EMPTY, blob, draft(9)))  # waits in the socket
        await asyncio.sleep(0.05)
        await asyncio.to_thread(own.start)
        assert await early == plaintext
        assert await client.decrypt(material, context.EMPTY, blob, DRAFT) == plaintext

    play(own, story)
    verify(own.audit, audit_checker(own.audit), None)
    assert [entry.use for entry in reader.entries(own.audit)].count("opened") == 2


def test_acknowledged_records_survive_kill(own: Holder) -> None:
    """Whatever was acknowledged before kill -9, in ten rounds under load, is in the log, which verifies."""
    acknowledged: list[int] = []

    async def load(client: Keyholder, round_number: int) -> None:
        async def one(number: int) -> None:
            await client.record(draft(number))
            acknowledged.append(number)

        calls = [asyncio.create_task(one(round_number * 10_000 + n)) for n in range(2000)]
        await asyncio.sleep(0.01 + 0.004 * round_number)
        os.kill(own.pid, signal.SIGKILL)
        _, waiting = await asyncio.wait(calls, timeout=0.2)
        for call in waiting:  # they wait in the socket for a keyholder that the next round starts
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    for round_number in range(1, 11):
        own.start()
        play(own, lambda client, n=round_number: load(client, n))  # type: ignore[misc]
        own.end(signal.SIGKILL)
    own.start()
    found = {entry.draft.get("request") for entry in reader.entries(own.audit)}
    assert {f"r-{number}" for number in acknowledged} <= found
    status = play(own, lambda client: client.status())
    verify(own.audit, audit_checker(own.audit), (status.sequence, status.head))


@pytest.mark.parametrize("first", [True, False], ids=["first-start", "later-start"])
@pytest.mark.parametrize(
    "point", ["keyholder.after_root_key", "audit.after_first_segment", "audit.after_public_key",
              "audit.before_write", "audit.after_write", "audit.after_sync"],
)  # fmt: skip
def test_crash_while_starting(own: Holder, point: str, first: bool) -> None:
    """Killed between any two steps of its start, the keyholder starts the next time, with the root key it had."""
    if not first:
        own.start().end()
    own.environment = {"FUIN_CRASH_POINT": point}
    if first or point not in ("keyholder.after_root_key", "audit.after_first_segment"):
        assert own.refusal()[0] == -signal.SIGKILL
    root_key = own.root_key.read_bytes()
    own.environment = {}
    own.start()
    play(own, lambda client: client.record(draft(1)))
    assert own.root_key.read_bytes() == root_key
    assert verify(own.audit, audit_checker(own.audit), None).unsigned == 0


def test_full_disk_gives_errors_and_no_use(own: Holder) -> None:
    """When the log cannot be written no use of a key is answered; what needs no record still is."""
    own.start()

    async def story(client: Keyholder) -> None:
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        log = own.audit / "0000000000000001.log"
        good = await client.status()
        length = log.stat().st_size
        resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (length + 100, -1))  # the write is torn, as on a full disk
        for call in (
            client.data_key(material, context.EMPTY, 32, draft(1)), client.record(draft(1)), client.random(8, draft(1)),
        ):  # fmt: skip
            with pytest.raises(KeyholderUnavailable):
                await call
        assert log.stat().st_size == length  # cut back
        assert await client.status() == good
        await client.new_secret("AKIA")
        resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (-1, -1))
        await client.record(draft(2))

    play(own, story)
    assert reader.find(own.audit, "r-1") == []
    assert len(reader.find(own.audit, "r-2")) == 1
    assert "the audit log cannot be written" in own.end()[1]
    verify(own.audit, audit_checker(own.audit), None)


@pytest.mark.skipif(not ROOT, reason="only root may mount a small disk")
def test_really_full_disk(tmp_path: Path) -> None:
    """On a file system without room it refuses, loses nothing, and goes on when there is room again."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "fuin-test", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        with Holder(tmp_path) as holder:
            answers = play(holder, fill_disk)
            assert answers[0] is None
            assert isinstance(answers[-1], KeyholderUnavailable)
            (tmp_path / "ballast").unlink()
            play(holder, lambda client: client.record(draft(1)))
            assert verify(holder.audit, audit_checker(holder.audit), None).unsigned == 0
            acknowledged = sum(answer is None for answer in answers) + 1
            assert [entry.use for entry in reader.entries(holder.audit)].count("record") == acknowledged
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


async def fill_disk(client: Keyholder) -> list[BaseException | None]:
    """Write records until the disk is full, and a few more."""
    ballast = client._path.parent / "ballast"
    ballast.write_bytes(bytes(64 * 1024))
    answers: list[BaseException | None] = []
    while len(answers) < 200 and sum(answer is not None for answer in answers) < 3:
        answers += await asyncio.gather(client.record(bytes(4000)), return_exceptions=True)
    return answers


def test_long_socket_path(tmp_path: Path) -> None:
    """A socket path longer than the kernel's 107 bytes works."""
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    with Holder(folder) as holder:
        assert len(str(holder.path)) > 200
        play(holder, lambda client: client.status())


def test_works_on_uvloop(holder: Holder) -> None:
    """The client runs on uvloop as the workers do, with a lost connection and many calls in flight."""

    async def story() -> int:
        client = holder.client()
        await client.connect()
        records = await asyncio.gather(*(client.record(DRAFT) for _ in range(100)))
        await client.close()
        await client.record(DRAFT)  # connects again
        await client.close()
        return len(records)

    assert uvloop.run(story()) == 100


def test_cancelled_call_harms_nobody(holder: Holder) -> None:
    """A caller that goes away does not take the answers of the others with it."""

    async def story(client: Keyholder) -> None:
        await client.connect()
        calls = [asyncio.create_task(client.random(8, DRAFT)) for _ in range(10)]
        await asyncio.sleep(0)  # now all are in flight
        calls[3].cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, bytes) for answer in answers) == 9

    play(holder, story)


def test_absent_keyholder_fails_in_time(tmp_path: Path) -> None:
    """Without a keyholder a call fails after about two seconds of trying."""
    started = time.monotonic()

    async def story() -> None:
        with pytest.raises(KeyholderUnavailable):
            await Keyholder(tmp_path / "nobody.sock").status()

    asyncio.run(story())
    assert 1 < time.monotonic() - started < 4


def test_silent_keyholder_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody listens and never answers, calls in flight fail after the limit."""
    monkeypatch.setattr("fuin.keyholder.connection.SILENCE_LIMIT", 0.3)

    async def story() -> None:
        with pytest.raises(KeyholderUnavailable):
            await Keyholder(tmp_path / "silent.sock").status()

    with bind_unix(tmp_path / "silent.sock"):
        asyncio.run(story())


def test_answers_that_are_no_frames_end_the_connection(tmp_path: Path) -> None:
    """Whoever answers rubbish at the socket gives errors, not values."""

    async def story() -> None:
        async def rubbish(reader_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader_.read(10)
            writer.write(b"\xff" * 100)
            await writer.drain()
            writer.close()

        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "s"))
        async with await asyncio.start_unix_server(rubbish, sock=listener):
            client = Keyholder(tmp_path / "s")
            with pytest.raises(KeyholderUnavailable):
                await client.status()

    asyncio.run(story())


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
    from fuin.keyholder.rootkey import open_root_key
    from fuin.keyholder.software import Software

    return bytes(Software(open_root_key(holder.root_key, None)).material(material.encoded).key)


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
