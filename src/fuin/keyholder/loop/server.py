"""The keyholder's loop: one thread, one turn after the other.

A turn reads what is ready on all sockets, does the operations, appends their records under one checkpoint with one
write and one fdatasync, and only then sends the answers. What arrives meanwhile waits in the sockets and makes up the
next turn, so the group commit grows by itself with the load.

What takes long is made in one thread beside the loop (`maker`), and answered in the turn in which it is made. What
takes a few milliseconds and lets no other thread run has its share of each turn (`costly`).
"""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType

from fuin.audit.log import Log, Use
from fuin.errors import KeyholderUnavailable
from fuin.formats import frames
from fuin.keyholder.loop.key_maker import Maker, Task
from fuin.keyholder.loop.peer import Peer, PeerGone
from fuin.keyholder.loop.service import Deferred, Reply, Service
from fuin.keyholder.loop.slow_operations import CODES, Costly, is_costly
from fuin.keyholder.wire.sockets import peer_uid
from fuin.keyholder.wire.statuses import Status
from fuin.standard_error import write_line

PEERS_AT_MOST = 512
REFUSAL_SAID_EVERY = 10.0  # seconds
TURN_LIMIT = 4 * 1024 * 1024  # bytes read in one turn, over all peers

Answer = tuple[int, int, Sequence[bytes]]  # correlation, status, fields
Waiting = list[tuple[Peer, list[Answer]]]  # the answers of a turn that leave when their records are durable

_REFUSAL = (b"the audit log cannot be written",)


class Server:
    """Serves the peers of one listening socket until SIGTERM; a log that the disk does not take ends nothing."""

    def __init__(self, listener: socket.socket, service: Service, log: Log) -> None:
        self._listener = listener
        self._service = service
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._peers: set[Peer] = set()
        self._ending = False
        self._wake, self._wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._maker = Maker(self._rouse)
        self._costly: Costly[tuple[Peer, int, int, list[bytes]]] = Costly()
        self._made: list[tuple[Peer, int, Reply]] = []  # deferred replies that are finished; they leave in this turn
        self._passed_over: dict[Peer, int] = {}  # in the last turn, which was full; the next one begins with them
        self._say_refusal = Seldom(REFUSAL_SAID_EVERY)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._end)

    def run(self) -> None:
        """Take turns until SIGTERM; the turn at hand is always finished."""
        if (failure := self._log.failure()) is not None:
            self._say_refusal(refusal(failure))
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        try:
            while not self._ending:
                self.turn()
        finally:
            for peer in list(self._peers):
                self._drop(peer)
            self._maker.close()

    def turn(self) -> None:
        """Wait for something to do, and do all of it."""
        waiting: Waiting = []
        uses: list[Use] = []
        taken = 0
        found = self._selector.select(0 if self._costly else self._log.pause())
        if self._passed_over:
            places, self._passed_over = self._passed_over, {}
            found.sort(key=lambda one: places.get(one[0].data, len(places)))
        for key, events in found:
            peer = key.data
            if peer is None:
                self._accept() if key.fileobj is self._listener else self._drain()
            elif taken <= TURN_LIMIT:
                taken += self._serve(peer, events, waiting, uses)
            else:
                self._passed_over[peer] = len(self._passed_over)
        if self._costly:
            self._work_off(waiting, uses)
        self._maker.finish()
        if self._made:
            made, self._made = self._made, []
            for peer, correlation, reply in made:
                self._keep(peer, correlation, reply, waiting, uses)
        if uses:
            for peer, answers in self._recorded(waiting, uses):
                self._answer(peer, answers)
        elif self._log.pause() == 0:
            self._try_log_again()

    def _try_log_again(self) -> None:
        """Go on with a log that a disk did not take, when nobody asks: who looks at our health must see it."""
        if self._log.try_again():
            self._say_refusal.is_over("the audit log takes records again")

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True

    def _rouse(self) -> None:
        """End the waiting of this turn; called by the maker's thread. A full pipe does that already."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wakes, b"\0")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again, or out of descriptors: the next turn tries once more
            return
        if peer_uid(connection) != os.geteuid() or len(self._peers) >= PEERS_AT_MOST:
            connection.close()
            return
        connection.setblocking(False)
        self._peers.add(Peer(connection, self._selector))

    def _drop(self, peer: Peer) -> None:
        self._peers.discard(peer)
        peer.close()

    def _serve(self, peer: Peer, events: int, waiting: Waiting, uses: list[Use]) -> int:
        """Read and do a peer's requests; returns the bytes read. What used no key is answered at once."""
        try:
            if events & selectors.EVENT_WRITE:
                peer.flush()
            if not events & selectors.EVENT_READ:
                return 0
            size, received = peer.receive()
        except PeerGone:
            self._drop(peer)
            return 0
        handle = self._service.handle
        at_once: list[Answer] = []
        later: list[Answer] = []
        for correlation, code, fields in received:
            if code in CODES and is_costly(fields) and not self._costly.full:
                self._costly.add((peer, correlation, code, fields))
                continue
            reply = handle(code, fields)
            if isinstance(reply, Deferred):
                self._defer(peer, correlation, reply)
                continue
            status, answer, used = reply
            (later if used else at_once).append((correlation, status, answer))
            uses += used
        if later:
            waiting.append((peer, later))
        if at_once:
            self._answer(peer, at_once)
        return size

    def _work_off(self, waiting: Waiting, uses: list[Use]) -> None:
        """Do this turn's share of the costly requests; those of a peer that has gone are not done."""
        for peer, correlation, code, fields in self._costly.share():
            if peer in self._peers:
                reply = self._service.handle(code, fields)
                if isinstance(reply, Deferred):
                    self._defer(peer, correlation, reply)
                else:
                    self._keep(peer, correlation, reply, waiting, uses)

    def _defer(self, peer: Peer, correlation: int, deferred: Deferred) -> None:
        """Have a reply made in the thread; a peer that goes away meanwhile is not waited for."""

        def done(made: object) -> None:
            self._made.append((peer, correlation, deferred.finish(made)))

        try:
            self._maker.take(Task(deferred.work, lambda: peer in self._peers, done))
        except KeyholderUnavailable as error:
            done(error)

    def _keep(self, peer: Peer, correlation: int, reply: Reply, waiting: Waiting, uses: list[Use]) -> None:
        answers: list[Answer] = [(correlation, reply.status, reply.fields)]
        if reply.uses:
            waiting.append((peer, answers))
            uses += reply.uses
        else:
            self._answer(peer, answers)

    def _recorded(self, waiting: Waiting, uses: list[Use]) -> Waiting:
        """Append the records of a turn; when the disk does not take them, nobody gets an answer but this."""
        refusing = self._log.refusing
        try:
            self._log.append(uses)
        except OSError as error:
            self._say_refusal(refusal(error.strerror or str(error)))
            return [(peer, [(answer[0], Status.UNAVAILABLE, _REFUSAL) for answer in later]) for peer, later in waiting]
        if refusing:
            self._say_refusal.is_over("the audit log takes records again")
        return waiting

    def _answer(self, peer: Peer, answers: list[Answer]) -> None:
        if peer in self._peers:
            try:
                peer.send([frames.encode(*answer) for answer in answers])
            except PeerGone:
                self._drop(peer)


def refusal(failure: str) -> str:
    """Return what to say of a log that the disk does not take."""
    return f"the audit log cannot be written: {failure}; no key is used until it can"


class Seldom:
    """Says what would else be said with every request of an outage, once in so many seconds, and when that is over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0
        self._open = False

    def __call__(self, text: str) -> None:
        """Say it, unless something was said a moment ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._seconds
            self._open = True
            say(text)

    def is_over(self, text: str) -> None:
        """Say that it is over, if it was said that it began: a disk that comes and goes does not fill the log."""
        if self._open:
            self._open = False
            say(text)


def say(text: str) -> None:
    """Write one line to standard error, the server's log; never anything from a request."""
    write_line(f"fuin keyholder: {text}")
