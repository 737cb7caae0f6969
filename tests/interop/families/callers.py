"""The three clients behind one signature: boto3, the `aws` command line and the AWS SDK for JavaScript."""

import base64
import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import botocore
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import get_session

from tests.support.server import AWS, REGION, REPOSITORY, Server, User

PROGRAMS = Path(__file__).parents[1]
JAVASCRIPT = REPOSITORY / ".venv-javascript"
_NEWER = {"Encapsulate", "Decapsulate"}  # operations that the model inside of awscli 1.46.3 does not have yet
_REFUSED = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation(?: \(.*?\))?: (.*)", re.DOTALL)


class Refused(Exception):
    """What a client makes of an error answer: its code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Caller(Protocol):
    """One client of one user: call it with an operation's name and members, as AWS's documentation names them.

    It returns the answer with bytes as bytes and dates as datetimes, and raises Refused for an error answer.
    """

    def __call__(self, operation: str, *, region: str = REGION, **members: Any) -> dict[str, Any]: ...

    def close(self) -> None:
        """End the processes and connections of the client."""


def code_of(kms: Caller, operation: str, **members: Any) -> str:
    """Return the code of the error that a call is answered with; raises AssertionError when it is answered well."""
    try:
        answer = kms(operation, **members)
    except Refused as refused:
        return refused.code
    raise AssertionError(f"{operation} was answered: {answer}")


class Boto3:
    """boto3."""

    def __init__(self, server: Server, user: User | None, _folder: Path) -> None:
        self._new: Callable[[str], Any] = lambda region: server.new_client("kms", user, region_name=region)
        self._clients: dict[str, Any] = {}  # by Region

    def __call__(self, operation: str, *, region: str = REGION, **members: Any) -> dict[str, Any]:
        """Call the client's method of that name."""
        if region not in self._clients:
            self._clients[region] = self._new(region)
        try:
            answer: dict[str, Any] = getattr(self._clients[region], xform_name(operation))(**members)
        except ClientError as error:
            told = error.response["Error"]
            raise Refused(told["Code"], told["Message"]) from None
        answer.pop("ResponseMetadata")
        return answer

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()


class _Lines:
    """A program that answers each line of JSON with one line of JSON."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], errors: Path) -> None:
        self._errors = errors
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                arguments, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True
            )

    def ask(self, question: Any) -> Any:
        """Return the answer to a line; raises AssertionError with the program's standard error when it ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the program ended:\n{self._errors.read_text()[-4000:]}"
        return json.loads(answer)

    def close(self) -> None:
        """Close its input, and wait for its end."""
        self._process.communicate(timeout=60)


class JavaScript:
    """`@aws-sdk/client-kms`, in Node.js."""

    def __init__(self, server: Server, user: User | None, folder: Path) -> None:
        variables = server.client_environment(user) | {"NODE_PATH": str(JAVASCRIPT / "node_modules")}
        program = PROGRAMS / "javascript" / "kms.cjs"
        self._lines = _Lines(["node", str(program)], variables, folder / "javascript.log")

    def __call__(self, operation: str, *, region: str = REGION, **members: Any) -> dict[str, Any]:
        """Send the command of that name."""
        done = self._lines.ask({"operation": operation, "region": region, "members": _tagged(members)})
        if "answer" not in done:
            raise Refused(done["code"], done["message"])
        answer: dict[str, Any] = _untagged(done["answer"])
        return answer

    def close(self) -> None:
        """End the program."""
        self._lines.close()


def _tagged(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"$date": value.isoformat()}
    if isinstance(value, Mapping):
        return {name: _tagged(member) for name, member in value.items()}
    return [_tagged(member) for member in value] if isinstance(value, list) else value


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(member) for member in value]
    if not isinstance(value, Mapping):
        return value
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$date" in value:
        return datetime.fromisoformat(value["$date"])
    return {name: _untagged(member) for name, member in value.items()}


class CommandLine:
    """`aws kms`, with options as its users write them: blobs as `fileb://`, structures as JSON, switches."""

    def __init__(self, server: Server, user: User | None, folder: Path) -> None:
        self._folder = folder
        config = folder / "aws-config"
        config.write_text("[default]\ncli_follow_urlparam = false\n")  # else it fetches values that begin with https://
        self._variables = server.client_environment(user) | {"AWS_CONFIG_FILE": str(config)}
        self._lines = self._program()
        self._newer: _Lines | None = None
        self._service = get_session().get_service_model("kms")

    def __call__(self, operation: str, *, region: str = REGION, **members: Any) -> dict[str, Any]:
        """Run the command of that name."""
        arguments = ["kms", xform_name(operation, "-"), "--region", region, "--output", "json"]
        for name, value in members.items():
            arguments += self._option(xform_name(name, "-"), value)
        done = self._lines_for(operation).ask(arguments)
        if done["status"] != 0:
            match = _REFUSED.search(done["errors"])
            assert match, f"aws {' '.join(arguments)}: {done['errors']}"
            raise Refused(match[1], match[2].strip())
        shape = self._service.operation_model(operation).output_shape
        answer: dict[str, Any] = _typed(json.loads(done["output"] or "{}"), shape)
        return answer

    def _program(self, **more: str) -> _Lines:
        arguments = [str(AWS.parent / "python"), str(PROGRAMS / "clients" / "aws_calls.py")]
        return _Lines(arguments, self._variables | more, self._folder / f"aws-{len(more)}.log")

    def _lines_for(self, operation: str) -> _Lines:
        """Return the program, for newer operations one that has botocore's service models, named by a variable."""
        if operation not in _NEWER:
            return self._lines
        if self._newer is None:
            self._newer = self._program(AWS_DATA_PATH=str(Path(botocore.__file__).parent / "data"))
        return self._newer

    def _option(self, name: str, value: Any) -> list[str]:
        if isinstance(value, bytes):
            file = self._folder / name
            file.write_bytes(value)
            return [f"--{name}", f"fileb://{file}"]
        if isinstance(value, bool):
            return [f"--{name}" if value else f"--no-{name}"]
        if isinstance(value, list) and all(isinstance(member, str) for member in value):
            return [f"--{name}", *value]
        if isinstance(value, list | dict):
            return [f"--{name}", json.dumps(value)]
        return [f"--{name}", value.isoformat() if isinstance(value, datetime) else str(value)]

    def close(self) -> None:
        """End the programs."""
        self._lines.close()
        if self._newer is not None:
            self._newer.close()


def _typed(value: Any, shape: Any) -> Any:
    if shape is None:
        return value
    if shape.type_name == "structure":
        return {name: _typed(member, shape.members.get(name)) for name, member in value.items()}
    if shape.type_name == "list":
        return [_typed(member, shape.member) for member in value]
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "timestamp":
        return datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value).astimezone()
    return value


CALLERS: dict[str, Callable[[Server, User | None, Path], Caller]] = {
    "aws": CommandLine,
    "boto3": Boto3,
    "javascript": JavaScript,
}
