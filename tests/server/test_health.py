"""What health says: of the keyholder, its log, the database and the disks; to anybody, and at a bounded cost."""

import asyncio
import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fuin import clock
from fuin.audit import reader
from fuin.clock import CLOCK
from fuin.errors import StoreUnavailable
from fuin.keyholder.wire import line
from fuin.server import health
from fuin.server.health import Health
from tests.support.place import Place
from tests.support.processes import wait_until
from tests.support.server import Server

GOOD = (200, {"status": "ok"})


PATIENT, IMPATIENT = 60.0, 0.4  # seconds


@pytest.fixture
def impatient(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Give a context in which health waits for a short time only: for parts that never answer."""

    @contextmanager
    def wait_shortly() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(health, "PROBE_LIMIT", IMPATIENT)
            patch.setattr(line, "CONNECT_LIMIT", IMPATIENT)
            yield

    return wait_shortly


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Give a key service of this test's own, whose health remembers nothing, and waits for a busy machine."""
    monkeypatch.setattr(health, "PROBE_LIMIT", PATIENT)
    monkeypatch.setattr(health, "FRESH", 0.0)
    made = Place(tmp_path / "data")
    yield made
    made.close()


def asked(place: Place, of: Health, path: bytes = b"/health/ready") -> tuple[int, Any]:
    """Return the status and the document of an answer."""
    answer = place.run(of.answer(path))
    return answer.status, json.loads(bytes(answer.body))


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anybody_may_ask(server: Server, path: str, method: str) -> None:
    """Load balancers ask without an access key; each path answers, and leaves no record."""
    before = len(list(reader.entries(server.data / "audit")))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert body == (b'{"status":"ok"}' if method == "GET" else b"")
    assert len(list(reader.entries(server.data / "audit"))) == before


def test_other_paths_are_objects(server: Server) -> None:
    """Only these paths are health's; all else below is an object in a bucket of that name, and others' methods too."""
    for method, path in (("GET", "/health/"), ("GET", "/health/dead"), ("PUT", "/health/live"), ("DELETE", "/health")):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request(method, path)
        assert connection.getresponse().status == 403, path
        connection.close()


def test_keyholder_that_does_not_answer(place: Place, impatient: Callable[[], AbstractContextManager[None]]) -> None:
    """Alive is not ready: when the keyholder hangs or is gone this worker still lives, and says what is missing."""
    of = Health(place.services)
    assert asked(place, of) == GOOD
    missing = (503, {"status": "not ready", "keyholder": "does not answer", "audit log": "not known"})
    os.kill(place.keyholder.pid, signal.SIGSTOP)
    with impatient():
        assert asked(place, of) == missing
        assert asked(place, of, b"/health") == missing
    assert asked(place, of, b"/health/live") == GOOD
    os.kill(place.keyholder.pid, signal.SIGCONT)
    assert asked(place, of) == GOOD
    place.stop_keyholder()
    with impatient():
        assert asked(place, of) == missing
    place.start_keyholder()
    wait_until(lambda: asked(place, of) == GOOD, 60, "the keyholder is found again")


def test_full_disk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with too little space is reported before requests fail."""
    of = Health(place.services)
    monkeypatch.setattr(health, "ROOM", 1 << 62)
    assert asked(place, of) == (503, {"status": "not ready", "disk": "is full"})


def test_database_that_cannot_be_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing database is reported; its error text, which names files, is not."""

    def fail(*_: object) -> None:
        raise StoreUnavailable("/var/lib/fuin/fuin.db: disk I/O error")

    of = Health(place.services)
    monkeypatch.setattr(place.services.store, "read", fail)
    assert asked(place, of) == (503, {"status": "not ready", "database": "cannot be read"})


def test_whatever_else_goes_wrong(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody thought of is not taken for health, and not remembered when it is over."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    of = Health(place.services)
    assert asked(place, of) == GOOD
    with monkeypatch.context() as patch:
        patch.setattr(place.services.store, "read", fail)
        assert asked(place, of) == (503, {"status": "not ready", "database": "fails"})
    assert asked(place, of) == GOOD


def test_many_askers_cost_one_look(place: Place, impatient: Callable[[], AbstractContextManager[None]]) -> None:
    """However many ask at once, the parts are looked at once; and one that hangs is not asked a second time."""
    looks: list[str] = []
    released = asyncio.Event()

    async def hang() -> str:
        looks.append("keyholder")
        await released.wait()
        return "ok"

    async def story() -> list[int]:
        of = Health(place.services)
        of._probes["keyholder"] = hang
        many = [(await of.answer(b"/health")).status for _ in range(2)]
        many += [answer.status for answer in await asyncio.gather(*(of.answer(b"/health") for _ in range(200)))]
        released.set()
        return many

    with impatient():
        assert place.run(story()) == [503] * 202
    assert looks == ["keyholder"]


def test_answer_is_given_again_for_a_second(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often somebody asks, the parts are looked at once in FRESH seconds."""
    monkeypatch.setattr(health, "FRESH", 60.0)
    looks: list[int] = []

    async def look() -> str:
        looks.append(1)
        return "ok"

    async def story() -> int:
        of = Health(place.services)
        of._probes["database"] = look
        return [(await of.answer(b"/health")).status for _ in range(100)].count(200)

    assert place.run(story()) == 100
    assert len(looks) == 1


def test_a_jump_of_the_clock_is_told_and_stops_nothing(place: Place) -> None:
    """A wall clock that has jumped makes what destroys wait; requests are served, and health says which way it went."""
    seen = clock.read()
    CLOCK.believe(clock.begin(seen, seen.wall - 86400, clock.JUMP_LIMIT)._replace(held=clock.AHEAD), seen)
    try:
        assert asked(place, Health(place.services)) == (200, {"status": "ok", "clock": "held, ahead"})
    finally:
        CLOCK.forget()
    assert asked(place, Health(place.services)) == GOOD
