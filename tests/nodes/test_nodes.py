"""The main job across two nodes: what one does, the other one knows at once; and one goes on without the other."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import new_user
from tests.nodes.conftest import Installation
from tests.support.processes import wait_until


@pytest.fixture(scope="module")
def clients(installation: Installation) -> dict[str, Any]:
    """Give clients of both nodes, which send each call once."""
    return {
        f"{service} {name}": installation.node(name).client(service, installation.root, retry=False)
        for service in ("kms", "s3", "iam")
        for name in ("a", "b")
    }


def test_key_of_one_node_works_on_the_other_at_once(clients: dict[str, Any]) -> None:
    """A key is made on a and used on b, disabled on a and refused on b, enabled on b and used on a."""
    made = clients["kms a"].create_key()["KeyMetadata"]["KeyId"]
    sealed = clients["kms b"].encrypt(KeyId=made, Plaintext=b"secret")["CiphertextBlob"]
    assert clients["kms a"].decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    for _ in range(10):
        clients["kms a"].disable_key(KeyId=made)
        with pytest.raises(ClientError, match="Disabled"):
            clients["kms b"].encrypt(KeyId=made, Plaintext=b"secret")
        clients["kms b"].enable_key(KeyId=made)
        assert clients["kms a"].encrypt(KeyId=made, Plaintext=b"secret")["KeyId"].endswith(made)


def test_object_of_one_node_is_read_and_listed_on_the_other(clients: dict[str, Any]) -> None:
    """An object is put on a, read, listed and replaced on b; its blob is in the bucket that both have."""
    clients["s3 a"].create_bucket(Bucket="shared")
    clients["s3 a"].put_object(Bucket="shared", Key="one", Body=b"x" * 300_000)
    assert clients["s3 b"].get_object(Bucket="shared", Key="one")["Body"].read() == b"x" * 300_000
    listed = clients["s3 b"].list_objects_v2(Bucket="shared")["Contents"]
    assert [entry["Key"] for entry in listed] == ["one"]
    clients["s3 b"].put_object(Bucket="shared", Key="one", Body=b"other")
    assert clients["s3 a"].get_object(Bucket="shared", Key="one")["Body"].read() == b"other"


def test_node_goes_on_when_the_other_is_killed(installation: Installation, clients: dict[str, Any]) -> None:
    """After kill -9 of a, b answers and changes rights at once or within the bound; a comes back and knows of it."""
    made = clients["kms a"].create_key()["KeyMetadata"]["KeyId"]
    installation.node("a").kill()
    assert clients["kms b"].describe_key(KeyId=made)["KeyMetadata"]["Enabled"]
    clients["kms b"].disable_key(KeyId=made)
    installation.start("a")
    with pytest.raises(ClientError, match="Disabled"):
        installation.node("a").client("kms", retry=False).encrypt(KeyId=made, Plaintext=b"secret")


def test_node_that_ends_leaves_the_list(installation: Installation, clients: dict[str, Any]) -> None:
    """After SIGTERM the row of the node is gone; it comes back with the next start, with the same log."""
    installation.node("b").stop()
    assert _names(installation) == ["a"]
    installation.start("b")
    wait_until(lambda: _names(installation) == ["a", "b"], 10, "both are listed")
    assert clients["kms b"].list_keys()["Keys"]


def test_nodes_are_listed(installation: Installation) -> None:
    """The list has each node's version, lease, epoch, log and load; one of them does the timed work."""

    def listed() -> list[Any]:
        nodes: list[Any] = json.loads(installation.fuin("nodes", "--database", installation.url, "--json")[1])
        return nodes

    wait_until(lambda: all(node["Load"] and node["LogHead"] for node in listed()), 30, "both have reported")
    nodes = listed()
    assert [node["Name"] for node in nodes] == ["a", "b"]
    assert all(node["LeaseValid"] and node["AcknowledgedEpoch"] == node["Epoch"] for node in nodes)
    assert all(node["Load"]["machine"] >= 0 for node in nodes)
    assert [node["TimedWork"] for node in nodes].count(True) == 1
    status, table = installation.fuin("nodes", FUIN_DATABASE=installation.url)
    assert status == 0
    assert "valid" in table.splitlines()[1]


def test_command_beside_a_node_returns_when_all_nodes_know(installation: Installation) -> None:
    """A user is added and loses its policy by a command on a; b obeys at once, also when a does not run."""
    user = new_user("ann")
    place = ["--database", installation.url, "--data", str(installation.data("a"))]
    keys = ["--access-key-id", user.access_key_id, "--secret-access-key", user.secret_access_key]
    installation.fuin("user", "add", "ann", *place, *keys)
    kms = installation.node("b").client("kms", user, retry=False)
    for effect in ("Allow", "Deny", "Allow", "Deny"):
        _put_policy(installation, place, effect)
        if effect == "Allow":
            assert kms.list_keys()["Keys"] is not None
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                kms.list_keys()


def _put_policy(installation: Installation, place: list[str], effect: str) -> None:
    policy = installation.folder / "policy.json"
    statement = {"Effect": effect, "Action": "kms:ListKeys", "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    installation.fuin("user", "policy", "ann", str(policy), *place)


def test_the_proof_opens_what_two_nodes_have_written(installation: Installation, clients: dict[str, Any]) -> None:
    """`fuin verify` beside a node reads rows and blobs, and asks KMS; under a disabled key nothing is proven."""
    arn = clients["kms a"].create_key()["KeyMetadata"]["Arn"]
    clients["s3 a"].create_bucket(Bucket="proof")
    for name, size in (("a", 1000), ("b", 100_000)):  # in a row, and in the bucket
        clients[f"s3 {name}"].put_object(
            Bucket="proof", Key=name, Body=b"x" * size, ServerSideEncryption="aws:kms", SSEKMSKeyId=arn
        )
    words = ["verify", "s3://proof", "--database", installation.url, "--data", str(installation.data("a"))]
    words += ["--passphrase-file", str(installation.passphrase)]
    said = installation.fuin(*words)[1]
    assert "2 messages read (0.1 MB), 2 of them opened through KMS" in said
    clients["kms b"].disable_key(KeyId=arn)
    status, said = installation.fuin(*words, check=False)
    assert (status, said.count(f"DisabledException: {arn} is disabled.")) == (3, 2)
    assert "0 faults, 0 orphans, 2 could not be looked at" in said


def test_clients_are_asked_to_leave_before_the_end(installation: Installation) -> None:
    """After SIGTERM readiness says 503 while requests are still answered; then the node ends."""
    node = installation.node("b")
    kms = node.client("kms", retry=False)
    assert kms.list_keys()["Keys"]
    with urllib.request.urlopen(f"{node.url}/health/ready") as answer:
        assert json.load(answer)["status"] == "ok"
    os.kill(node.pid, signal.SIGTERM)
    wait_until((node.data / "run" / "draining").exists, 10, "the node says that it ends")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{node.url}/health/ready")
    assert json.load(refused.value)["server"] == "is ending"
    assert kms.list_keys()["Keys"]
    node.stop()
    assert _names(installation) == ["a"]


def _names(installation: Installation) -> list[str]:
    with psycopg.connect(installation.url) as conn:
        return [name for (name,) in conn.execute("SELECT name FROM nodes ORDER BY name")]
