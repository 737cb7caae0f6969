"""The command line in this process, as `fuin` runs it: its exit status and what it prints."""

import json
from typing import NamedTuple

import botocore.loaders
import pytest

from fuin.cli import main
from tests.support.policies import Policy
from tests.support.server import Server, User


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


LOADER = botocore.loaders.Loader()


class Daily:
    """Runs commands as a user of a server."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capture = patch, capture
        patch.setattr("botocore.session.create_loader", lambda *_: LOADER)  # a process reads its models once
        patch.setattr(main, "_end_on_signals", lambda: None)  # the tests' own process keeps its handlers

    def use(self, server: Server, user: User | None = None) -> "Daily":
        """Ask this server, as this user or as the account's root."""
        who = user or server.root
        variables = who.variables | {"AWS_ENDPOINT_URL": server.url, "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in variables.items():
            self._patch.setenv(name, value)
        return self

    def __call__(self, *words: object, status: int = 0) -> Done:
        """Run a command and check its exit status."""
        self._capture.readouterr()
        self._patch.setattr("sys.argv", ["fuin", *map(str, words)])
        ended = 0
        try:
            main.main()
        except SystemExit as end:
            ended = end.code if isinstance(end.code, int) else int(bool(end.code))
        out, err = self._capture.readouterr()
        assert ended == status, f"fuin {' '.join(map(str, words))} ended with {ended}: {err or out}"
        return Done(ended, out, err)

    def refuse(self, *words: object) -> str:
        """Run a command that fails, and return its only line of error."""
        done = self(*words, status=1)
        lines = done.err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("fuin: ")
        return lines[0].removeprefix("fuin: ")


def new_user(server: Server, name: str, policy: Policy) -> User:
    """Return a new user with this policy, made over the wire."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="tests", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return User(name, key["AccessKeyId"], key["SecretAccessKey"])
