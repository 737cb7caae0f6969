"""The stage: a server in a temporary folder, people with access keys, and commands that are shown and run."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
FUIN = ROOT / ".venv" / "bin" / "fuin"
PYTHON = ROOT / ".venv" / "bin" / "python"
AWS = ROOT / ".venv-aws" / "bin" / "aws"
LONGEST_SHOWN = 480  # characters of an output line


@dataclass(frozen=True)
class Person:
    """Somebody with an access key."""

    name: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


class Unexpected(Exception):
    """A command did not end as the demo announced."""


class Stage:
    """A running server and a folder to work in; `aws` and `fuin` show a command, run it and show its output."""

    def __init__(self, folder: Path, url: str, root: Person) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.url = url
        self.root = root

    def aws(self, person: Person, *arguments: str, fails: bool = False, show: bool = True) -> str:
        """Run the aws command line as `person` and return its output; `fails` says whether it must fail."""
        return self.run(f"{person.name}$", [str(AWS), *arguments], self.environment(person), fails=fails, show=show)

    def fuin(self, *arguments: str, show: bool = True) -> str:
        """Run the fuin command on the server's data."""
        return self.run("$", [str(FUIN), *arguments, "--data", str(self.data)], clean(), fails=False, show=show)

    def python(self, person: Person, script: str, *arguments: str) -> str:
        """Run one of the demo's scripts as `person`."""
        command = [str(PYTHON), str(ROOT / "demo" / script), *arguments]
        return self.run(f"{person.name}$", command, self.environment(person), fails=False, show=True)

    def user(self, name: str, *statements: dict[str, Any]) -> Person:
        """Make a user and put the statements as the user's policy."""
        made = json.loads(self.fuin("user", "add", name, "--json", show=False))
        self.policy(name, *statements)
        return Person(name, made["AccessKeyId"], made["SecretAccessKey"])

    def policy(self, name: str, *statements: dict[str, Any]) -> None:
        """Replace a user's policy and show what the user may do now."""
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **rest} for rest in statements]}
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(document, indent=1))
        rights = sorted(action for rest in statements for action in rest["Action"])
        say(f"{name} may: {', '.join(rights)}")
        self.fuin("user", "policy", name, str(file), show=False)

    def environment(self, person: Person) -> dict[str, str]:
        """Return the few variables that a client of this server needs."""
        return clean() | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": person.access_key_id,
            "AWS_SECRET_ACCESS_KEY": person.secret_access_key,
            "AWS_CONFIG_FILE": str(self.folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def run(
        self, prompt: str, command: Sequence[str], environment: dict[str, str], *, fails: bool = False,
        show: bool = True,
    ) -> str:  # fmt: skip
        """Show a command, run it, show its output and return it; `fails` says whether it must fail."""
        if show:
            print(f"  {prompt} {self._command_text(command)}", flush=True)
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=600
        )
        output = (done.stdout if not fails else done.stderr).strip()
        if show and output:
            print("\n".join(self._lines(line) for line in output.splitlines() if line.strip()), flush=True)
        if (done.returncode != 0) != fails:
            raise Unexpected(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return output

    def _command_text(self, command: Sequence[str]) -> str:
        words = [Path(command[0]).name, *command[1:]]
        return shlex.join(words).replace(str(self.data), "DATA").replace(str(ROOT) + "/", "").replace("DATA/", "DATA/")

    def _lines(self, line: str) -> str:
        line = line.replace(str(self.data), "DATA")
        shown = line if len(line) <= LONGEST_SHOWN else f"{line[:LONGEST_SHOWN]}…"
        return textwrap.fill(shown, 118, initial_indent="      ", subsequent_indent="        ", break_on_hyphens=False)


def clean() -> dict[str, str]:
    """Return this process's environment without the variables that configure AWS clients, certificates or Fuin."""
    ours = ("AWS_", "FUIN_", "REQUESTS_CA", "CURL_CA", "SSL_CERT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "PYTHONWARNINGS": "ignore"
    }


def scene(title: str) -> None:
    """Print a scene's heading."""
    print(f"\n━━ {title}", flush=True)


def say(text: str) -> None:
    """Print a line of the story."""
    print(f"  · {text}", flush=True)


@contextlib.contextmanager
def open_stage() -> Iterator[Stage]:
    """Start a server on the embedded defaults in a temporary folder; both end with the demo."""
    with tempfile.TemporaryDirectory(prefix="fuin-demo-") as name:
        folder = Path(name)
        command = [str(FUIN), "serve", "--data", str(folder / "data"), "--port", "0", "--workers", "2"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean(), text=True)
        try:
            url, root = _read_start(server)
            yield Stage(folder, url, root)
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(timeout=60)
        if status != 0:
            raise Unexpected(f"the server ended with {status}")


def _read_start(server: subprocess.Popen[str]) -> tuple[str, Person]:
    words: dict[str, str] = {}
    assert server.stdout is not None
    started = time.monotonic()
    for line in server.stdout:
        if line.startswith("ready "):
            return line.split()[1], Person("root", words["AWS_ACCESS_KEY_ID"], words["AWS_SECRET_ACCESS_KEY"])
        if "export " in line:
            words |= dict(pair.split("=", 1) for pair in line.split("export ", 1)[1].split() if "=" in pair)
        if time.monotonic() - started > 60:
            break
    sys.exit("the server did not start")
