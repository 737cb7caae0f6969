"""`fuin key` and `fuin alias` against the real server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.daily import Daily, new_user
from tests.support.policies import allow
from tests.support.server import Server


@pytest.fixture
def fuin(server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Daily:
    """Give the commands, as the account's root."""
    return Daily(monkeypatch, capfd).use(server)


@pytest.fixture
def alias(fuin: Daily, unique: Callable[[str], str]) -> str:
    """Give the alias of a new key."""
    name = unique("alias/daily")
    fuin("key", "create", "--alias", name.removeprefix("alias/"), "--rotate", "--tag", "team=finance",
         "--description", "for tests")  # fmt: skip
    return name


def test_life_of_a_key(fuin: Daily, server: Server, alias: str) -> None:
    """It is made, shown, disabled, rotated, deleted and kept after all."""
    shown = fuin("key", "show", alias).out
    assert all(text in shown for text in (alias, "Enabled", "team=finance", "each 365 days", "for tests"))
    key = json.loads(fuin("key", "show", alias, "--json").out)["KeyId"]
    assert f"{key}  {alias}" in fuin("key", "list").out

    def state() -> str:
        return str(server.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])

    fuin("key", "disable", alias)
    assert state() == "Disabled"
    fuin("key", "enable", alias)
    fuin("key", "rotate", alias)
    fuin("key", "rotate", alias, "--every", "100")
    assert "each 100 days" in fuin("key", "show", alias).out
    fuin("key", "rotate", alias, "--off")
    assert "not by itself" in fuin("key", "show", alias).out
    assert "There is no terminal to ask at" in fuin.refuse("key", "delete", alias)
    assert state() == "Enabled"
    assert f"fuin key cancel-deletion {key}" in fuin("key", "delete", alias, "--yes", "--days", "7").out
    assert state() == "PendingDeletion"
    fuin("key", "cancel-deletion", alias)
    assert state() == "Disabled"


def test_rights_and_tags(fuin: Daily, alias: str, tmp_path: Path) -> None:
    """The policy goes out and in, grants and tags come and go."""
    file = tmp_path / "policy.json"
    file.write_text(fuin("key", "policy", "show", alias).out)
    fuin("key", "policy", "put", alias, file)
    assert json.loads(file.read_text())["Statement"]
    root = json.loads(fuin("key", "show", alias, "--json").out)["AWSAccountId"]
    principal = f"arn:aws:iam::{root}:root"
    made = fuin("key", "grants", "create", alias, "--to", principal, "--operation", "Decrypt", "--context", "a=b",
                "--name", "n").out.strip()  # fmt: skip
    assert [made, "n", principal, "Decrypt", "a=b"] == fuin("key", "grants", "list", alias).out.splitlines()[1].split()
    fuin("key", "grants", "revoke", alias, made)
    assert json.loads(fuin("key", "grants", "list", alias, "--json").out) == []
    fuin("key", "tags", "add", alias, "x=y")
    fuin("key", "tags", "remove", alias, "team")
    assert [line.split() for line in fuin("key", "tags", "list", alias).out.splitlines()] == [
        ["tag", "value"],
        ["x", "y"],
    ]


def test_alias(fuin: Daily, alias: str, unique: Callable[[str], str]) -> None:
    """An alias is made, moved and removed."""
    name = unique("second")
    other = fuin("key", "create").out.strip()
    fuin("alias", "create", name, alias)
    fuin("alias", "move", name, other)
    assert [f"alias/{name}", other.rpartition("/")[2]] in [
        line.split() for line in fuin("alias", "list").out.splitlines()
    ]
    fuin("alias", "remove", name)
    assert name not in fuin("alias", "list").out


def test_errors_of_keys(fuin: Daily, alias: str, tmp_path: Path) -> None:
    """Each says which key or alias it is about, and what is wrong."""
    for words, says in (
        (("key", "create", "--alias", alias),
         f"{alias} exists already: choose another name, or point it elsewhere with `fuin alias move`"),
        (("alias", "create", alias, alias), f"{alias} exists already"),
        (("alias", "remove", "none"), "alias/none does not exist"),
        (("key", "show", "alias/none"), "key alias/none does not exist"),
        (("key", "disable", "alias/none"), "key alias/none does not exist"),
        (("key", "policy", "put", alias, tmp_path / "none"), f"{tmp_path}/none does not exist"),
        (("key", "policy", "put", alias, tmp_path), f"{tmp_path} is a folder, not a file"),
        (("key", "grants", "revoke", alias, "0" * 64), f"grant {'0' * 64} does not exist"),
    ):  # fmt: skip
        assert fuin.refuse(*words) == says
    assert "NAME=VALUE" in fuin("key", "create", "--tag", "team", status=2).err
    assert "exclude each other" in fuin("key", "rotate", alias, "--off", "--every", "100", status=2).err
    file = tmp_path / "bad.json"
    file.write_text("{")
    assert "MalformedPolicyDocument" in fuin.refuse("key", "policy", "put", alias, file)


def test_credentials_and_endpoint(
    fuin: Daily, server: Server, monkeypatch: pytest.MonkeyPatch, unique: Callable[[str], str]
) -> None:
    """What is wrong with the caller's settings is said with the variable that has it."""
    user = new_user(server, unique("nobody"), allow("s3:GetObject"))
    fuin.use(server, user)
    assert "the list of keys is refused: User: " in fuin.refuse("key", "list")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert "AWS_SECRET_ACCESS_KEY" in fuin.refuse("key", "list")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAAAAAAAAAAAAAAAA")
    assert "this access key is not known there" in fuin.refuse("key", "list")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert fuin.refuse("key", "list").startswith("no AWS credentials: set AWS_ACCESS_KEY_ID")
    fuin.use(server)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "AWS_ENDPOINT_URL" in fuin.refuse("key", "list", "--endpoint-url", "http://127.0.0.1:9")
    assert "could not be found" in fuin.refuse("key", "list", "--profile", "none")
