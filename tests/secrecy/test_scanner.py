"""The search itself: it finds what is there, in every form and place, or its silence would mean nothing."""

import base64
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrecy import memory
from tests.secrecy.needles import found, needle
from tests.secrecy.recorder import unix_relay

SECRET = os.urandom(30) + b"'\\"  # two bytes that Python writes in its own way


@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 5])
def test_every_form_is_found(before: int) -> None:
    """Raw, either half, hexadecimal, both alphabets of base 64 at any position, and as Python writes bytes."""
    one = needle("it", SECRET)
    text = os.urandom(before) + SECRET + os.urandom(7)
    assert found(text, [one]) == ["it"]
    assert found(SECRET[16:], [one]) == ["it"]
    assert found(text.hex().encode(), [one]) == ["it"]
    assert found(text.hex().upper().encode(), [one]) == ["it"]
    assert found(base64.b64encode(text), [one]) == ["it"]
    assert found(base64.urlsafe_b64encode(text), [one]) == ["it"]
    assert found(f"error: {text!r}".encode(), [one]) == ["it"]


def test_nothing_is_found_in_other_bytes() -> None:
    """Random bytes hold no needle."""
    assert found(os.urandom(1 << 20), [needle("it", SECRET)]) == []


def test_needle_does_not_show_its_secret() -> None:
    """A failing test prints names only."""
    assert repr(needle("it", SECRET)) == "Needle(it)"


def test_memory_of_another_process_is_searched() -> None:
    """A marker that another process holds, at any place of a large buffer, is found, and another is not."""
    script = (
        "import sys; secret = bytes.fromhex(sys.stdin.readline()); held = bytearray(9_000_000);"
        "held[8_388_600:8_388_632] = secret; del secret; print('ready', flush=True); sys.stdin.readline()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(SECRET.hex() + "\n")
        process.stdin.flush()
        process.stdout.readline()
        if not memory.may_read(process.pid):
            process.kill()
            pytest.skip("this user may not read another process's memory")
        hits = memory.search(process.pid, [needle("it", SECRET), needle("another", os.urandom(32))])
        process.kill()
    assert hits == {"it"}


def test_relay_forwards_and_records(tmp_path: Path) -> None:
    """A relay in front of a Unix socket keeps a copy of both directions and knows who connected."""
    path = tmp_path / "s.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    relay = unix_relay(path)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    server, _ = listener.accept()
    client.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"
    [conversation] = relay.conversations
    assert (bytes(conversation.sent), bytes(conversation.received)) == (b"question", b"answer")
    assert conversation.pid == os.getpid()
    for one in (client, server, listener):
        one.close()
    relay.close()
