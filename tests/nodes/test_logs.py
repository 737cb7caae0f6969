"""The logs of whole nodes: answers wait for the second place, and each node's log is seen from everywhere."""

import json
import signal
import time
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.nodes.conftest import Installation, get_json
from tests.support import fake_s3
from tests.support.processes import wait_until


def data_keys(installation: Installation, node: str, count: int) -> list[str]:
    """Have a node make data keys; return the ids of the requests that were answered."""
    kms = installation.node(node).client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    answers = [kms.generate_data_key(KeyId=key, KeySpec="AES_256") for _ in range(count)]
    return [answer["ResponseMetadata"]["RequestId"] for answer in answers]


def test_logs_of_all_nodes(empty: Installation, tmp_path: Path) -> None:
    """With `--audit cluster`, a killed node's records are all in the copies, and any machine explains its requests."""
    empty.init()
    for node in ("a", "b"):
        empty.node(node).start(empty.variables(), ["--audit", "cluster"])
    requests = data_keys(empty, "b", 10)
    empty.node("b").kill()
    place = ("--data", str(tmp_path / "nothing"), "--database", empty.url)
    _, said = empty.fuin("audit", "show", "--tail", "1000", "--json", "--operation", "kms:GenerateDataKey", *place)
    shown = [json.loads(line) for line in said.splitlines()]
    assert {one["request"] for one in shown if one["node"] == "b"} >= set(requests)
    _, said = empty.fuin("explain", requests[-1], "--data", str(empty.data("a")), "--database", empty.url)
    assert "on the node b" in " ".join(said.split())
    _, said = empty.fuin("audit", "verify", "--data", str(empty.data("a")))
    assert "a: its copies agree" in said
    assert "b: head" in said


def test_bucket_that_is_away(empty: Installation) -> None:
    """Each service answers with a 5xx that clients try again; `/health` says why, and all goes on by itself."""
    empty.init()
    node = empty.node("a").start(empty.variables(), ["--audit", "cluster"])
    data_keys(empty, "a", 1)
    empty.bucket.fail(lambda request: request.command == "PUT", fake_s3.busy, times=1_000_000)
    began = time.monotonic()
    for service, call in (("kms", "list_keys"), ("s3", "list_buckets"), ("iam", "list_users")):
        with pytest.raises(ClientError) as error:
            getattr(node.client(service, retry=False), call)()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert time.monotonic() - began < 60
    empty.bucket.before = lambda _: False
    wait_until(lambda: _works(empty), 60, "the node answers again")


def test_copies_that_fail_for_longer_than_the_limit(empty: Installation) -> None:
    """Keys are used until then, and afterwards all services refuse; all goes on when there are copies again."""
    empty.init()
    node = empty.node("a").start(empty.variables(), ["--audit-copy-limit", "5"])
    kms = node.client("kms", retry=False)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    empty.bucket.fail(lambda request: request.command == "PUT", fake_s3.busy, times=1_000_000)
    began, uses = time.monotonic(), 0
    refused: ClientError | None = None
    while refused is None and time.monotonic() - began < 60:
        try:
            kms.generate_data_key(KeyId=key, KeySpec="AES_256")
            uses += 1
        except ClientError as error:
            refused = error
    assert refused is not None
    assert uses > 0
    assert time.monotonic() - began > 4
    assert _code_and_status(refused) == ("ServiceUnavailable", 503)
    for service, call in (("kms", "list_keys"), ("s3", "list_buckets"), ("iam", "list_users")):
        with pytest.raises(ClientError) as also:
            getattr(node.client(service, retry=False), call)()
        assert _code_and_status(also.value) == ("ServiceUnavailable", 503)
    status, parts = get_json(f"{node.url}/health/ready")
    assert (status, parts["audit log"]) == (503, "takes no records")
    assert get_json(f"{node.url}/health/live")[0] == 200
    empty.bucket.before = lambda _: False
    wait_until(lambda: _works(empty), 60, "the node answers again")
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def _code_and_status(error: ClientError) -> tuple[str, int]:
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def _works(installation: Installation) -> bool:
    try:
        installation.node("a").client("kms", retry=False).list_keys()
    except ClientError:
        return False
    return True


def test_copier_that_hangs_is_replaced(empty: Installation) -> None:
    """A stopped copier is replaced after some seconds, and answers go on."""
    empty.init()
    node = empty.node("a").start(empty.variables(), ["--audit", "cluster"])
    tree = psutil.Process(node.pid).children()
    (copier,) = (child for child in tree if "fuin.server.log_copier" in child.cmdline())
    copier.send_signal(signal.SIGSTOP)
    wait_until(lambda: not copier.is_running() or copier.status() == psutil.STATUS_ZOMBIE, 30, "it is replaced")
    wait_until(lambda: _works(empty), 60, "the node answers again")
