"""The host's file, its records, the programs that it starts, and a server that does not answer."""

import json
import socket
from pathlib import Path

import pytest
from botocore.exceptions import NoCredentialsError

from fuin.host.configuration import HostConfiguration, read_configuration
from fuin.host.programs import HostError, ProgramError, run, succeeds
from fuin.host.records import Record, Records
from fuin.host.wire.clients import HostKms
from fuin.host.wire.refusals import Unreachable, translate
from fuin.host.wire.tasks import TaskWire
from fuin.secret import Secret
from tests.host.fakes import configuration

CONTENT = {
    "host_id": "i-0123456789abcdef0", "access_key_id": "AKIAHOST", "secret_access_key": "very secret",
    "endpoint_url": "http://127.0.0.1:8700", "region": "us-east-1",
}  # fmt: skip


def _write(tmp_path: Path, content: object, mode: int = 0o600) -> Path:
    file = tmp_path / "host.json"
    file.write_text(json.dumps(content) if not isinstance(content, str) else content)
    file.chmod(mode)
    return file


def test_configuration(tmp_path: Path) -> None:
    """What `fuin host add` prints is taken as it is; the secret is in no representation."""
    found = read_configuration(_write(tmp_path, CONTENT))
    assert (found.host_id, found.secret_access_key) == ("i-0123456789abcdef0", "very secret")
    assert (found.folder, found.discard) == (Path("/var/lib/fuin-volumes"), False)
    assert "very secret" not in repr(found)
    more = {"folder": str(tmp_path), "run_folder": "/run/x", "discard": True}
    found = read_configuration(_write(tmp_path, CONTENT | more))
    assert (found.folder, found.run_folder, found.discard) == (tmp_path, Path("/run/x"), True)


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (CONTENT, 0o640, "others may read"),
        (CONTENT, 0o604, "others may read"),
        ("no JSON", 0o600, "is not JSON"),
        (CONTENT | {"region": ""}, 0o600, "has no region"),
        ({"region": "x"}, 0o600, "has no host_id and no access_key_id and no secret_access_key and no endpoint_url"),
    ],
)
def test_wrong_configuration_is_refused(tmp_path: Path, content: object, mode: int, text: str) -> None:
    """A file that others may read is refused, and one that is incomplete; what is missing is named."""
    with pytest.raises(HostError, match=text):
        read_configuration(_write(tmp_path, content, mode))
    with pytest.raises(HostError, match="fuin host add"):
        read_configuration(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["../../etc/passwd", "vol-", "vol-0000000z", "snap-00000000", "", "vol-00000000/x"])
def test_id_that_is_no_id_names_no_file(tmp_path: Path, name: str) -> None:
    """Ids become names of files, so that nothing else is taken for one."""
    records = Records(tmp_path)
    with pytest.raises(HostError, match="is not the id of a volume"):
        records.find(name)
    with pytest.raises(HostError, match="is not the id of a snapshot"):
        records.checksums("vol-00000000", f"../{name}")


def test_records(tmp_path: Path) -> None:
    """A record is kept and forgotten; a half that a kill has left is none."""
    records = Records(tmp_path / "volumes")
    record = Record("vol-00000000", "/dev/sdb", "luks2", "/srv")
    assert records.find("vol-00000000") is None
    records.save(record)
    (tmp_path / "volumes" / "vol-11111111.new").write_text("{")
    assert records.list_all() == [record]
    assert [oct(file.stat().st_mode & 0o777) for file in (tmp_path / "volumes").glob("*.json")] == ["0o600"]
    records.remove("vol-00000000")
    assert records.list_all() == []


def test_secrets_go_by_pipes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program reads each secret from a pipe of its own; its arguments, its environment and its errors have none."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the user")
    secrets = [Secret(b"first secret"), Secret(b"second secret")]
    assert run(["cat", "{1}", "{0}"], secrets) == "second secretfirst secret"
    told = run(["sh", "-c", "cat /proc/self/cmdline; env", "sh", "{0}"], secrets)
    assert not any(word in told for word in ("first secret", "of the user"))
    with pytest.raises(ProgramError, match="sh failed: it went wrong") as error:
        run(["sh", "-c", "cat {0} >/dev/null; echo it went wrong >&2; exit 3", "sh"], secrets)
    assert (error.value.status, "secret" in repr(error.value)) == (3, False)
    assert not succeeds(["sh", "-c", "exit 1"])
    with pytest.raises(HostError, match="no-such-program is not installed"):
        run(["no-such-program"])


def _silent_server() -> tuple[socket.socket, HostConfiguration]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, configuration(Path("/nowhere"), f"http://127.0.0.1:{listener.getsockname()[1]}")


def test_server_that_is_not_there() -> None:
    """A refused connection is no refusal of a right."""
    listener, host = _silent_server()
    listener.close()
    with pytest.raises(Unreachable, match="the server cannot be reached"):
        TaskWire(host).describe()
    with pytest.raises(Unreachable):
        HostKms(host, patience=1).open_key(b"x", "vol-00000000", "arn:a")


def test_kms_that_is_silent_is_not_waited_for_beyond_the_patience() -> None:
    """A watch asks once, and for a part of its bound: a server that takes the connection and is silent is away."""
    listener, host = _silent_server()
    with listener, pytest.raises(Unreachable, match=r"[Rr]ead timeout"):
        HostKms(host, patience=0.3).open_key(b"x", "vol-00000000", "arn:a")


def test_missing_credentials_are_named() -> None:
    """Nobody looks for a server that is away; a watch still counts it as no answer."""
    error = translate(NoCredentialsError())
    assert isinstance(error, Unreachable)
    assert "no AWS credentials: set AWS_ACCESS_KEY_ID" in str(error)
