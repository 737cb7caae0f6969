"""The keyholder and the copies of its log: which answers wait, and when no key is used."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.audit.log import Log
from fuin.formats import frames
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.last_uses import LastUses
from fuin.keyholder.loop.copies import WAIT, CopyWatch
from fuin.keyholder.loop.server import KeyholderServer, Outbox
from fuin.keyholder.loop.service import KeyholderService
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.root_key import RootKey
from fuin.keyholder.sealed.sessions import Sessions
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.sockets import bind_unix, connect_unix
from fuin.keyholder.wire.statuses import Status

LIMIT = 60.0


class Loop:
    """A keyholder's loop whose turns and whose clock the test takes; `now` is its time."""

    def __init__(self, folder: Path, listener: socket.socket, path: Path, *, waits: bool, copied: bool = True) -> None:
        root = RootKey(bytearray(32))
        signer = AuditSigner(root)
        self.now = 1000.0
        self.log = Log.open(folder, signer.public_key, signer.sign, signer.check)
        self.copies: CopyWatch[Outbox] | None = None
        if copied:
            self.copies = CopyWatch(self.log, LIMIT, waits=waits, clock=lambda: self.now)
        uses = LastUses.open(root, folder, self.log)
        service = KeyholderService(
            SoftwareBackend(root), Sessions(root), uses, self.log, signer.public_key, self.copies
        )  # fmt: skip
        self.server = KeyholderServer(listener, service, self.log, self.copies)
        listener.setblocking(False)
        self.server._selector.register(listener, 1)
        self.server._selector.register(self.server._wake_reader, 1)
        self.worker, self.copier = connect_unix(path), connect_unix(path)
        self.turn()
        self.turn()

    def turn(self) -> None:
        """Take turns as long as something is to be read; one for the clock where there is nothing."""
        self.server._wake_loop()
        while self.server._selector.select(0):
            self.server.turn()

    def record(self, number: int) -> None:
        """Send a request that is recorded."""
        self.worker.send(frames.encode(number, requests.RECORD.code, [b'{"n":%d}' % number]))
        self.turn()

    def report(self, copied: int, *, conflict: bool = False) -> None:
        """Say how far the copies go, and ask for more."""
        self.copier.send(frames.encode(1, requests.COPIED.code, requests.COPIED.pack((copied, conflict))))
        self.turn()

    def answers(self) -> list[tuple[int, int]]:
        """Return what the worker has got: correlations and statuses."""
        return [(correlation, status) for correlation, status, _ in taken(self.worker)]

    def news(self) -> list[int]:
        """Return the positions that the copier has got."""
        return [requests.COPIED.unpack_answer(fields)[0] for _, _, fields in taken(self.copier)]

    def is_taking(self) -> bool:
        """Return whether the status says that records are taken."""
        self.worker.send(frames.encode(99, requests.STATUS.code, ()))
        self.turn()
        return bool(requests.STATUS.unpack_answer(taken(self.worker)[-1][2])[3])


def taken(peer: socket.socket) -> list[frames.Frame]:
    """Return the answers that have come."""
    try:
        return frames.Splitter().feed(peer.recv(1 << 20))
    except BlockingIOError:
        return []


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Loop]]:
    """Give a list for the loops that a test starts; they end with it."""
    monkeypatch.setattr("signal.set_wakeup_fd", lambda *_, **__: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    loops: list[Loop] = []
    yield loops
    for loop in loops:
        for peer in list(loop.server._peers):
            loop.server._drop(peer)
        loop.worker.close()
        loop.copier.close()
        loop.server._listener.close()
        loop.log.close()


def start(started: list[Loop], folder: Path, *, waits: bool, copied: bool = True) -> Loop:
    """Start a loop."""
    path = folder / "s"
    listener = bind_unix(path)
    loop = Loop(folder, listener, path, waits=waits, copied=copied)
    started.append(loop)
    return loop


def test_answers_wait_for_copies(started: list[Loop], tmp_path: Path) -> None:
    """Each answer leaves when its record has a copy, not before; one copy serves several turns."""
    loop = start(started, tmp_path, waits=True)
    loop.report(loop.log.position.sequence)
    loop.record(1)
    first = loop.log.position.sequence
    loop.record(2)
    loop.record(3)
    assert loop.answers() == []
    assert loop.news() == [first]
    loop.report(first)
    assert loop.answers() == [(1, Status.OK)]
    last = loop.log.position.sequence
    assert loop.news() == [last]
    loop.report(last)
    assert loop.answers() == [(2, Status.OK), (3, Status.OK)]
    assert loop.news() == []


def test_other_answers_do_not_wait(started: list[Loop], tmp_path: Path) -> None:
    """A request without a record is answered while others wait; without the mode nobody waits."""
    loop = start(started, tmp_path, waits=True)
    loop.record(1)
    loop.worker.send(frames.encode(7, requests.STATUS.code, ()))
    loop.turn()
    assert loop.answers() == [(7, Status.OK)]


def test_local_answers_do_not_wait(started: list[Loop], tmp_path: Path) -> None:
    """A log that is copied later holds no answer; the copier is told of each end of the log."""
    loop = start(started, tmp_path, waits=False)
    loop.report(loop.log.position.sequence)
    loop.record(1)
    assert loop.answers() == [(1, Status.OK)]
    assert loop.news() == [loop.log.position.sequence]


@pytest.mark.parametrize("waits", [False, True])
def test_key_use_stops_without_copies(started: list[Loop], tmp_path: Path, waits: bool) -> None:
    """After the limit nothing is recorded and nothing answered with success; the first copy ends that."""
    limit = WAIT if waits else LIMIT
    loop = start(started, tmp_path, waits=waits)
    loop.report(loop.log.position.sequence)
    loop.record(1)
    assert loop.answers() == ([] if waits else [(1, Status.OK)])
    loop.now += limit - 1
    assert loop.is_taking()
    loop.now += 2
    loop.turn()
    assert loop.answers() == ([(1, Status.UNAVAILABLE)] if waits else [])
    assert not loop.is_taking()
    before = loop.log.position
    loop.record(2)
    assert loop.answers() == [(2, Status.UNAVAILABLE)]
    assert loop.log.position == before
    loop.report(before.sequence)
    assert loop.is_taking()
    loop.record(3)
    loop.report(loop.log.position.sequence)
    assert loop.answers() == [(3, Status.OK)]


def test_slow_copies_do_not_stop_keys(started: list[Loop], tmp_path: Path) -> None:
    """What counts is the age of the oldest record without a copy, not how long the copies have been behind."""
    loop = start(started, tmp_path, waits=False)
    behind = loop.log.position.sequence
    for number in range(1, 30):
        loop.report(behind)
        behind = loop.log.position.sequence
        loop.record(number)
        loop.now += LIMIT / 3
        assert loop.answers() == [(number, Status.OK)]


def test_no_copier_at_all(started: list[Loop], tmp_path: Path) -> None:
    """A copier that never comes counts from the start."""
    loop = start(started, tmp_path, waits=False)
    loop.now += LIMIT + 1
    loop.record(1)
    assert loop.answers() == [(1, Status.UNAVAILABLE)]


def test_copies_of_another_log_stop_keys_at_once(started: list[Loop], tmp_path: Path) -> None:
    """Nothing is used until the copies are again those of this log."""
    loop = start(started, tmp_path, waits=True)
    loop.report(loop.log.position.sequence)
    loop.record(1)
    loop.report(0, conflict=True)
    assert loop.answers() == [(1, Status.UNAVAILABLE)]
    loop.record(2)
    assert loop.answers() == [(2, Status.UNAVAILABLE)]
    loop.report(loop.log.position.sequence)
    loop.record(3)
    loop.report(loop.log.position.sequence)
    assert loop.answers() == [(3, Status.OK)]


def test_embedded_keyholder_knows_no_copies(started: list[Loop], tmp_path: Path) -> None:
    """Where no log is copied, a copier is refused, and nothing waits."""
    loop = start(started, tmp_path, waits=False, copied=False)
    loop.report(1)
    ((_, status, _),) = taken(loop.copier)
    assert status == Status.INVALID
    loop.record(1)
    assert loop.answers() == [(1, Status.OK)]


def test_worker_that_goes_away(started: list[Loop], tmp_path: Path) -> None:
    """An answer that waited for its copy goes nowhere, and hinders nobody."""
    loop = start(started, tmp_path, waits=True)
    loop.record(1)
    loop.worker.close()
    loop.turn()
    loop.report(loop.log.position.sequence)
    assert loop.news() == []
