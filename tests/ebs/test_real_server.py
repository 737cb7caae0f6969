"""The real server with real clients: the aws command line, and TLS, over which a block's bytes are not signed."""

import json
from pathlib import Path

import pytest

from tests.ebs.images import BLOCK, Ebs, block, checksum, linear
from tests.support.server import Server

pytestmark = pytest.mark.real


def test_aws_command_line(server: Server, tmp_path: Path) -> None:
    """`aws ebs` writes and reads an image, and `aws ec2` waits for the snapshot and deletes it."""
    image, got = tmp_path / "block", tmp_path / "got"
    image.write_bytes(block(1))
    started = server.aws("ebs", "start-snapshot", "--volume-size", "1", "--encrypted", "--description", "by hand")
    snapshot = json.loads(started.stdout)["SnapshotId"]
    server.aws(
        "ebs", "put-snapshot-block", "--snapshot-id", snapshot, "--block-index", "7", "--block-data", str(image),
        "--data-length", str(BLOCK), "--checksum", checksum(block(1)), "--checksum-algorithm", "SHA256",
    )  # fmt: skip
    server.aws(
        "ebs", "complete-snapshot", "--snapshot-id", snapshot, "--changed-blocks-count", "1", "--checksum",
        linear({7: block(1)}), "--checksum-algorithm", "SHA256", "--checksum-aggregation-method", "LINEAR",
    )  # fmt: skip
    server.aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot)
    listed = json.loads(server.aws("ebs", "list-snapshot-blocks", "--snapshot-id", snapshot).stdout)
    (only,) = listed["Blocks"]
    server.aws(
        "ebs", "get-snapshot-block", "--snapshot-id", snapshot, "--block-index", "7", "--block-token",
        only["BlockToken"], str(got),
    )  # fmt: skip
    assert got.read_bytes() == block(1)
    server.aws("ec2", "delete-snapshot", "--snapshot-id", snapshot)
    shown = json.loads(server.aws("ec2", "describe-snapshots", "--owner-ids", "self").stdout)["Snapshots"]
    assert snapshot not in {one["SnapshotId"] for one in shown}


def test_block_over_tls(tls_server: Server) -> None:
    """Over TLS botocore signs the checksum and not the bytes, and the server verifies the checksum."""
    ebs = Ebs(tls_server.client("ebs"))
    assert ebs.read(ebs.write({2: block(2)})) == {2: block(2)}
    snapshot = ebs.start()
    with pytest.raises(ebs.client.exceptions.ValidationException):
        ebs.put(snapshot, 0, block(1), Checksum=checksum(block(2)))
