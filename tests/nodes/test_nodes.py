"""The main job across two nodes: what one does, the other one knows at once; and one goes on without the other."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

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


def _names(installation: Installation) -> list[str]:
    import psycopg

    with psycopg.connect(installation.url) as conn:
        return [name for (name,) in conn.execute("SELECT name FROM nodes ORDER BY name")]
