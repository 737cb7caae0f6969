"""When a worker gives memory back to the machine: never while somebody would wait for it for nothing."""

from pathlib import Path

import psutil

from fuin.server.allocator import Leftovers, trim
from tests.server.place import OK
from tests.server.test_handshake import GET, Secured, run
from tests.support.waiting import until


def test_when_memory_is_given_back() -> None:
    """Once after work that nobody follows; under work only after a crest, and not often."""
    done: list[str] = []
    leftovers = Leftovers(lambda: done.append("all"), lambda: done.append("some"))

    def look(now: float, answered: int, connections: int, held: int = 0) -> list[str]:
        leftovers.look(now, answered, connections, held)
        found = done.copy()
        done.clear()
        return found

    assert look(0.0, 0, 0) == []
    assert look(100.0, 5, 3) == []
    assert look(102.5, 5, 3) == ["all"]
    assert look(105.0, 5, 3) == []
    assert look(200.0, 6, 1000) == []
    assert look(202.5, 7, 900) == []
    assert look(205.0, 8, 3) == ["some"]
    assert look(207.5, 9, 1000) == []
    assert look(210.0, 10, 3) == []
    assert look(236.0, 11, 3) == ["some"]
    assert look(300.0, 12, 3, held=60 << 20) == []
    assert look(302.5, 13, 3, held=0) == ["some"]
    assert look(305.0, 13, 3) == ["all"]


def test_what_connections_leave_is_given_back(tmp_path: Path) -> None:
    """Connections under TLS take much memory; when they have ended, and holes are trimmed, it is there for others."""

    async def come_and_go(secured: Secured) -> None:
        clients = [await secured.client(secured=True) for _ in range(60)]
        for reader, writer in clients:
            writer.write(GET)
            assert (await reader.read(1000)).startswith(OK)
        for _, writer in clients:
            writer.transport.abort()
        secured.clients.clear()
        await until(lambda: not secured.state.connections, "all connections end")

    async def test(secured: Secured) -> None:
        secured.bounds.connections = 1000
        await come_and_go(secured)  # what is loaded for the first time stays
        trim()
        before = psutil.Process().memory_info().rss
        for _ in range(3):
            await come_and_go(secured)
        trim()
        assert psutil.Process().memory_info().rss - before < 3 << 20

    run(tmp_path, test)


def test_holes_are_given_back() -> None:
    """What is freed between things that stay goes back to the machine; the C library alone keeps it for later."""
    process = psutil.Process()
    things = [bytes(4000) for _ in range(8000)]
    left = things[::16]
    del things
    before = process.memory_info().rss
    trim()
    assert before - process.memory_info().rss > 16 << 20
    assert len(left) == 500
