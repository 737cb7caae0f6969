"""The keyholder's turns: nobody is passed over again and again, however much others send."""

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.audit.log import Log
from fuin.formats import frames
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.last_uses import LastUses
from fuin.keyholder.loop import server as server_module
from fuin.keyholder.loop.server import KeyholderServer
from fuin.keyholder.loop.service import KeyholderService
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.memory import UNUSED_LIMIT
from fuin.keyholder.sealed.root_key import RootKey
from fuin.keyholder.sealed.sessions import Sessions
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.sockets import bind_unix, connect_unix
from fuin.keyholder.wire.statuses import Status


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of the socket."""
    return tmp_path / "s"


@pytest.fixture
def server(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyholderServer]:
    """Give a keyholder's loop, whose turns the test takes; one turn has room for one peer that sends."""
    monkeypatch.setattr(server_module, "TURN_LIMIT", 0)
    monkeypatch.setattr("signal.set_wakeup_fd", lambda *_, **__: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    root = RootKey(bytearray(32))
    signer = AuditSigner(root)
    log = Log.open(tmp_path, signer.public_key, signer.sign, signer.check)
    last_uses = LastUses.open(root, tmp_path, log)
    service = KeyholderService(SoftwareBackend(root), Sessions(root), last_uses, log, signer.public_key)
    with bind_unix(path) as listener:
        made = KeyholderServer(listener, service, log)
        made._listener.setblocking(False)
        made._selector.register(listener, 1)
        yield made
        for peer in list(made._peers):
            made._drop(peer)
    log.close()


def answered(peer: socket.socket) -> bool:
    """Tell whether something has come, and take it."""
    try:
        return bool(peer.recv(1 << 20))
    except BlockingIOError:
        return False


def test_everybody_has_a_turn(server: KeyholderServer, path: Path) -> None:
    """When a turn is full before all were read, the next one begins with those who had to wait."""
    peers = [connect_unix(path) for _ in range(6)]
    for _ in peers:
        server.turn()
    served = [0] * len(peers)
    for _ in range(4 * len(peers)):
        for peer in peers:  # all of them have always something to say
            peer.send(frames.encode(1, requests.STATUS.code, ()))
        server.turn()
        for number, peer in enumerate(peers):
            served[number] += answered(peer)
    for peer in peers:
        peer.close()
    assert min(served) >= 3, served


def test_log_goes_on_with_nobody_asking(server: KeyholderServer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage of the disk the keyholder takes a turn of its own accord, and the log takes records again."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with connect_unix(path) as peer:
        server.turn()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            peer.send(frames.encode(1, requests.RECORD.code, [b"{}"]))
            server.turn()
        ((_, status, _),) = frames.Splitter().feed(peer.recv(1000))
        assert status == Status.UNAVAILABLE
        assert server._log.refusing
        rescue = threading.Timer(
            60, lambda: peer.send(frames.encode(2, requests.STATUS.code, ()))
        )  # of a turn without an end
        rescue.start()
        started = time.monotonic()
        server.turn()
        rescue.cancel()
        assert time.monotonic() - started < 40
        assert not server._log.refusing


def test_keys_that_nobody_uses_leave_with_nobody_asking_for_a_key(server: KeyholderServer, path: Path) -> None:
    """The supervisor's question for the status is enough: another node may have destroyed such a key."""
    backend = server._service._backend
    assert isinstance(backend, SoftwareBackend)
    spec = "SYMMETRIC_DEFAULT"
    ids = ("1234abcd-12ab-34cd-56ef-1234567890ab", "1234abcd-12ab-34cd-56ef-1234567890ac")
    made = [backend.seal_material(each, spec, backend.make_material(spec)) for each in ids]
    unused, used = (backend.material(material.encoded) for material in made)
    secret = backend._secret(backend.seal_secret("AKIDEXAMPLE", b"a secret access key"), "AKIDEXAMPLE")
    for item in (unused, secret):
        item.used -= UNUSED_LIMIT
    with connect_unix(path) as peer:
        server.turn()
        peer.send(frames.encode(1, requests.STATUS.code, ()))
        server.turn()
    assert not any(unused.key)
    assert not any(secret.key)
    assert any(used.key)
