"""`fuin user`, `fuin group` and `fuin role` over the wire."""

import json
from collections.abc import Callable

import pytest

from tests.cli.daily import Daily, new_user
from tests.support.policies import allow
from tests.support.server import Server


@pytest.fixture
def fuin(server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Daily:
    """Give the commands, as the account's root."""
    return Daily(monkeypatch, capfd).use(server)


def test_user(fuin: Daily, server: Server, unique: Callable[[str], str]) -> None:
    """A user is listed and shown, its keys come and go, and it is removed with all that it has."""
    name, group = unique("daily"), unique("group")
    user = new_user(server, name, allow("s3:ListAllMyBuckets"))
    assert name in fuin("user", "list").out
    fuin("group", "add", group)
    fuin("group", "join", group, name)
    key = json.loads(fuin("user", "key", "add", name, "--json").out)["AccessKeyId"]
    assert all(each in fuin("user", "key", "list", name).out for each in (key, user.access_key_id))
    shown = fuin("user", "show", name).out
    assert all(text in shown for text in (name, key, group, "tests"))
    fuin("user", "key", "remove", name, key)
    assert key not in fuin("user", "key", "list", name).out
    assert "give --yes" in fuin.refuse("user", "remove", name)
    fuin("user", "remove", name, "--yes")
    assert fuin.refuse("user", "show", name) == f"user {name} does not exist"
    fuin("group", "remove", group, "--yes")


def test_group_and_role(fuin: Daily, server: Server, unique: Callable[[str], str]) -> None:
    """Both are listed, shown and removed with what they have."""
    name, group, role = unique("member"), unique("group"), unique("role")
    new_user(server, name, allow("s3:ListAllMyBuckets"))
    fuin("group", "add", group)
    assert fuin.refuse("group", "add", group) == f"group {group} exists already"
    fuin("group", "join", group, name)
    assert name in fuin("group", "show", group).out
    fuin("group", "leave", group, name)
    assert name not in fuin("group", "show", group).out
    assert group in fuin("group", "list").out
    fuin("group", "remove", group, "--yes")
    assert fuin.refuse("group", "show", group) == f"group {group} does not exist"
    statement = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = server.client("iam")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=json.dumps(allow("s3:GetObject")))
    assert role in fuin("role", "list").out
    shown = fuin("role", "show", role).out
    assert "own" in shown
    assert "sts:AssumeRole" in shown
    fuin("role", "remove", role, "--yes")
    assert fuin.refuse("role", "show", role) == f"role {role} does not exist"
