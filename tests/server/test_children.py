"""What the server's processes take from where they are started: nothing that they do not need."""

import asyncio
import os
import signal
import stat
import time
from pathlib import Path

import pytest
from psycopg import pq

from fuin.server import children, pulse
from tests.conftest import ServerFactory
from tests.support.processes import wait_until

_TRAP = "import os\nos.abort()\n"
# What libpq reads, but Fuin always says: where the database is, and how a connection is made.
_DECIDED = {"PGAPPNAME", "PGCONNECT_TIMEOUT", "PGHOST", "PGHOSTADDR", "PGLOADBALANCEHOSTS", "PGPORT"} | {
    "PGTARGETSESSIONATTRS"
}


def test_a_server_takes_nothing_from_where_it_is_started(
    new_server: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules in the current folder are not run by the keyholder, the shell's secrets reach no child, cores are off."""
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for module in ("argparse", "struct", "uvicorn", "msgspec"):
        (hostile / f"{module}.py").write_text(_TRAP)
    monkeypatch.chdir(hostile)
    server = new_server(workers=1).start({"AWS_SECRET_ACCESS_KEY": "exported", "FUIN_SECRET_ACCESS_KEY": "exported"})
    children = [server.keyholder(), *server.workers()]
    assert not any("exported" in child.environ().values() for child in children)
    for pid in (server.pid, *(child.pid for child in children)):
        (line,) = [text for text in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in text]
        assert line.split()[4:6] == ["0", "0"]
    server.stop()


def test_who_connects_to_the_database_gets_what_libpq_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the password and what Fuin decides; a child without a database gets none of it."""
    known = {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    known |= {"PGSERVICEFILE", "PGSYSCONFDIR"}
    assert {"PGPASSFILE", "PGPASSWORD", "PGSSLKEY", "PGSSLROOTCERT", *_DECIDED} <= known
    for name in known:
        monkeypatch.setenv(name, "exported")
    monkeypatch.setenv("PGBACKREST_REPO1_S3_KEY_SECRET", "exported")
    got = {name for name, value in children.environment(reaches_database=True).items() if value == "exported"}
    assert got == known - _DECIDED - {"PGPASSWORD"}
    assert "exported" not in children.environment(reaches_aws=True).values()


def test_a_data_folder_open_to_others_is_closed(new_server: ServerFactory) -> None:
    """Anyone who could write in it could answer in the keyholder's place, and get secret access keys."""
    server = new_server(workers=1)
    for folder in (server.data, server.data / "run", server.data / "audit", server.data / "blobs"):
        folder.mkdir()
        folder.chmod(0o777)
    server.start()
    for folder in (server.data, *(path for path in server.data.iterdir() if path.is_dir())):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700, folder
    server.stop()


def test_a_stopped_child_takes_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server can be ended in order, and soon, although somebody has stopped one of its processes."""
    (tmp_path / "idle.py").write_text("import os, sys, time\nos.write(int(sys.argv[1]), b'ready\\n')\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def story() -> tuple[float, str]:
        child = await children.spawn("a child", "idle", lambda ready: [str(ready)], [])
        child.signal(signal.SIGSTOP)
        wait_until(lambda: pulse.state_of(child.pid) == "T", 60, "the child is stopped")
        started = time.monotonic()
        await children.stop(child)
        child.close()
        return time.monotonic() - started, child.ending()

    took, ending = asyncio.run(story())
    assert took < 30
    assert ending == "it was ended by SIGTERM"
