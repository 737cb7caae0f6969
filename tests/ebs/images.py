"""Images as blocks: a client of the EBS direct APIs as programs that carry whole images use it."""

import base64
import hashlib
import random
from collections.abc import Mapping
from typing import Any

from tests.support.place import Place

BLOCK = 524_288


def block(seed: int) -> bytes:
    """Return a block that nobody compresses, the same for the same seed."""
    return random.Random(seed).randbytes(BLOCK)


def checksum(data: bytes) -> str:
    """Return the SHA-256 of bytes in base64."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def linear(blocks: Mapping[int, bytes]) -> str:
    """Return the LINEAR checksum of blocks, of the bytes of their checksums."""
    digests = b"".join(hashlib.sha256(blocks[index]).digest() for index in sorted(blocks))
    return checksum(digests)


class Ebs:
    """The calls that a test makes, in short."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def start(self, **members: Any) -> str:
        """Begin a snapshot of 1 GiB and return its id."""
        return str(self.client.start_snapshot(**{"VolumeSize": 1, **members})["SnapshotId"])

    def put(self, snapshot: str, index: int, data: bytes, **members: Any) -> dict[str, Any]:
        """Put a block."""
        given = {"DataLength": len(data), "Checksum": checksum(data), "ChecksumAlgorithm": "SHA256", **members}
        answer: dict[str, Any] = self.client.put_snapshot_block(
            SnapshotId=snapshot, BlockIndex=index, BlockData=data, **given
        )
        return answer

    def complete(self, snapshot: str, count: int, **members: Any) -> str:
        """Complete a snapshot and return the state that the answer has."""
        answer = self.client.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=count, **members)
        return str(answer["Status"])

    def write(self, blocks: Mapping[int, bytes], **members: Any) -> str:
        """Make a completed snapshot of blocks and return its id."""
        snapshot = self.start(**members)
        for index, data in blocks.items():
            self.put(snapshot, index, data)
        self.complete(snapshot, len(blocks), Checksum=linear(blocks), ChecksumAlgorithm="SHA256",
                      ChecksumAggregationMethod="LINEAR")  # fmt: skip
        return snapshot

    def tokens(self, snapshot: str, **members: Any) -> dict[int, str]:
        """Return the tokens of all blocks of a snapshot, by their indexes."""
        found: dict[int, str] = {}
        while True:
            page = self.client.list_snapshot_blocks(SnapshotId=snapshot, **members)
            found |= {one["BlockIndex"]: one["BlockToken"] for one in page["Blocks"]}
            if "NextToken" not in page:
                return found
            members["NextToken"] = page["NextToken"]

    def get(self, snapshot: str, index: int, token: str) -> bytes:
        """Return a block, whose checksum is that of the answer."""
        answer = self.client.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token)
        data: bytes = answer["BlockData"].read()
        assert (answer["DataLength"], answer["Checksum"]) == (BLOCK, checksum(data))
        return data

    def read(self, snapshot: str) -> dict[int, bytes]:
        """Return all blocks of a snapshot."""
        return {index: self.get(snapshot, index, token) for index, token in self.tokens(snapshot).items()}


def stored_blobs(place: Place) -> set[str]:
    """Return the names of all stored blobs. Blobs that go are removed in threads, after the answer."""
    return {path.name for path in (place.settings.data / "blobs").rglob("*") if len(path.name) == 64}
