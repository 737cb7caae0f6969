"""The keyholder's loop: one thread, one turn after the other.

A turn reads what is ready on all sockets, does the operations, appends their records under one checkpoint with one
write and one fdatasync, and only then sends the answers. What arrives meanwhile waits in the sockets and makes up the
next turn, so the group commit grows by itself with the load.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
from collections import defaultdict
from types import FrameType

from fuin.audit.log import Log
from fuin.formats import frames
from fuin.keyholder.opcodes import Status
from fuin.keyholder.peer import Peer, PeerGone
from fuin.keyholder.service import Reply, Service
from fuin.keyholder.sockets import peer_uid

PEERS_AT_MOST = 512
TURN_LIMIT = 4 * 1024 * 1024  # bytes read in one turn, over all peers

Request = tuple[Peer, int, Reply]  # whose, its correlation, what to answer


class Server:
    """Serves the peers of one listening socket until SIGTERM; `run` raises LogBroken when the log gives up."""

    def __init__(self, listener: socket.socket, service: Service, log: Log) -> None:
        self._listener = listener
        self._service = service
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._peers: set[Peer] = set()
        self._ending = False
        self._wake, self._wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._end)

    def run(self) -> None:
        """Take turns until SIGTERM; the turn at hand is always finished."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        try:
            while not self._ending:
                self.turn()
        finally:
            for peer in list(self._peers):
                self._drop(peer)

    def turn(self) -> None:
        """Wait for something to do, and do all of it."""
        requests: list[Request] = []
        taken = 0
        for key, events in self._selector.select():
            peer = key.data
            if peer is None:
                self._accept() if key.fileobj is self._listener else self._drain()
            elif taken <= TURN_LIMIT:  # the kernel shows the others again in the next turn
                taken += self._serve(peer, events, requests)
        if requests:
            self._answer([request for request in requests if not request[2].uses])
            self._answer(self._recorded([request for request in requests if request[2].uses]))

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True

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

    def _serve(self, peer: Peer, events: int, requests: list[Request]) -> int:
        """Read and do a peer's requests; returns the bytes read."""
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
        for correlation, code, fields in received:
            requests.append((peer, correlation, handle(code, fields)))
        return size

    def _recorded(self, requests: list[Request]) -> list[Request]:
        """Append the records of requests; when the disk does not take them, nobody gets an answer but this."""
        if not requests:
            return requests
        try:
            self._log.append([use for _, _, reply in requests for use in reply.uses])
        except OSError as error:
            say(f"the audit log cannot be written: {error.strerror}")
            refusal = Reply(Status.UNAVAILABLE, [b"the audit log cannot be written"], ())
            return [(peer, correlation, refusal) for peer, correlation, _ in requests]
        return requests

    def _answer(self, requests: list[Request]) -> None:
        answers: defaultdict[Peer, list[bytes]] = defaultdict(list)
        for peer, correlation, reply in requests:
            answers[peer].append(frames.encode(correlation, reply.status, reply.fields))
        for peer, parts in answers.items():
            if peer in self._peers:
                try:
                    peer.send(parts)
                except PeerGone:
                    self._drop(peer)


def say(text: str) -> None:
    """Write one line to standard error, the server's log; never anything from a request."""
    sys.stderr.write(f"fuin keyholder: {text}\n")
    sys.stderr.flush()
