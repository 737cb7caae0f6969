"""Connections: the first host that can write, the settings of a session, and a connection that shows an old state."""

import contextlib
import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.store.engine import epoch, schema
from fuin.store.engine.leases import rows
from fuin.store.engine.leases.line import Line
from fuin.store.engine.leases.protocol import idle_limit
from fuin.store.engine.old_commits import remove_old_commits
from fuin.store.engine.postgres.address import Address
from fuin.store.engine.postgres.alone import Alone
from fuin.store.engine.postgres.connections import Connector, Link, disconnect, link_of
from fuin.store.engine.postgres.errors import Unreachable, is_lasting
from fuin.store.engine.postgres.postgres_engine import PostgresEngine
from fuin.store.engine.postgres.reader import PostgresReader
from fuin.store.errors import DatabaseAway, NoDatabase
from fuin.store.store import Store
from tests.store.postgres.conftest import NewNode
from tests.support.postgres import PostgresServer


def test_a_host_that_does_not_answer_is_passed_over(postgres: PostgresServer, database: str) -> None:
    """The next one is taken, and asked first from then on."""
    url = f"postgresql://postgres@127.0.0.1:1,127.0.0.1:{postgres.port}/{database}"
    connector = Connector(Address.parse(url), "a")
    conn = connector.connect()
    assert connector._next == 1
    link = link_of(conn)
    shown = link.run(
        "SHOW synchronous_commit; SHOW application_name; SHOW lock_timeout; SHOW idle_in_transaction_session_timeout"
    )
    assert [rows[0][0] for rows in shown] == ["on", "fuin/a", "5s", "700ms"]
    assert len(link.timeline) == 8
    assert (link.standbys, link.fsync) == ("", "off")
    disconnect(conn)
    connector.close()


def test_a_session_rests_in_a_transaction_for_less_than_the_bound(postgres: PostgresServer, database: str) -> None:
    """It holds a gate meanwhile, and so every revocation."""
    for bound, limit in ((0.2, "140ms"), (5.0, "700ms"), (0.0, "700ms")):
        connector = Connector(Address.parse(postgres.url(database)), "a", bound)
        conn = connector.connect()
        assert link_of(conn).run("SHOW idle_in_transaction_session_timeout") == [[(limit,)]]
        disconnect(conn)
        line = Line.connect(connector.address.hosts[0], 20)
        rows.set_up(line, 20, idle_limit(bound))
        assert line.ask("SHOW idle_in_transaction_session_timeout", 20) == [[(limit.encode(),)]]
        line.close()


def test_a_line_works_whatever_the_number_of_its_descriptor(postgres: PostgresServer, database: str) -> None:
    """A process that serves a thousand clients gives its next connection a number above 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2048, hard)), hard))
    with contextlib.ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        null = held.enter_context(open(os.devnull))
        while (number := os.dup(null.fileno())) < 1024:
            held.callback(os.close, number)
        held.callback(os.close, number)
        with contextlib.closing(Line.connect(Address.parse(postgres.url(database)).hosts[0], 20)) as line:
            assert line._pg.socket > 1024
            line.ask("LISTEN news; NOTIFY news, 'it works'", 20)
            assert line.wait(20)[0].text == "it works"


def test_a_server_that_only_reads_is_passed_over(postgres: PostgresServer, database: str) -> None:
    """A standby answers, but cannot confirm a write: nothing that it shows is believed."""
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match="read-only"):
        Connector(Address.parse(postgres.url(database)), "a").connect()


def test_faults_that_pass_are_known(postgres: PostgresServer, database: str) -> None:
    """A start waits for them; but not when a server has refused for good, unless another one admits this node."""
    here, nowhere = f"127.0.0.1:{postgres.port}", "127.0.0.1:1"

    def is_away(url: str) -> bool:
        with pytest.raises(Unreachable) as refused:
            Connector(Address.parse(url), "a").connect()
        return isinstance(refused.value, DatabaseAway)

    assert is_away(f"postgresql://postgres@{nowhere}/{database}")
    assert not is_away(f"postgresql://postgres@{here}/does_not_exist")
    assert not is_away(f"postgresql://postgres@{nowhere},{here}/does_not_exist")
    assert not is_away(f"postgresql://nobody@{here}/{database}")
    assert not is_away(f"postgresql://postgres@{here}/{database}?sslmode=require")
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert is_away(f"postgresql://postgres@{here},{nowhere}/{database}")
    postgres.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    assert is_away(f"postgresql://postgres@{here}/{database}")


@pytest.mark.parametrize(
    "text",
    [
        'FATAL:  password authentication failed for user "fuin"',
        "fe_sendauth: no password supplied",
        'FATAL:  Peer authentication failed for user "fuin"',
        "SSL error: certificate verify failed",
        'server certificate for "db1" does not match host name "db2"',
        "SSL error: tlsv1 alert unknown ca",
    ],
)
def test_refusals_that_last_are_known(text: str) -> None:
    """By the words of libpq and of the server, for a refused connection has no SQLSTATE."""
    assert is_lasting(psycopg.OperationalError(f"connection failed: {text}"))


@pytest.mark.parametrize(
    "text",
    [
        "could not receive data from server: Connection refused",
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is in recovery mode",
        "FATAL:  sorry, too many clients already",
        "session is read-only",
        "SSL SYSCALL error: EOF detected",
        'could not translate host name "db1" to address: Temporary failure in name resolution',
        'connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
    ],
)
def test_refusals_that_pass_are_known(text: str) -> None:
    """A server that starts, a standby and a way that is cut off are waited for."""
    assert not is_lasting(psycopg.OperationalError(f"connection failed: {text}"))


def test_no_host_is_unavailable(tmp_path: Path) -> None:
    """The error names the database without its password."""
    settings = Settings(data=tmp_path, database_url="postgresql://fuin:secret@127.0.0.1:1/kms")
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/kms") as refused:
        Store.open(settings)
    assert "secret" not in str(refused.value)


def test_an_empty_database_is_no_installation(postgres: PostgresServer, tmp_path: Path) -> None:
    """A command does not make one."""
    with postgres.database() as name:
        settings = Settings(data=tmp_path, database_url=postgres.url(name))
        with pytest.raises(NoDatabase):
            Store.open(settings, create=False)
        Store.open(replace(settings, node="a")).close()
        Store.open(settings, create=False).close()


def test_a_connection_with_an_older_state_is_replaced(postgres: PostgresServer, database: str) -> None:
    """This process knows of a later epoch than the server shows: it connects anew, and then gives up."""
    connector = Connector(Address.parse(postgres.url(database)), "a")
    membership = Alone(connector)
    reader = PostgresReader(connector, membership)
    known = reader.read(epoch.read_epoch)
    pids = {reader.read(_pid) for _ in range(3)}
    assert len(pids) == 1
    membership.learn_epoch(known + 1)
    with pytest.raises(StoreUnavailable, match="replaced"):
        reader.read(epoch.read_epoch)
    postgres.execute(f"UPDATE epoch SET value = {known + 1}", database)
    assert reader.read(epoch.read_epoch) == known + 1
    assert reader.read(_pid) not in pids
    reader.close()


def _pid(conn: Connection) -> int:
    return int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_read_runs_again_when_its_connection_was_ended(
    new_node: NewNode, postgres: PostgresServer, database: str
) -> None:
    """A server that was started again costs a read nothing but time."""
    store = new_node("a")
    pid = store.read_sync(_pid)
    postgres.execute(f"SELECT pg_terminate_backend({pid}, 10000)", database)
    assert store.read_sync(_pid) != pid
    store.catalog()


def test_old_commits_are_removed(new_node: NewNode) -> None:
    """Those of the last day stay."""
    store = new_node("a")
    store.write_sync(lambda conn: conn.execute(text("UPDATE buckets SET policy = 'x'")))
    assert store.write_sync(remove_old_commits) == 0
    assert store.write_sync(remove_old_commits, 0.0) > 0
    assert store.read_sync(lambda conn: len(conn.execute(schema.commits.select()).all())) == 1  # the removal's own


def test_what_serves_many_cannot_read_on_the_loop(new_node: NewNode) -> None:
    """A blocking read on the event loop's thread is a mistake, and is refused."""
    import asyncio

    store = new_node("a")

    async def story() -> None:
        store.read_sync(epoch.read_epoch)

    with pytest.raises(RuntimeError, match="event loop"):
        asyncio.run(story())


def test_a_command_waits_longer_for_a_connection(
    postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """It tries once, and nobody's request waits for it; a server has to answer while a host is silent."""
    limits: list[str] = []
    connect = Link.connect

    def note(*args: Any, **options: Any) -> Link:
        limits.append(options["connect_timeout"])
        return connect(*args, **options)

    monkeypatch.setattr(Link, "connect", note)
    address = Address.parse(postgres.url(database))
    for membership in (None, Alone(Connector(address, "a"), None)):
        with contextlib.suppress(NoDatabase):
            PostgresEngine(address, "a", membership).prepare(create=False)
    assert limits == ["10", "2"]
