"""`fuin audit` and `fuin explain` with many nodes: all logs are seen from each node, and from the copies alone."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fuin.audit.copier import LogCopier
from fuin.audit.log import Log
from fuin.audit.segments import segments
from fuin.blobs.configuration import configured_copies
from fuin.cli.whole import app
from fuin.server.log_copying import note_place
from fuin.settings import Settings
from fuin.testing.kit.users import User
from tests.audit.logs import SIGNER, use
from tests.blobs.conftest import fake, use_credentials
from tests.support.fake_s3 import FakeS3

__all__ = ["fake"]


class Node:
    """A node's data folder with a log that is copied when a test says so."""

    def __init__(self, folder: Path, name: str, bucket: FakeS3) -> None:
        self.settings = Settings(data=folder, node=name, blobs_url="s3://bucket/p", blobs_endpoint=bucket.url)
        self.settings.audit.mkdir(parents=True)
        note_place(self.settings)
        self.log = Log.open(self.settings.audit, SIGNER.public_key, SIGNER.sign, SIGNER.check)

    def record(self, request: str, operation: str = "kms:Decrypt") -> None:
        """Write a record."""
        draft = {"request": request, "operation": operation, "principal": "arn:root"}
        text = json.dumps(draft, separators=(",", ":")).encode()
        self.log.append([use(0)._replace(draft=text)])

    def copy(self) -> None:
        """Copy the log."""
        copier = LogCopier(self.settings.audit, configured_copies(self.settings), self.settings.node)
        copier.resume(SIGNER.public_key)
        copier.copy(self.log.position)


@pytest.fixture
def pair(tmp_path: Path, bucket: FakeS3) -> Iterator[tuple[Node, Node]]:
    """Give two nodes that have answered requests in turn, both copied."""
    first, second = Node(tmp_path / "one", "one", bucket), Node(tmp_path / "two", "two", bucket)
    for number in range(6):
        (first, second)[number % 2].record(f"q-{number}")
        time.sleep(0.001)  # so that their times differ
    first.copy()
    second.copy()
    yield first, second
    first.log.close()
    second.log.close()


@pytest.fixture
def bucket(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    """Give the bucket of the copies."""
    use_credentials(monkeypatch, User("x", "AKIDEXAMPLE", "secret"))
    return fake


def run(*words: str | Path, fails: bool = False) -> Result:
    """Run a command."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert (done.exit_code != 0) == fails, done.output
    return done


def test_all_nodes_are_shown_by_time(pair: tuple[Node, Node]) -> None:
    """From any node, with the node's name in each line and object."""
    for node in pair:
        done = run("audit", "show", "--data", node.settings.data, "--tail", "4", "--json")
        shown = [json.loads(line) for line in done.stdout.splitlines()]
        assert [(one["node"], one["request"]) for one in shown] == [
            ("one", "q-2"), ("two", "q-3"), ("one", "q-4"), ("two", "q-5"),
        ]  # fmt: skip
    chosen = run("audit", "show", "--data", pair[0].settings.data, "--operation", "kms:Decrypt").stdout.splitlines()
    assert [line.split()[0] for line in chosen] == ["one", "two"] * 3


def test_copies_alone_are_enough(pair: tuple[Node, Node], bucket: FakeS3, tmp_path: Path) -> None:
    """On a machine with no node at all."""
    place = ("--data", tmp_path / "nothing", "--blobs", "s3://bucket/p", "--blobs-endpoint", bucket.url)
    assert "q-5" in run("audit", "show", *place).stdout
    told = run("audit", "verify", *place).stdout
    for node in pair:
        name, position = node.settings.node, node.log.position
        assert f"{name}: head {position.sequence}:{position.head.hex()}" in told
        assert f"{name}: 8 records in 1 segments, all signatures good, from its copies" in told
    assert "on the node two" in " ".join(run("explain", "q-3", *place).stdout.split())


def test_verify_compares_folder_and_copies(pair: tuple[Node, Node]) -> None:
    """The own folder may be ahead of its copies; the others are verified from theirs."""
    first, second = pair
    copied = first.log.position.sequence
    first.record("q-9")
    told = run("audit", "verify", "--data", first.settings.data).stdout
    assert f"one: head {first.log.position.sequence}:{first.log.position.head.hex()}" in told
    assert f"one: its copies agree, up to record {copied}" in told
    assert f"two: head {second.log.position.sequence}:" in told


def test_older_folder_does_not_verify(pair: tuple[Node, Node]) -> None:
    """A folder that lacks a record of its copies: the copies are the note that was kept elsewhere."""
    first, _ = pair
    (segment,) = segments(first.settings.audit)
    whole = segment.path.read_bytes()
    before, length = first.log.position, len(whole)
    first.record("q-9")
    first.copy()
    segment.path.write_bytes(segment.path.read_bytes()[:length])
    done = run("audit", "verify", "--data", first.settings.data, fails=True)
    assert f"one: the folder lacks record {before.sequence + 2} of its copies" in str(done.exception)


def test_changed_copy_of_another_node_does_not_verify(pair: tuple[Node, Node], bucket: FakeS3) -> None:
    """Each problem names its node."""
    for name, (content, when) in list(bucket.objects.items()):
        if "/two/" in name:
            bucket.objects[name] = (content.replace(b"q-1", b"q-0"), when)
    done = run("audit", "verify", "--data", pair[0].settings.data, fails=True)
    assert str(done.exception).startswith("two: 0000000000000001.log: record")
    assert "one: its copies agree" in done.stdout


def test_noted_heads_of_nodes(pair: tuple[Node, Node], bucket: FakeS3) -> None:
    """A head is noted with the name of its node; copies that are gone are a problem then."""
    first, second = pair
    heads = [
        f"{node.settings.node}={node.log.position.sequence}:{node.log.position.head.hex()}" for node in (first, second)
    ]  # fmt: skip
    place = ("--data", first.settings.data)
    run("audit", "verify", *place, "--expect", heads[0], "--expect", heads[1])
    wrong = heads[1].replace("two=", "one=")
    assert "not the one that was noted" in str(
        run("audit", "verify", *place, "--expect", wrong, fails=True).exception
    )  # fmt: skip
    for name in [name for name in bucket.objects if "/two/" in name]:
        del bucket.objects[name]
    assert "two: has no copies yet" in run("audit", "verify", *place).stdout
    gone = run("audit", "verify", *place, "--expect", heads[1], fails=True)
    assert "two: there are no copies" in str(gone.exception)
    unknown = run("audit", "verify", *place, "--expect", heads[1].replace("two", "three"), fails=True)
    assert "no log of three" in str(unknown.exception)


def test_explain_finds_the_node(pair: tuple[Node, Node]) -> None:
    """A request that another node has answered is found in the copies of its log."""
    told = " ".join(run("explain", "q-1", "--data", pair[0].settings.data).stdout.split())
    assert "on the node two" in told
    (shown,) = json.loads(run("explain", "q-0", "--data", pair[1].settings.data, "--json").stdout)
    assert shown["node"] == "one"
    run("explain", "q-99", "--data", pair[0].settings.data, fails=True)
