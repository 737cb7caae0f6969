"""The client: long paths, uvloop, callers that go away, and keyholders that are absent, silent or false."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import uvloop

from fuin.errors import KeyholderUnavailable
from fuin.keyholder.wire import connection, line
from fuin.keyholder.wire.client import Keyholder
from fuin.keyholder.wire.sockets import bind_unix
from tests.keyholder.process import DRAFT, Holder, play
from tests.support.waiting import settle

ROOT = os.geteuid() == 0


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


def test_absent_keyholder_fails_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a keyholder a call fails after some time of trying."""
    monkeypatch.setattr(line, "CONNECT_LIMIT", 0.5)

    async def story() -> float:
        started = time.monotonic()
        with pytest.raises(KeyholderUnavailable):
            await Keyholder(tmp_path / "nobody.sock").status()
        return time.monotonic() - started

    assert 0.2 < min(asyncio.run(story()) for _ in range(3)) < 4.5  # the limit is 5 s by itself


def test_keyholder_that_is_away_is_not_waited_for_by_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket takes connections while it is away: all wait the same short time, later ones fail at once."""
    monkeypatch.setattr(line, "CONNECT_LIMIT", 2.0)
    monkeypatch.setattr(line, "AWAY_PATIENCE", 0.1)

    async def story(holder: Holder) -> None:
        client = holder.client()
        started = time.monotonic()
        early = [asyncio.create_task(client.status()) for _ in range(50)]
        await asyncio.sleep(0.6)
        late = [asyncio.create_task(client.status()) for _ in range(50)]
        refused = await asyncio.gather(*early, *late, return_exceptions=True)
        assert {type(answer) for answer in refused} == {KeyholderUnavailable}
        assert time.monotonic() - started < 20, "they waited one after the other"
        waits = []
        for _ in range(5):
            started = time.monotonic()
            with pytest.raises(KeyholderUnavailable):
                await client.status()
            waits.append(time.monotonic() - started)
        assert min(waits) < 1.5, "each waited as if it were the first"
        await asyncio.to_thread(holder.start)
        await client.status()  # found at once, not only at the next try
        await client.close()

    with Holder(tmp_path) as holder:
        holder.end(signal.SIGKILL)
        asyncio.run(story(holder))


def test_waiting_requests_are_bounded(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyholder that does not read gets only so many requests, and so many bytes of them; the rest fail at once."""
    monkeypatch.setattr(connection, "IN_FLIGHT_LIMIT", 500)
    monkeypatch.setattr(connection, "UNREAD_LIMIT", 100_000)

    async def refused(client: Keyholder, count: int, size: int) -> tuple[int, int]:
        asked = [asyncio.create_task(client.record(bytes(size))) for _ in range(count)]
        await settle()
        at_once = sum(task.done() for task in asked)
        os.kill(holder.pid, signal.SIGCONT)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return at_once, sum(answer is None for answer in answers)

    async def story(client: Keyholder) -> None:
        for count, size in ((600, 10), (200, 30_000)):
            await client.status()
            os.kill(holder.pid, signal.SIGSTOP)
            failed, taken = await refused(client, count, size)
            assert failed >= 100
            assert failed + taken == count
        await client.record(DRAFT)

    play(holder, story)


def test_silent_keyholder_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody listens and never answers, calls fail after the limit."""
    monkeypatch.setattr(line, "CONNECT_LIMIT", 0.3)

    async def story() -> None:
        with pytest.raises(KeyholderUnavailable):
            await Keyholder(tmp_path / "silent.sock").status()

    with bind_unix(tmp_path / "silent.sock"):
        asyncio.run(story())


def test_keyholder_that_falls_silent_is_given_up(own: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a keyholder hangs, the calls in flight fail after the limit."""
    monkeypatch.setattr(connection, "SILENCE_LIMIT", 0.3)

    async def story(client: Keyholder) -> None:
        await client.status()
        os.kill(own.pid, signal.SIGSTOP)
        with pytest.raises(KeyholderUnavailable):
            await client.record(DRAFT)

    with own:
        play(own, story)


def test_answers_that_are_no_frames_end_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers rubbish at the socket gives errors, not values."""

    async def story() -> None:
        monkeypatch.setattr(line, "CONNECT_LIMIT", 0.2)

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


def test_idle_time_is_no_silence(own: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody used for a while is not lost when the next answer takes a moment."""
    monkeypatch.setattr(connection, "SILENCE_LIMIT", 1.2)

    async def story() -> bytes:
        client = own.client()
        await client.record(DRAFT)  # arms the watch
        await asyncio.sleep(0.9)
        os.kill(own.pid, signal.SIGSTOP)
        try:
            asked = asyncio.create_task(client.random(8, DRAFT))
            await asyncio.sleep(0.6)  # the watch goes off meanwhile
        finally:
            os.kill(own.pid, signal.SIGCONT)
        answer = await asked
        await client.close()
        return answer

    with own:
        assert len(asyncio.run(story())) == 8
