"""`fuin user` and `fuin account`: while the server runs, while it does not, and what they refuse."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from fuin.audit import reader
from tests.conftest import ServerFactory
from tests.support.policies import allow
from tests.support.server import Server, User


def test_users_are_added_while_no_server_runs(new_server: ServerFactory) -> None:
    """The command opens the root key itself, and the next server knows the user."""
    server = new_server().start()
    server.stop()
    made = json.loads(server.fuin("user", "add", "early", "--data", str(server.data), "--json").stdout)
    assert set(made) == {"UserName", "UserId", "Arn", "AccessKeyId", "SecretAccessKey"}
    server.start()
    sts = server.client("sts", User("early", made["AccessKeyId"], made["SecretAccessKey"]))
    assert sts.get_caller_identity()["Arn"] == made["Arn"]
    drafts = [entry.draft for entry in reader.entries(server.data / "audit")]
    before, after = [draft for draft in drafts if draft.get("operation") == "fuin:CreateUser"]
    assert (before["about"], before["request"]) == ("change", after["request"])
    assert after["commit"] > 0, "the log is no witness of the user"
    server.stop()


def test_a_policy_holds_when_the_command_returns(server: Server) -> None:
    """What the new policy takes away is refused in all workers from then on."""
    user = server.add_user("flipped", allow("kms:GenerateRandom"))
    kms = server.new_client("kms", user, retry=False)
    kms.generate_random(NumberOfBytes=1)
    server.set_policy("flipped", allow("kms:ListKeys"))
    for _ in range(10):
        with pytest.raises(ClientError, match="not authorized to perform: kms:GenerateRandom"):
            kms.generate_random(NumberOfBytes=1)
    kms.close()


def test_a_policy_with_anything_unknown_is_refused(server: Server, tmp_path: Path) -> None:
    """The old policy stays, and the message says what and where."""
    server.add_user("kept", allow("kms:GenerateRandom"))
    file = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NoSuch": {"a": "b"}}}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    done = server.fuin("user", "policy", "kept", str(file), "--data", str(server.data), check=False)
    assert done.returncode == 1
    assert "NoSuch" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["user", "add", "a b"], "64 letters"),
        (["user", "add", "twice"], "user twice exists already"),
        (["user", "policy", "nobody", __file__], "not valid JSON"),
        (["account", "add", "12"], "twelve digits"),
        (["account", "add", "123456789012"], "account 123456789012 exists already"),
        (["user", "add", "elsewhere", "--account", "999999999999"], "there is no account 999999999999"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_1(server: Server, arguments: list[str], says: str) -> None:
    """Errors that are meant are one line on standard error, without a traceback."""
    server.fuin("user", "add", "twice", "--data", str(server.data), check=False)
    done = server.fuin(*arguments, "--data", str(server.data), check=False)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_policy_that_is_no_text_is_refused(server: Server, tmp_path: Path) -> None:
    """A file of other bytes is named; it is no fault of the command."""
    (tmp_path / "policy.json").write_bytes(b"\xff")
    done = server.fuin("user", "policy", "x", str(tmp_path / "policy.json"), "--data", str(server.data), check=False)
    assert (done.returncode, done.stderr) == (1, f"fuin: {tmp_path}/policy.json is not a text in UTF-8\n")


def test_address_that_is_taken(server: Server, tmp_path: Path) -> None:
    """A second server at the same port says so, and makes nothing on the disk."""
    data = tmp_path / "data"
    done = server.fuin("serve", "--data", str(data), "--port", str(server.port), check=False)
    says = f"fuin: port {server.port} of 127.0.0.1 is taken by another program; --port takes another one\n"
    assert (done.returncode, done.stderr, data.exists()) == (1, says, False)


def test_a_folder_without_a_server_is_named(tmp_path: Path, server: Server) -> None:
    """A wrong --data makes nothing and says how the data would be made."""
    done = server.fuin("user", "add", "x", "--data", str(tmp_path / "none"), check=False)
    assert done.returncode == 1
    assert "fuin serve --data" in done.stderr
    assert not (tmp_path / "none").exists()


def test_another_account_is_apart(server: Server) -> None:
    """A second account's root neither sees nor uses the first one's keys."""
    other = server.add_account("210987654321")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    stranger = server.new_client("kms", other, retry=False)
    assert stranger.list_keys()["Keys"] == []
    with pytest.raises(ClientError, match="AccessDeniedException"):
        stranger.generate_data_key(KeyId=key, KeySpec="AES_256")
    stranger.close()
