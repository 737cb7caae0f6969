"""The keyholder's loop: one thread that serves every worker, one turn after the other.

Theory of operation, by an example. Two workers, W1 and W2, are connected; each of them is a peer. Ann asks W1 for a
data key. At the same moment Bob asks W2 to decrypt a ciphertext blob, Carl asks W2 for a signature with an RSA_4096
key, and Dora asks W2 for a new RSA_4096 key. The workers have decided that all four may; the keyholder trusts them in
this, and in nothing more.

The turn (`KeyholderServer.turn`):

1. Read all. `select` names the sockets with something to read. One `recv` takes at most 128 KiB from each peer, and
   a turn about 4 MiB from all. Peers that a full turn has skipped are first in the next one.
2. Do all. `KeyholderService.handle` does a request and gives a `Reply`: the answer, and the uses of keys to be
   recorded. Ann's reply has one use: data-key, ok, key id, material id, and the draft in which W1 says who asked and by
   which decision. Her answer waits in the outbox. A reply without a use, such as a signing key, is sent now.
3. Record all. `Log.append` chains the records of all uses of this turn under one signed checkpoint, with one write and
   one fdatasync.
4. Answer all. Only now do the answers in the outbox leave. So when a caller sees a data key or a
   plaintext, its record is on the disk.

Requests that arrive during step 3 wait in the sockets and are the next turn's. The more there are, the more records
share one fdatasync: the group commit grows by itself with the load.

Requests that take long must not delay Ann:

* Carl's signature takes 4 ms, in which no other thread can run. It goes into a queue (`slow_operations`), of which each
  turn does as much as fits 4 ms, and one request at least. Its use is recorded in the turn that does it.
* Dora's key takes about a second. `KeyholderService.handle` gives a `DeferredReply`: its `work` runs in one thread
  beside the loop (`key_maker`), where other threads can run. When the key is made, the thread wakes the loop through a
  pipe. The loop then calls `finish`, which seals the key and gives the reply; that turn records and answers it as any
  other.

A peer that goes away costs the others nothing. Say W2 is killed. The next `recv` from it finds the end, and `PeerGone`
makes the loop drop the peer with all that it has not sent to it. If Bob's ciphertext blob was already decrypted, that
is recorded: the use has happened, although nobody takes the answer. Carl's signature is not made if it is still in the
queue. Dora's key is not made if it is still in the queue, and thrown away otherwise: `finish` is not called, so no KMS
key was used, and nothing is recorded. A peer that lives but takes no answers is not read from while more than 1 MiB of
them waits.

What the record says of a use. A failed use is recorded as well: when Bob's blob does not open, his record says
`tampered`; when the wrapped material does not open, it says `damaged`, under the names that the request gave. A
re-encryption leaves two records, one for each key, and only the first when the source does not open.

On a node among many the log has copies in a second place (`copies.py`). With `--audit cluster`, step 4 waits: the
answers of a turn are held until the log's copier says that their records have a copy. The loop takes its next turns
meanwhile. When there was no copy for too long, step 3 gives refusals only, until there are copies again.

A disk that fails ends nothing. When `Log.append` raises, every answer in the outbox becomes "unavailable": Ann's data
key is dropped before anybody has seen it, and she gets a 5xx that SDKs try again. The log tries by itself to go on
(docs/decisions/0008-a-log-that-outlives-its-disk.md).
"""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType

from fuin.audit.log import Log, RecordedUse
from fuin.errors import KeyholderUnavailable
from fuin.formats import frames
from fuin.keyholder.loop.copies import CopyWatch, await_records
from fuin.keyholder.loop.key_maker import KeyMakerThread, Task
from fuin.keyholder.loop.peer import Peer, PeerGone
from fuin.keyholder.loop.service import DeferredReply, KeyholderService, Reply
from fuin.keyholder.loop.slow_operations import SLOW_CODES, SlowOperationQueue, is_slow_operation
from fuin.keyholder.wire.sockets import peer_uid
from fuin.keyholder.wire.statuses import Status
from fuin.standard_error import write_line

PEER_LIMIT = 512
NOTICE_INTERVAL = 10.0  # seconds
TURN_LIMIT = 4 * 1024 * 1024  # bytes read in one turn, over all peers

Answer = tuple[int, int, Sequence[bytes]]  # correlation, status, fields
Outbox = list[tuple[Peer, list[Answer]]]  # answers that leave when the records of this turn are durable

_REFUSAL = (b"the audit log cannot be written",)
_NO_COPY = (b"the audit log cannot be copied to its second place",)


class KeyholderServer:
    """Serves the peers of one listening socket until SIGTERM; a disk that refuses the log does not end it."""

    def __init__(
        self, listener: socket.socket, service: KeyholderService, log: Log, copies: CopyWatch[Outbox] | None = None
    ) -> None:
        self._listener = listener
        self._service = service
        self._log = log
        self._copies = copies
        self._copier: tuple[Peer, int, DeferredReply] | None = None  # it waits for records
        self._selector = selectors.DefaultSelector()
        self._peers: set[Peer] = set()
        self._is_stopping = False
        self._wake_reader, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._key_maker = KeyMakerThread(self._wake_loop)
        self._slow_queue: SlowOperationQueue[tuple[Peer, int, int, list[bytes]]] = SlowOperationQueue()
        self._finished: list[tuple[Peer, int, Reply]] = []  # deferred replies that leave in this turn
        self._skipped_peers: dict[Peer, int] = {}  # by the last turn, which was full; in their order
        self._outage = OutageNotice(NOTICE_INTERVAL)
        self._copy_outage = OutageNotice(NOTICE_INTERVAL)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)

    def run(self) -> None:
        """Take turns until SIGTERM; the current turn is always finished."""
        if (failure := self._log.failure()) is not None:
            self._outage.report(outage_text(failure))
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        try:
            while not self._is_stopping:
                self.turn()
        finally:
            for peer in list(self._peers):
                self._drop(peer)
            self._key_maker.close()

    def turn(self) -> None:
        """Take one turn: read all, do all, record all, answer all."""
        outbox: Outbox = []
        uses: list[RecordedUse] = []
        size = 0
        ready = self._selector.select(self._delay())
        if self._skipped_peers:
            places, self._skipped_peers = self._skipped_peers, {}
            ready.sort(key=lambda event: places.get(event[0].data, len(places)))
        for key, events in ready:
            peer = key.data
            if peer is None:
                self._accept() if key.fileobj is self._listener else self._empty_wake_pipe()
            elif size <= TURN_LIMIT:
                size += self._serve(peer, events, outbox, uses)
            else:
                self._skipped_peers[peer] = len(self._skipped_peers)
        if self._slow_queue:
            self._serve_slow_operations(outbox, uses)
        self._key_maker.deliver_results()
        if self._finished:
            finished, self._finished = self._finished, []
            for peer, correlation, reply in finished:
                self._deliver(peer, correlation, reply, outbox, uses)
        if uses:
            for peer, answers in self._append_records(outbox, uses):
                self._send(peer, answers)
        elif self._log.retry_delay() == 0:
            self._try_log_again()
        if self._copies is not None:
            self._serve_copies(self._copies)

    def _delay(self) -> float | None:
        """Return for how many seconds the loop may wait for its sockets."""
        if self._slow_queue:
            return 0
        delay = self._log.retry_delay()
        if self._copies is not None and (held := self._copies.delay()) is not None:
            return held if delay is None else min(delay, held)
        return delay

    def _serve_copies(self, copies: CopyWatch[Outbox]) -> None:
        """Send the answers whose records have a copy now, refuse those that waited too long, and answer the copier."""
        copies.note_records()
        for outbox in copies.copied_answers():
            for peer, answers in outbox:
                self._send(peer, answers)
        for outbox in copies.late_answers():
            for peer, answers in _refusals(outbox, _NO_COPY):
                self._send(peer, answers)
        if (reason := copies.stop_reason()) is None:
            self._copy_outage.report_end("the audit log has its copies again")
        else:
            self._copy_outage.report(f"{reason}; no key is used until that is over")
        if self._copier is not None and copies.has_records_to_copy():
            (peer, correlation, deferred), self._copier = self._copier, None
            reply = deferred.finish(None)
            self._send(peer, [(correlation, reply.status, reply.fields)])

    def _try_log_again(self) -> None:
        """Try the log again although nobody asks for a key, so that health checks see when it works."""
        if self._log.try_again():
            self._outage.report_end("the audit log takes records again")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def _wake_loop(self) -> None:
        """Make `select` return; the key maker thread calls this. A full pipe does the same already."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writer, b"\0")

    def _empty_wake_pipe(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 4096)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again, or out of descriptors: the next turn tries once more
            return
        if peer_uid(connection) != os.geteuid() or len(self._peers) >= PEER_LIMIT:
            connection.close()
            return
        connection.setblocking(False)
        self._peers.add(Peer(connection, self._selector))

    def _drop(self, peer: Peer) -> None:
        self._peers.discard(peer)
        peer.close()

    def _serve(self, peer: Peer, events: int, outbox: Outbox, uses: list[RecordedUse]) -> int:
        """Read and do a peer's requests; returns the bytes read. Replies without a use are sent at once."""
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
        unrecorded: list[Answer] = []
        recorded: list[Answer] = []
        for correlation, code, fields in received:
            if code in SLOW_CODES and is_slow_operation(fields) and not self._slow_queue.is_full:
                self._slow_queue.add((peer, correlation, code, fields))
                continue
            reply = handle(code, fields)
            if isinstance(reply, DeferredReply):
                self._defer(peer, correlation, reply)
                continue
            status, answer, reply_uses = reply
            (recorded if reply_uses else unrecorded).append((correlation, status, answer))
            uses += reply_uses
        if recorded:
            outbox.append((peer, recorded))
        if unrecorded:
            self._send(peer, unrecorded)
        return size

    def _serve_slow_operations(self, outbox: Outbox, uses: list[RecordedUse]) -> None:
        """Do this turn's share of the slow operations; those of a peer that has gone are not done."""
        for peer, correlation, code, fields in self._slow_queue.take_share():
            if peer in self._peers:
                reply = self._service.handle(code, fields)
                if isinstance(reply, DeferredReply):
                    self._defer(peer, correlation, reply)
                else:
                    self._deliver(peer, correlation, reply, outbox, uses)

    def _defer(self, peer: Peer, correlation: int, deferred: DeferredReply) -> None:
        """Run the work of a deferred reply in the key maker thread; drop it if the peer has gone."""
        if deferred.work is await_records:
            self._copier = (peer, correlation, deferred)
            return

        def deliver(result: object) -> None:
            self._finished.append((peer, correlation, deferred.finish(result)))

        try:
            self._key_maker.submit(Task(deferred.work, lambda: peer in self._peers, deliver))
        except KeyholderUnavailable as error:
            deliver(error)

    def _deliver(self, peer: Peer, correlation: int, reply: Reply, outbox: Outbox, uses: list[RecordedUse]) -> None:
        """Send a reply, or put it into the outbox if it has uses to be recorded first."""
        answers: list[Answer] = [(correlation, reply.status, reply.fields)]
        if reply.uses:
            outbox.append((peer, answers))
            uses += reply.uses
        else:
            self._send(peer, answers)

    def _append_records(self, outbox: Outbox, uses: list[RecordedUse]) -> Outbox:
        """Append the records of a turn and return the answers that may leave; if there can be no record, refusals."""
        if self._copies is not None and self._copies.stop_reason() is not None:
            return _refusals(outbox, _NO_COPY)
        was_refusing = self._log.refusing
        try:
            self._log.append(uses)
        except OSError as error:
            self._outage.report(outage_text(error.strerror or str(error)))
            return _refusals(outbox, _REFUSAL)
        if was_refusing:
            self._outage.report_end("the audit log takes records again")
        if self._copies is not None and self._copies.waits:
            self._copies.hold(outbox)
            return []
        return outbox

    def _send(self, peer: Peer, answers: list[Answer]) -> None:
        if peer in self._peers:
            try:
                peer.send([frames.encode(*answer) for answer in answers])
            except PeerGone:
                self._drop(peer)


def _refusals(outbox: Outbox, reason: Sequence[bytes]) -> Outbox:
    return [
        (peer, [(correlation, Status.UNAVAILABLE, reason) for correlation, _, _ in answers]) for peer, answers in outbox
    ]


def outage_text(failure: str) -> str:
    """Return the message about a disk that refuses the log."""
    return f"the audit log cannot be written: {failure}; no key is used until it can"


class OutageNotice:
    """Reports an outage at most once in an interval, not with every request, and its end if it was reported."""

    def __init__(self, interval: float) -> None:
        self._interval = interval  # seconds
        self._next = 0.0
        self._is_reported = False

    def report(self, text: str) -> None:
        """Write the message, unless one was written within the interval."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval
            self._is_reported = True
            say(text)

    def report_end(self, text: str) -> None:
        """Write that the outage is over, if it was reported: a disk that comes and goes does not fill the log."""
        if self._is_reported:
            self._is_reported = False
            say(text)


def say(text: str) -> None:
    """Write one line to standard error, the server's log; never anything from a request."""
    write_line(f"fuin keyholder: {text}")
