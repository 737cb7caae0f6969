"""Keys that take long to make: nobody else waits for them, and whoever asked may go away."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from fuin.audit import reader
from fuin.errors import KeyholderFailed, KeyholderUnavailable
from fuin.formats import context, frames
from fuin.formats.wrapped import Material
from fuin.keyholder.loop import key_maker
from fuin.keyholder.loop.key_maker import KeyMakerThread, Task
from fuin.keyholder.wire import connection, requests
from fuin.keyholder.wire.client import Keyholder
from fuin.keyholder.wire.connection import KeyholderConnection
from fuin.keyholder.wire.sockets import connect_unix
from fuin.keyholder.wire.statuses import Status
from tests.keyholder.latency import usual_time
from tests.keyholder.process import DRAFT, KEY_ID, Holder, draft, play
from tests.support.waiting import PATIENCE, settle


def create(correlation: int, spec: str, number: int) -> bytes:
    """Return the frame of a request for fresh key material."""
    return frames.encode(correlation, requests.CREATE_MATERIAL.code, [KEY_ID.encode(), spec.encode(), draft(number)])


def outcomes(holder: Holder, number: int) -> list[str]:
    """Return the outcomes of the records with the draft of `number`."""
    return [entry.outcome for entry in reader.find(holder.audit, f"r-{number}")]


def test_others_go_on(holder: Holder) -> None:
    """While three RSA_4096 keys are made, data keys of the same client take little longer than without them."""
    took: list[float] = []
    usual: list[float] = []

    async def story(client: Keyholder) -> list[Material]:
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        usual.append(await usual_time(client, material))
        slow = [asyncio.create_task(client.create_material(KEY_ID, "RSA_4096", DRAFT)) for _ in range(3)]
        while not all(task.done() for task in slow):
            started = time.monotonic()
            await client.data_key(material, context.EMPTY, 32, DRAFT)
            took.append(time.monotonic() - started)
            await asyncio.sleep(0.002)
        return [await task for task in slow]

    assert len({material.material_id for material in play(holder, story)}) == 3
    took.sort()
    assert len(took) > 10
    assert took[len(took) * 9 // 10] < 0.05 + 10 * usual[0], "most data keys had to wait"


def test_lost_peer_is_not_waited_for(holder: Holder) -> None:
    """What a lost peer asked for is not made any more, leaves no record, and harms nobody who asks after it."""
    with connect_unix(holder.path) as peer:
        peer.settimeout(60)
        peer.sendall(b"".join(create(number, "RSA_4096", 200) for number in range(200)))
        play(holder, lambda client: client.status())  # by then the requests were read
    started = time.monotonic()
    play(holder, lambda client: client.create_material(KEY_ID, "RSA_2048", draft(201)))
    assert time.monotonic() - started < 60, "two hundred keys were made for nobody"
    assert outcomes(holder, 201) == ["ok"]
    assert len(outcomes(holder, 200)) <= 1


def test_too_many_are_refused_at_once(holder: Holder) -> None:
    """Beyond the queue's length a request is answered at once, that it cannot be served now, and recorded."""
    over = 5
    count = key_maker.QUEUE_LIMIT + 1 + over  # one is being made meanwhile
    with connect_unix(holder.path) as peer:
        peer.setblocking(True)
        peer.settimeout(60)
        peer.sendall(b"".join(create(number, "RSA_4096", 210) for number in range(count)))
        splitter, refused = frames.Splitter(), 0
        while refused < over:
            refused += sum(status == Status.UNAVAILABLE for _, status, _ in splitter.feed(peer.recv(65_536)))
    assert "failed" in outcomes(holder, 210)
    play(holder, make_when_there_is_room)


async def make_when_there_is_room(client: Keyholder) -> None:
    """Make a key once the queue has room: those who have left are dropped when the key in the making is done."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await client.create_material(KEY_ID, "RSA_2048", draft(211))
        except KeyholderFailed:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            return


def test_end_while_a_key_is_made(own: Holder) -> None:
    """SIGTERM ends the keyholder in order although keys are being made: the one at hand is finished, the rest not."""
    own.start()
    with connect_unix(own.path) as peer:
        peer.sendall(b"".join(create(number, "RSA_4096", 220) for number in range(200)))
        play(own, lambda client: client.status())
        started = time.monotonic()
        status, _ = own.end()
    assert status == 0
    assert time.monotonic() - started < 60


def test_killed_keyholder_fails_what_is_made(own: Holder) -> None:
    """When the keyholder dies, callers that wait for a slow key get an error, and the client connects anew."""
    own.start()

    async def story(client: Keyholder) -> Material:
        slow = asyncio.create_task(client.create_material(KEY_ID, "RSA_4096", DRAFT))
        await client.status()
        await asyncio.sleep(0.05)
        own.end(signal.SIGKILL)
        with pytest.raises(KeyholderUnavailable):
            await slow
        own.start()
        return await client.create_material(KEY_ID, "RSA_2048", DRAFT)

    assert play(own, story).spec == "RSA_2048"


def test_slow_keys_are_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for slow keys is not given up while the keyholder lives, although no key is ready for long."""
    monkeypatch.setattr(connection, "SILENCE_LIMIT", 0.4)

    ended = asyncio.Event()

    async def keyholder(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        """Answer the status at once, and all else after three times the limit."""
        splitter, loop = frames.Splitter(), asyncio.get_running_loop()
        while data := await incoming.read(65_536):
            for correlation, code, _ in splitter.feed(data):
                answer = frames.encode(correlation, Status.OK, ())
                loop.call_later(0 if code == requests.STATUS.code else 1.2, outgoing.write, answer)
        outgoing.close()
        with contextlib.suppress(ConnectionError):
            await outgoing.wait_closed()
        ended.set()

    async def story() -> list[bytes]:
        path = tmp_path / "s"
        async with await asyncio.start_unix_server(keyholder, path):
            loop = asyncio.get_running_loop()
            made = KeyholderConnection(loop, lambda status, fields: ValueError(), gathers=False)
            await loop.create_unix_connection(lambda: made, str(path))
            answer = await made.ask(requests.CREATE_MATERIAL.code, ())
            made.close()
            await ended.wait()
            return answer

    assert asyncio.run(story()) == []


def test_slow_requests_end_when_the_keyholder_hangs(own: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyholder that gives no sign of life is given up by those who wait for slow keys as soon as by all others."""
    monkeypatch.setattr(connection, "SILENCE_LIMIT", 0.4)

    async def story(client: Keyholder) -> float:
        await client.import_parameters(b"scope", "RSA_2048", 2_000_000_000)  # connects
        os.kill(own.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(KeyholderUnavailable):
            await asyncio.wait_for(client.create_material(KEY_ID, "RSA_2048", DRAFT), 60)
        return time.monotonic() - started

    with own:
        assert 0.3 < play(own, story) < 10


def test_slow_requests_are_not_held_back(tmp_path: Path) -> None:
    """On the connection of the slow ones a request leaves although an earlier one is not answered; on the other not."""

    async def sent(gathers: bool) -> int:
        seen = 0

        async def count(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
            nonlocal seen
            with contextlib.suppress(ConnectionError):
                while data := await incoming.read(65_536):
                    seen += len(frames.Splitter().feed(data))
            outgoing.close()

        path = tmp_path / f"s-{gathers}"
        async with await asyncio.start_unix_server(count, path):
            loop = asyncio.get_running_loop()
            made = KeyholderConnection(loop, lambda status, fields: ValueError(), gathers=gathers)
            await loop.create_unix_connection(lambda: made, str(path))
            first = made.ask(requests.STATUS.code, ())
            await settle()
            second = made.ask(requests.STATUS.code, ())
            await settle()
            made.close()
            await asyncio.gather(first, second, return_exceptions=True)
        return seen

    assert asyncio.run(sent(gathers=False)) == 2
    assert asyncio.run(sent(gathers=True)) == 1


def test_errors_are_the_tasks_own() -> None:
    """What fails in the thread is handed over as an error, and the next task is made."""
    woken = threading.Semaphore(0)
    one = KeyMakerThread(woken.release)
    made: list[object] = []

    def fail() -> object:
        raise ValueError("none")

    for work in (fail, lambda: "key"):
        one.submit(Task(work, lambda: True, made.append))
    for _ in range(2):
        assert woken.acquire(timeout=60)
    one.deliver_results()
    assert isinstance(made[0], ValueError)
    assert made[1] == "key"
    one.close()


def test_queue_is_bounded_and_skips_the_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue takes nothing more; what nobody wants any more is neither made nor handed over."""
    monkeypatch.setattr(key_maker, "QUEUE_LIMIT", 3)
    go, started, woken = threading.Event(), threading.Event(), threading.Semaphore(0)
    one = KeyMakerThread(woken.release)
    made: list[object] = []
    wanted = True

    def wait() -> str:
        started.set()
        go.wait(60)
        return "first"

    one.submit(Task(wait, lambda: wanted, made.append))
    assert started.wait(60)
    for _ in range(2):
        one.submit(Task(lambda: made.append("made for nobody"), lambda: False, made.append))
    one.submit(Task(lambda: "last", lambda: True, made.append))
    with pytest.raises(KeyholderUnavailable):
        one.submit(Task(lambda: "more", lambda: True, made.append))
    go.set()
    for _ in range(2):
        assert woken.acquire(timeout=60)
    wanted = False  # lost after it was made, before it was handed over
    one.deliver_results()
    assert made == ["last"]
    one.close()
    assert "maker" not in {thread.name for thread in threading.enumerate()}
