"""`fuin inspect`, `status`, `config show` and `doctor`."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fuin.cli.look import doctor
from fuin.cli.look.doctor import BAD, GOOD, WARNING
from fuin.envelope.stream import EncryptedDataKey, Sealer
from fuin.server import tls
from fuin.settings import Settings
from tests.cli.daily import Daily
from tests.support.server import Server

ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
def fuin(server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Daily:
    """Give the commands, as the account's root."""
    return Daily(monkeypatch, capfd).use(server)


def message(plaintext: bytes, frame_length: int) -> bytes:
    """Return an encrypted file under a key that nobody has."""
    entry = EncryptedDataKey.from_kms(ARN, b"b" * 100)
    sealer = Sealer(bytes(32), [entry], {"team": "finance"}, frame_length)
    return b"".join([sealer.header, *map(bytes, sealer.update(plaintext)), sealer.finish()])


@pytest.mark.parametrize(
    ("size", "frames"),
    [
        (0, ["final frame 1, 0 bytes"]),
        (1000, ["frame 1, each 1,000 bytes", "final frame 2, 0 bytes"]),
        (2500, ["frames 1 to 2, each 1,000 bytes", "final frame 3, 500 bytes"]),
    ],
)
def test_file_is_drawn(fuin: Daily, tmp_path: Path, size: int, frames: list[str]) -> None:
    """The picture has the key, the context and all frames."""
    file = tmp_path / "x.fuin"
    file.write_bytes(message(bytes(size), 1000))
    shown = fuin("inspect", file).out
    assert all(text in shown for text in (ARN, "team=finance", f"plaintext: {'' if size else '0 bytes'}", *frames))
    assert json.loads(fuin("inspect", file, "--json").out)["context"] == {"team": "finance"}


@pytest.mark.parametrize("length", [1, 39, 500, 1031, 1500])
def test_file_that_was_cut_off_is_seen(fuin: Daily, tmp_path: Path, length: int) -> None:
    """Whatever is missing at the end: there is no final frame."""
    file = tmp_path / "x.fuin"
    file.write_bytes(message(bytes(2500), 1000)[:-length])
    assert fuin.refuse("inspect", file) == "the message was cut off, or changed: it does not end with a final frame"


def test_other_files_are_named(fuin: Daily, tmp_path: Path) -> None:
    """A file that is no envelope, and one that does not exist."""
    assert fuin.refuse("inspect", __file__).startswith(f"{__file__} is not an encrypted file that Fuin can read: ")
    assert fuin.refuse("inspect", tmp_path / "none") == f"{tmp_path}/none does not exist"


def test_object_is_shown(fuin: Daily, server: Server, unique: Callable[[str], str]) -> None:
    """The key of an object, and the envelope if it is an encrypted file."""
    name = unique("looked-at")
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="x", Body=message(bytes(10), 1000), ServerSideEncryption="aws:kms")
    s3.put_object(Bucket=name, Key="empty", Body=b"")
    shown = fuin("inspect", f"s3://{name}/x").out
    assert "aws:kms" in shown
    assert ARN in shown
    assert "AES256" in fuin("inspect", f"s3://{name}/empty").out
    assert fuin.refuse("inspect", f"s3://{name}/none") == f"s3://{name}/none does not exist"


def test_status(fuin: Daily, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that the server is ready, and who asks; and what is wrong with either."""
    shown = fuin("status").out
    assert all(text in shown for text in (server.url, "arn:aws:iam::123456789012:root", "agree"))
    assert "Connection refused; see AWS_ENDPOINT_URL" in fuin.refuse("status", "--endpoint-url", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAAAAAAAAAAAAAAAA")
    assert "this access key is not known there" in fuin("status", status=1).out


def test_settings(fuin: Daily, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting has its source, and no secret is shown."""
    shown = fuin("config", "show").out
    assert [server.url, "AWS_ENDPOINT_URL"] == next(
        line.split()[2:] for line in shown.splitlines() if line.startswith("endpoint url")
    )
    assert server.root.access_key_id in shown
    assert server.root.secret_access_key not in shown
    monkeypatch.setenv("AWS_PROFILE", "none")
    assert "could not be found" in fuin.refuse("config", "show")


def test_doctor_of_a_server(fuin: Daily, server: Server, tmp_path: Path) -> None:
    """A server's folder is in order; what is unsafe has a line that says what to do, and status 1."""
    shown = fuin("doctor", "--data", server.data).out
    assert f"only this user may read {server.data}" in shown
    assert "no passphrase seals it" in shown
    weak = tmp_path / "passphrase"
    weak.write_text("x\n")
    weak.chmod(0o644)
    done = fuin("doctor", "--data", server.data, "--passphrase-file", weak, "--json", status=1)
    found = {
        (each["level"], each["text"].split(" ")[0]) for each in json.loads(done.out) if each["subject"] == str(weak)
    }
    assert found == {(BAD, "others"), (WARNING, "the")}
    assert fuin.refuse("doctor", "--data", tmp_path / "none").startswith(f"{tmp_path}/none is not a folder")


def test_doctor_of_permissions_and_passphrase(tmp_path: Path) -> None:
    """A folder that others may read, and a passphrase that lies in it."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)  # whatever mask this process has
    assert [finding.level for finding in doctor.check_permissions(Settings(data))] == [BAD]
    data.chmod(0o700)
    assert [finding.level for finding in doctor.check_permissions(Settings(data))] == [GOOD]
    file = data / "passphrase"
    file.write_text("correct horse battery staple\n")
    file.chmod(0o600)
    assert [finding.level for finding in doctor.check_passphrase(file, data)] == [BAD]
    assert [finding.level for finding in doctor.check_passphrase(file, tmp_path / "other")] == [GOOD]


@pytest.mark.parametrize(("free", "level"), [(10, BAD), (doctor._LITTLE - 1, WARNING), (doctor._LITTLE, GOOD)])
def test_doctor_of_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    """It is bad when it is full, and a warning before."""
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr("fuin.cli.look.doctor.shutil.disk_usage", lambda _: usage)
    assert [finding.level for finding in doctor.check_disk(tmp_path)] == [level]


@pytest.mark.parametrize(("state", "level"), [(5, WARNING), (0, GOOD), (-1, WARNING)])
def test_doctor_of_a_clock(monkeypatch: pytest.MonkeyPatch, state: int, level: str) -> None:
    """The kernel knows whether a time service keeps the clock right."""
    library = type("Library", (), {"adjtimex": staticmethod(lambda _: state)})
    monkeypatch.setattr("fuin.cli.look.doctor.ctypes.CDLL", lambda _: library)
    assert [finding.level for finding in doctor.check_clock()] == [level]


def test_doctor_of_certificates(tls_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate's end, and a private key that others may read."""
    settings = Settings(tls_server.data)
    assert [finding.level for finding in doctor.check_tls(settings, None, None)] == [GOOD]
    end = tls.read_end(tls_server.data / "tls" / "cert.pem")
    for now, level in ((end - 86400.0, WARNING), (end + 1.0, BAD)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert [finding.level for finding in doctor.check_tls(settings, None, None)] == [level]
    key = tmp_path / "key.pem"
    key.touch()
    key.chmod(0o644)
    assert next(doctor.check_tls(settings, None, key)).level == BAD
    assert [finding.level for finding in doctor.check_tls(Settings(tmp_path), None, None)] == [WARNING]
