"""Columns encrypted in the client by the page's own programs: what the database has, and what a key decides."""

import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from fuin.envelope.kms import KmsError
from fuin.errors import TamperedError
from tests.support import pages
from tests.support.postgres import USER, PostgresServer
from tests.support.server import Server

pytestmark = pytest.mark.real
PROGRAMS = pages.programs(pages.page("postgresql-columns").read_text(encoding="utf-8"))


@pytest.fixture
def modules(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Give the modules of the page, with the server as their KMS."""
    for name, value in server.client_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    found = {}
    for name in ("columns", "search", "sdk"):
        found[name] = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, found[name])
        exec(PROGRAMS[f"{name}.py"], found[name].__dict__)
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a database of its own with one encrypted column."""

    postgres: PostgresServer
    database: str

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment in which the programs of the page find the database."""
        server = self.postgres
        return {"PGHOST": str(server.folder), "PGPORT": str(server.port), "PGUSER": USER, "PGDATABASE": self.database}

    def put(self, row: int, message: bytes, mac: bytes = b"") -> None:
        """Write a row."""
        with self.postgres.connect(self.database) as db:
            db.execute("INSERT INTO patients VALUES (%s, %s, %s)", (row, message, mac))

    def get(self, row: int) -> bytes:
        """Return a row's value as the database has it."""
        with self.postgres.connect(self.database) as db:
            found = db.execute("SELECT diagnosis FROM patients WHERE id = %s", [row]).fetchone()
        assert found is not None
        message: bytes = found[0]
        return message

    def run(self, statement: str, parameters: list[Any] | None = None) -> list[Any]:
        """Run one statement; return its rows."""
        with self.postgres.connect(self.database) as db:
            done = db.execute(statement, parameters)
            return done.fetchall() if done.description is not None else []


@pytest.fixture
def table(postgres: PostgresServer) -> Iterator[Table]:
    """Give an empty table."""
    with postgres.database() as name:
        postgres.execute("CREATE TABLE patients (id bigint PRIMARY KEY, diagnosis bytea, mac bytea)", name)
        yield Table(postgres, name)


@pytest.fixture
def key(server: Server) -> str:
    """Give a KMS key's ARN."""
    arn: str = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


def test_database_has_ciphertext_only(table: Table, modules: dict[str, ModuleType], key: str) -> None:
    """A value is nowhere in the database's folder, not in its log either, and comes back whole."""
    columns, text, clear = modules["columns"], secrets.token_hex(16), secrets.token_hex(16)
    where = columns.place("patients", 1, "diagnosis")
    table.put(1, columns.seal(key, where, text), clear.encode())
    table.run("CHECKPOINT")
    stored = [path.read_bytes() for path in table.postgres.folder.rglob("*") if path.is_file()]
    assert sum(clear.encode() in one for one in stored) >= 2, "what is not encrypted is in the table and in the log"
    assert sum(text.encode() in one for one in stored) == 0
    assert columns.reveal(where, table.get(1)) == text


def test_moved_value_is_refused(table: Table, modules: dict[str, ModuleType], key: str) -> None:
    """A value opens in its own row, column and table only, also when its message is changed to name another row."""
    columns = modules["columns"]
    for row in (1, 2):
        table.put(row, columns.seal(key, columns.place("patients", row, "diagnosis"), f"of {row}"))
    table.run("UPDATE patients SET diagnosis = (SELECT diagnosis FROM patients WHERE id = 2) WHERE id = 1")
    with pytest.raises(TamperedError, match="does not contain row=1"):
        columns.reveal(columns.place("patients", 1, "diagnosis"), table.get(1))
    for name, value in (("table", "doctors"), ("column", "email")):
        with pytest.raises(TamperedError, match=f"does not contain {name}={value}"):
            columns.reveal(columns.place("patients", 2, "diagnosis") | {name: value}, table.get(2))
    changed = table.get(1).replace(b"row\x00\x012", b"row\x00\x011")
    assert changed != table.get(1)
    with pytest.raises(KmsError, match="InvalidCiphertextException"):
        columns.reveal(columns.place("patients", 1, "diagnosis"), changed)


def test_search_by_a_keyed_hash(table: Table, modules: dict[str, ModuleType], key: str, server: Server) -> None:
    """Equal values have equal hashes in one column, other columns have others, and another key gives others."""
    columns, index, kms = modules["columns"], modules["search"].index, server.client("kms")
    mac, other = (
        kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"] for _ in range(2)
    )
    for row, text in enumerate(["hay fever", "flu", "Hay Fever "]):
        sealed = columns.seal(key, columns.place("patients", row, "diagnosis"), text)
        table.put(row, sealed, index(mac, "patients", "diagnosis", text))
    wanted = index(mac, "patients", "diagnosis", "HAY FEVER")
    assert table.run("SELECT id FROM patients WHERE mac = %s ORDER BY id", [wanted]) == [(0,), (2,)]
    assert table.run("SELECT count(DISTINCT diagnosis) FROM patients") == [(3,)]
    others = {index(mac, "patients", "name", "flu"), index(mac, "doctors", "diagnosis", "flu")}
    others |= {index(other, "patients", "diagnosis", "flu"), index(mac, "patients", "diagnosis", "flu")}
    assert len(others) == 4


def test_disabled_key_and_another_one(
    table: Table, modules: dict[str, ModuleType], key: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a disabled key no value is read or written; what was encrypted again under another key is."""
    columns, kms = modules["columns"], server.client("kms")
    where = columns.place("patients", 1, "diagnosis")
    table.put(1, columns.seal(key, where, "hay fever"))
    kms.disable_key(KeyId=key)
    with pytest.raises(KmsError, match=r"refused Decrypt: DisabledException"):
        columns.reveal(where, table.get(1))
    with pytest.raises(KmsError, match=r"refused GenerateDataKey: DisabledException"):
        columns.seal(key, where, "flu")
    kms.enable_key(KeyId=key)
    new = kms.create_key()["KeyMetadata"]["Arn"]
    table.run("ALTER TABLE patients ADD email bytea")
    table.run("UPDATE patients SET email = diagnosis")  # it does not belong there
    for name, value in table.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["reencrypt.py", new])
    with pytest.raises(TamperedError, match="does not contain column=email"):
        exec(PROGRAMS["reencrypt.py"], {})
    email = columns.seal(key, columns.place("patients", 1, "email"), "alice@example.com")
    table.run("UPDATE patients SET email = %s", [email])
    exec(PROGRAMS["reencrypt.py"], {})
    kms.disable_key(KeyId=key)
    exec(PROGRAMS["reencrypt.py"], {})  # which asks nothing, since nothing is left
    assert columns.reveal(where, table.get(1)) == "hay fever"


def test_data_keys_come_under_another_key(
    table: Table, key: str, server: Server, monkeypatch: pytest.MonkeyPatch, modules: dict[str, ModuleType]
) -> None:
    """With data keys in a column of their own ReEncrypt is enough, and they stay bound to their rows."""
    kms = server.client("kms")
    context = [{"table": "notes", "row": str(row)} for row in range(2)]
    made = [kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=one) for one in context]
    table.run("CREATE TABLE notes (id bigint PRIMARY KEY, data_key bytea)")
    for row, one in enumerate(made):
        table.run("INSERT INTO notes VALUES (%s, %s)", [row, one["CiphertextBlob"]])
    for name, value in table.variables.items():
        monkeypatch.setenv(name, value)
    new = kms.create_key()["KeyMetadata"]["Arn"]
    monkeypatch.setattr(sys, "argv", ["rewrap.py", new])
    exec(PROGRAMS["rewrap.py"], {})
    blobs = [bytes(blob) for (blob,) in table.run("SELECT data_key FROM notes ORDER BY id")]
    opened = [kms.decrypt(CiphertextBlob=blob, EncryptionContext=one) for blob, one in zip(blobs, context, strict=True)]
    assert [one["Plaintext"] for one in opened] == [one["Plaintext"] for one in made]
    assert {one["KeyId"] for one in opened} == {new}
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=blobs[0], EncryptionContext=context[1])


def test_encryption_sdk_reads_and_writes_the_same(modules: dict[str, ModuleType], key: str) -> None:
    """The AWS Encryption SDK and the library open each other's values, and both refuse another place."""
    columns, sdk = modules["columns"], modules["sdk"]
    here, there = columns.place("patients", 1, "email"), columns.place("patients", 2, "email")
    assert sdk.reveal(key, here, columns.seal(key, here, "alice@example.com")) == "alice@example.com"
    message = sdk.seal(key, here, "alice@example.com")
    assert columns.reveal(here, message) == "alice@example.com"
    with pytest.raises(ValueError, match="does not belong"):
        sdk.reveal(key, there, message)
    with pytest.raises(TamperedError):
        columns.reveal(there, message)


def test_page_has_these_programs(tmp_path: Path) -> None:
    """Each program of the page is found by its name."""
    pages.write_programs(pages.page("postgresql-columns"), tmp_path)
    names = {"columns.py", "write.py", "read.py", "search.py", "reencrypt.py", "rewrap.py", "sdk.py"}
    assert {path.name for path in tmp_path.iterdir()} == names
