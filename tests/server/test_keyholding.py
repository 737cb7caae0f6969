"""The keyholder's socket is found by everybody for as long as the server runs."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fuin.keyholder.wire.sockets import bind_unix, connect_unix
from fuin.server.keyholding import Listener, SocketGone
from fuin.settings import Settings
from tests.support.processes import wait_until
from tests.support.server import Server

LONG = os.environ.get("FUIN_LONG") == "1"


def reaches(path: Path, descriptor: int) -> bool:
    """Return whether a connection to a path reaches a listening socket."""
    with socket.socket(fileno=os.dup(descriptor)) as listener, connect_unix(path):
        listener.settimeout(1)
        try:
            listener.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the settings of a server that has its folders."""
    given = Settings(data=tmp_path / "data", account="123456789012", region="us-east-1")
    given.prepare()
    return given


def test_socket_stays_as_it_is(settings: Settings) -> None:
    """A keyholder that is replaced leaves its waiting connections to the next one."""
    with Listener(settings) as listener:
        descriptor = listener.descriptor()
        with connect_unix(settings.keyholder_socket), socket.socket(fileno=os.dup(descriptor)) as next_one:
            listener.check()
            assert listener.descriptor() == descriptor
            next_one.accept()[0].close()


@pytest.mark.parametrize("harm", ["file", "folder", "another"])
def test_socket_that_is_gone_is_made_again(
    settings: Settings, harm: str, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Deleted, deleted with its folder, or replaced by another's: it is noticed, and the next keyholder is found."""
    path = settings.keyholder_socket
    with Listener(settings) as listener:
        path.unlink()
        if harm == "folder":
            path.parent.rmdir()
        other = bind_unix(path) if harm == "another" else None
        with pytest.raises(SocketGone):
            listener.check()
        assert reaches(path, listener.descriptor())
        listener.check()
        if other is not None:
            other.close()
    assert f"{path} is gone, or no longer belongs to the keyholder; making it again" in capfd.readouterr().err


@pytest.mark.real
def test_keyholder_is_found_after_its_socket_was_deleted(new_server: Callable[..., Server]) -> None:
    """A server whose socket was deleted goes on, also when its keyholder ends after that."""
    server = new_server("gone", workers=1).start()
    kms = server.client("kms", retry=False)
    (server.data / "run" / "keyholder.sock").unlink()
    assert kms.generate_random(NumberOfBytes=1)
    server.keyholder().kill()
    server.wait_healthy()
    server.stop()
    server.verify_audit()


@pytest.mark.real
@pytest.mark.skipif(not LONG, reason="takes fifteen seconds: only in the long form")
def test_socket_that_is_gone_is_noticed(new_server: Callable[..., Server]) -> None:
    """A new worker could not find a keyholder that works, so it is replaced by one that can be found."""
    server = new_server("noticed", workers=1).start()
    path = server.data / "run" / "keyholder.sock"
    path.unlink()
    wait_until(path.exists, 60, "the socket is made again")
    server.workers()[0].kill()
    server.wait_healthy()
    server.stop()
