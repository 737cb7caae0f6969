"""The real server with a wall clock that is eight days ahead: what it would destroy waits, and a person's word ends it.

The clock is turned in two ways: by libfaketime, which shifts most clocks of a process, and inside of Python, which
needs no package.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuin.audit import reader
from tests.conftest import ServerFactory
from tests.support.processes import wait_until
from tests.support.server import Server

DAYS = 8
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))

# Loaded by each Python process that finds it; children are given PYTHONPATH.
_TURNED = """
import pathlib, time
file, true, true_ns = pathlib.Path(__file__).with_name("ahead"), time.time, time.time_ns
time.time = lambda: true() + int(file.read_text())
time.time_ns = lambda: true_ns() + int(file.read_text()) * 10**9
"""

Turn = Callable[[int], dict[str, Any]]  # sets the clock ahead by so many days; returns what children need for it


def in_python(server: Server) -> Turn:
    """Return what turns the clock inside of Python."""
    folder = server.home / "turned"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_TURNED)

    def turn(days: int) -> dict[str, Any]:
        (folder / "ahead").write_text(str(days * 86400))
        return {"PYTHONPATH": str(folder)}

    return turn


def operations(server: Server) -> list[str]:
    """Return the operations on the record, oldest first."""
    return [str(entry.draft.get("operation")) for entry in reader.entries(server.data / "audit")]


def start(server: Server, variables: dict[str, str], until: str) -> None:
    """Start the server and wait until an operation is on the record that was not before."""
    before = operations(server).count(until)
    server.start(variables)
    wait_until(lambda: operations(server).count(until) > before, 60, f"a record of {until}")


def test_one_wrong_reading_destroys_nothing(new_server: ServerFactory) -> None:
    """A start eight days ahead ends no key; with a right clock one is taken back, and a person's word ends the other.

    The server says that it waits, in its log and on the record, and a command shows what waits.
    """
    server = new_server(workers=1).start()
    turn, kms, data = in_python(server), server.client("kms"), ["--data", str(server.data)]
    back, gone = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    for key in (back, gone):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    server.stop()
    with contextlib.closing(sqlite3.connect(server.data / "fuin.db", isolation_level=None)) as database:
        database.execute("DELETE FROM clock")  # as if an earlier Fuin had run: the log is the witness

    wrong = turn(DAYS)
    server.fuin("user", "add", "alice", *data, **wrong)  # leaves a record of a wrong time, but after the log was asked
    start(server, wrong, until="fuin:HoldClock")
    shown = json.loads(server.fuin("clock", "--json", *data, **wrong).stdout)
    assert shown["Held"] == "ahead"
    assert {arn.rpartition("/")[2] for arn in shown["Waiting"]["keys"]} == {back, gone}
    server.stop()
    assert "the wall clock is 8 days" in server.errors.read_text()
    assert "2 keys, 0 imported key materials, 0 rotations" in server.errors.read_text()
    assert "kms:DeleteKey" not in operations(server)

    start(server, turn(0), until="fuin:ReleaseClock")
    server.client("kms").cancel_key_deletion(KeyId=back)
    server.stop()

    wrong = turn(DAYS)
    asked = server.fuin("clock", "confirm", *data, check=False, **wrong)
    assert asked.returncode != 0, "nobody answered the question"
    assert (gone in asked.stdout, back in asked.stdout) == (True, False)
    assert "fuin:ConfirmClock" not in operations(server)
    server.fuin("clock", "confirm", "--yes", *data, **wrong)
    start(server, wrong, until="kms:DeleteKey")
    server.stop()
    said = operations(server)
    assert said.index("fuin:ConfirmClock") < said.index("kms:DeleteKey")
    assert said.count("kms:DeleteKey") == 2  # announced, and done


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (Debian: faketime)")
def test_all_clocks_of_a_process_shifted(new_server: ServerFactory) -> None:
    """libfaketime shifts what counts as well, but not all of it: the key is still there."""
    server = new_server(workers=1).start()
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    server.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    server.stop()
    (server.home / ".faketimerc").write_text(f"+{DAYS}d\n")  # children are not given its variables
    start(server, {"LD_PRELOAD": str(LIBRARIES[0])}, until="fuin:HoldClock")
    said = "1 keys, 0 imported key materials, 0 rotations"
    wait_until(lambda: said in server.errors.read_text(), 60, "a warning")
    server.stop()
    assert "kms:DeleteKey" not in operations(server)
