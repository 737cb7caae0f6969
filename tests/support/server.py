"""The real server as a user runs it: `fuin serve` on loopback, its clients, and its end."""

import json
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from fuin.testing.kit.users import ACCOUNT, REGION, User, new_user
from tests.support import environment
from tests.support.processes import command, descendants, end_all, free_port, is_alive, wait_until

__all__ = ["ACCOUNT", "AWS", "FUIN", "REGION", "REPOSITORY", "TRUST", "Server", "User", "new_user", "run"]

REPOSITORY = Path(__file__).resolve().parents[2]
FUIN = REPOSITORY / ".venv" / "bin" / "fuin"
AWS = REPOSITORY / ".venv-aws" / "bin" / "aws"
# Where clients look for the certificates that they trust; a machine may set each of them for every process.
TRUST = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
START_LIMIT = 120.0  # seconds; a busy two-core machine starts Python processes slowly
STOP_LIMIT = 60.0


class Server:
    """One `fuin serve` and what tests do with it; `start` and `stop` may alternate on the same data.

    Attributes: `url`, `data` (the --data folder), `home` (the clients' home), `root` (the first account's access key),
    `certificate` (None over http), `output` and `errors` (the files of standard output and standard error).
    """

    def __init__(self, folder: Path, *, workers: int = 2, tls: bool = False, options: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.output = folder / "stdout.log"
        self.errors = folder / "stderr.log"
        self.root = new_user("root")
        self.tls = tls
        self.port = free_port()
        self._workers = workers
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._begin = 0  # of its output since the last launch
        self._clients: dict[tuple[str, str, bool], Any] = {}

    @property
    def url(self) -> str:
        """Return the endpoint; over TLS by name, since some clients match host names only."""
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path | None:
        """Return the self-signed certificate that TLS clients must trust."""
        return self.data / "tls" / "cert.pem" if self.tls else None

    @property
    def pid(self) -> int:
        """Return the supervisor's process id."""
        assert self._process is not None, "the server is not started"
        return self._process.pid

    def start(self, variables: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> "Server":
        """Start it and wait for its line `ready URL`; `variables` join the server's environment."""
        self.launch(variables, options)
        self.wait_ready()
        return self

    def launch(self, variables: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> None:
        """Start it and return at once."""
        arguments = [str(FUIN), "serve", "--data", str(self.data), "--port", str(self.port)]
        arguments += ["--workers", str(self._workers)] + (["--tls-self-signed"] if self.tls else [])
        arguments += [*self._options, *options]
        keys = {
            "FUIN_ROOT_ACCESS_KEY_ID": self.root.access_key_id,
            "FUIN_ROOT_SECRET_ACCESS_KEY": self.root.secret_access_key,
        }
        self._begin = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as output, self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                arguments,
                env=environment.clean(self.home, **keys, **(variables or {})),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,  # Ctrl-C ends the tests, and they end the server
            )

    def wait_ready(self) -> None:
        """Wait until it has said `ready URL` since its last launch."""
        begin = self._begin
        deadline = time.monotonic() + START_LIMIT
        while b"ready " not in self.output.read_bytes()[begin:]:
            assert self._process is not None
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                how = f"ended with {ended}" if ended is not None else f"was not ready in {START_LIMIT} s"
                raise AssertionError(f"fuin serve {how}; standard error:\n{self.errors.read_text()[-8000:]}")
            time.sleep(0.02)
        lines = self.output.read_bytes()[begin:].decode().splitlines()
        scheme = "https" if self.tls else "http"
        assert any(line.startswith(f"ready {scheme}://") and line.endswith(f":{self.port}") for line in lines), lines

    def stop(self) -> None:
        """Send SIGTERM and assert that it drains, exits 0, and leaves no process behind."""
        if self._process is None:
            return
        self.close_clients()
        tree = descendants(self._process.pid)
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            end_all([psutil.Process(process.pid), *tree])
            process.wait()
            raise AssertionError(f"fuin serve ignored SIGTERM for {STOP_LIMIT} s:\n{self._tail()}") from None
        left = [f"{child.pid} {command(child)}" for child in tree if is_alive(child)]
        end_all(tree)
        assert status == 0, f"fuin serve ended with {status}:\n{self._tail()}"
        assert not left, f"fuin serve left processes behind: {left}"

    def kill(self) -> None:
        """End the whole tree at once with SIGKILL, as a power cut would."""
        if self._process is None:
            return
        process, self._process = self._process, None
        tree = descendants(process.pid)
        process.kill()
        end_all(tree)
        process.wait()
        self.close_clients()

    def is_running(self) -> bool:
        """Return whether the supervisor runs."""
        return self._process is not None and self._process.poll() is None

    def _tail(self) -> str:
        return self.errors.read_text()[-8000:]

    def keyholder(self) -> psutil.Process:
        """Return the keyholder's process."""
        found = [child for child in descendants(self.pid) if "fuin.keyholder" in command(child)]
        assert len(found) == 1, f"expected one keyholder, found {found}"
        return found[0]

    def workers(self) -> list[psutil.Process]:
        """Return the workers' processes."""
        ignored = ("fuin.keyholder", "resource_tracker")
        return [child for child in descendants(self.pid) if not any(name in command(child) for name in ignored)]

    def wait_healthy(self, seconds: float = 60.0) -> None:
        """Wait until a key can be used again, after a worker or the keyholder was killed."""
        kms = self.client("kms")

        def answers() -> bool:
            try:
                kms.generate_random(NumberOfBytes=1)
            except Exception:
                return False
            return True

        wait_until(answers, seconds, "the server answers again")

    def client(self, service: str, user: User | None = None, *, retry: bool = True) -> Any:
        """Return a boto3 client, by default of the account's root; without `retry` each call is sent once."""
        who = user or self.root
        index = (service, who.access_key_id, retry)
        if index not in self._clients:
            self._clients[index] = self.new_client(service, who, retry=retry)
        return self._clients[index]

    def new_client(self, service: str, user: User | None = None, *, retry: bool = True, **options: Any) -> Any:
        """Return a boto3 client that the caller closes."""
        who = user or self.root
        retries = {"mode": "standard", "total_max_attempts": 5} if retry else {"total_max_attempts": 1}
        style = {"addressing_style": "path"}
        config = Config(retries=retries, s3=style, connect_timeout=10, read_timeout=60, **options)
        session = boto3.session.Session(who.access_key_id, who.secret_access_key, region_name=REGION)
        verify = str(self.certificate) if self.certificate else None
        return session.client(service, endpoint_url=self.url, config=config, verify=verify)

    def close_clients(self) -> None:
        """Close the clients that `client` has made."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def fuin(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a `fuin` verb; raises AssertionError with what it said when it fails."""
        return run([str(FUIN), *arguments], environment.clean(self.home, **variables), check=check)

    def add_user(self, name: str, policy: Mapping[str, Any] | None = None) -> User:
        """Add a user with an access key, and its inline policy, while the server runs."""
        user = new_user(name)
        keys = ["--access-key-id", user.access_key_id, "--secret-access-key", user.secret_access_key]
        self.fuin("user", "add", name, "--data", str(self.data), "--json", *keys)
        if policy is not None:
            self.set_policy(name, policy)
        return user

    def set_policy(self, name: str, policy: Mapping[str, Any]) -> None:
        """Replace a user's inline policy."""
        file = self.home / f"policy-{secrets.token_hex(4)}.json"
        file.write_text(json.dumps(policy))
        self.fuin("user", "policy", name, str(file), "--data", str(self.data))

    def add_account(self, account: str) -> User:
        """Add an account and return its root's access key."""
        user = new_user("root")
        keys = ["--access-key-id", user.access_key_id, "--secret-access-key", user.secret_access_key]
        self.fuin("account", "add", account, "--data", str(self.data), "--json", *keys)
        return user

    def client_environment(self, user: User | None = None) -> dict[str, str]:
        """Return the environment in which real AWS clients reach this server."""
        variables = (user or self.root).variables | {"AWS_ENDPOINT_URL": self.url}
        if self.certificate:
            variables |= dict.fromkeys(TRUST, str(self.certificate))
        return environment.clean(self.home, **variables)

    def aws(self, *arguments: str, user: User | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the real `aws` command line against this server."""
        return run([str(AWS), *arguments], self.client_environment(user), check=check)

    def blobs(self) -> Iterator[Path]:
        """Yield the files of the blob store, without its mark and the orphans."""
        return (path for path in sorted((self.data / "blobs").glob("[0-9a-f]/*/*")) if path.is_file())

    def orphans(self) -> list[Path]:
        """Return the blobs' files that the sweep has moved out of the way."""
        found = (self.data / "blobs" / "orphans").glob("*/*")
        return [path for path in sorted(found) if not path.name.startswith(("note", "."))]

    def verify_audit(self) -> str:
        """Run `fuin audit verify` and return what it said."""
        return self.fuin("audit", "verify", "--data", str(self.data)).stdout


def run(
    arguments: Sequence[str], variables: Mapping[str, str], *, check: bool = True, seconds: float = 600.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; raises AssertionError with both of its outputs when it fails.

    It has ten minutes, since a page's script calls the aws command line fifty times, which a busy machine does in two.
    """
    done = subprocess.run(
        arguments, env=variables, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False
    )
    if check and done.returncode != 0:
        line = " ".join(arguments)
        raise AssertionError(f"{line}\nended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done
