"""Images go into snapshots and come out of them, whole and as changes of a parent."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.snapshots import completion
from tests.ebs.images import BLOCK, Ebs, block, checksum, linear, stored_blobs
from tests.support.place import ACCOUNT, Place, error_of
from tests.support.processes import wait_until


def test_image_comes_back(ebs: Ebs, key: str, place: Place) -> None:
    """What was put is what is read, in any order, and the answers say what it is."""
    blocks = {7: block(1), 0: block(2), 2047: block(3)}
    started = ebs.client.start_snapshot(VolumeSize=1, Encrypted=True, KmsKeyArn=key, Description="an image")
    snapshot = started["SnapshotId"]
    assert (started["Status"], started["OwnerId"], started["KmsKeyArn"]) == ("pending", ACCOUNT, key)
    assert (started["BlockSize"], started["VolumeSize"], started["SseType"]) == (BLOCK, 1, "sse-kms")
    for index, data in blocks.items():
        answer = ebs.put(snapshot, index, data)
        assert (answer["Checksum"], answer["ChecksumAlgorithm"]) == (checksum(data), "SHA256")
    assert ebs.complete(snapshot, 3, Checksum=linear(blocks)) == "pending"
    assert ebs.read(snapshot) == blocks
    page = ebs.client.list_snapshot_blocks(SnapshotId=snapshot)
    assert (page["VolumeSize"], page["BlockSize"], [one["BlockIndex"] for one in page["Blocks"]]) == (
        1, BLOCK, [0, 7, 2047],
    )  # fmt: skip


def test_no_plaintext_is_stored(ebs: Ebs, place: Place) -> None:
    """Neither a block nor its checksum is anywhere in the data folder."""
    data = (b"nobody may read this " * 30_000)[:BLOCK]
    snapshot = ebs.write({0: data})
    stored = b"".join(path.read_bytes() for path in place.settings.data.rglob("*") if path.is_file())
    assert snapshot.encode() in stored
    assert b"nobody may read this" not in stored
    assert hashlib.sha256(data).digest() not in stored


def test_block_is_overwritten(ebs: Ebs) -> None:
    """The same index again takes the place of the block before, and counts once."""
    snapshot = ebs.start()
    ebs.put(snapshot, 4, block(1))
    ebs.put(snapshot, 4, block(2))
    ebs.complete(snapshot, 1, Checksum=linear({4: block(2)}))
    assert ebs.read(snapshot) == {4: block(2)}


def test_child_has_the_blocks_of_its_parent(ebs: Ebs, place: Place) -> None:
    """A child has its parent's blocks where nothing was put, and only what was put is stored again."""
    parent = ebs.write({0: block(1), 1: block(2), 5: block(3)})
    before = stored_blobs(place)
    child = ebs.start(ParentSnapshotId=parent)
    ebs.put(child, 1, block(4))
    ebs.put(child, 6, block(5))
    ebs.complete(child, 2)
    assert ebs.read(child) == {0: block(1), 1: block(4), 5: block(3), 6: block(5)}
    assert ebs.read(parent) == {0: block(1), 1: block(2), 5: block(3)}
    assert len(stored_blobs(place) - before) == 3  # two packs of one block, and an index


def test_block_with_the_parents_content_is_the_parents(ebs: Ebs, place: Place) -> None:
    """A block that was put again as it is in the parent is no change, and is stored once."""
    parent = ebs.write({0: block(1), 1: block(2)})
    before = stored_blobs(place)
    child = ebs.start(ParentSnapshotId=parent)
    ebs.put(child, 0, block(1))
    ebs.complete(child, 1)
    wait_until(lambda: len(stored_blobs(place) - before) == 1, 10, "the removal of all but the index")
    changed = ebs.client.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)
    assert changed["ChangedBlocks"] == []


def test_changed_blocks(ebs: Ebs) -> None:
    """Changes say which blocks are new, and which differ; their tokens read the old and the new content."""
    parent = ebs.write({0: block(1), 1: block(2)})
    child = ebs.write({1: block(3), 9: block(4)}, ParentSnapshotId=parent)
    answer = ebs.client.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)
    first, second = answer["ChangedBlocks"]
    assert (first["BlockIndex"], second["BlockIndex"]) == (1, 9)
    assert "FirstBlockToken" not in second
    assert ebs.get(parent, 1, first["FirstBlockToken"]) == block(2)
    assert ebs.get(child, 1, first["SecondBlockToken"]) == block(3)
    assert ebs.get(child, 9, second["SecondBlockToken"]) == block(4)
    back = ebs.client.list_changed_blocks(FirstSnapshotId=child, SecondSnapshotId=parent)["ChangedBlocks"]
    assert [("SecondBlockToken" in one) for one in back] == [True, False]
    every = ebs.client.list_changed_blocks(SecondSnapshotId=child)["ChangedBlocks"]
    assert [one["BlockIndex"] for one in every] == [0, 1, 9]


def test_snapshots_of_two_lineages_are_unrelated(ebs: Ebs) -> None:
    """Changes between snapshots that have nothing to do with each other are refused."""
    one, other = ebs.write({0: block(1)}), ebs.write({0: block(1)})
    with pytest.raises(ClientError) as refused:
        ebs.client.list_changed_blocks(FirstSnapshotId=one, SecondSnapshotId=other)
    assert refused.value.response["Reason"] == "UNRELATED_SNAPSHOTS"


def test_pages(ebs: Ebs) -> None:
    """A listing comes in pages, from a block on; each page's token goes on where it ended."""
    blocks = {index: block(index % 3) for index in range(0, 230, 2)}
    snapshot = ebs.write(blocks)
    page = ebs.client.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100)
    assert [one["BlockIndex"] for one in page["Blocks"]] == list(range(0, 200, 2))
    rest = ebs.client.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, NextToken=page["NextToken"])
    assert [one["BlockIndex"] for one in rest["Blocks"]] == list(range(200, 230, 2))
    assert "NextToken" not in rest
    later = ebs.client.list_snapshot_blocks(SnapshotId=snapshot, StartingBlockIndex=221)
    assert [one["BlockIndex"] for one in later["Blocks"]] == [222, 224, 226, 228]
    changes = ebs.client.list_changed_blocks(SecondSnapshotId=snapshot, MaxResults=100)
    more = ebs.client.list_changed_blocks(SecondSnapshotId=snapshot, NextToken=changes["NextToken"])
    found = [one["BlockIndex"] for one in (*changes["ChangedBlocks"], *more["ChangedBlocks"])]
    assert found == sorted(blocks)


def test_both_forms_of_the_linear_checksum(ebs: Ebs) -> None:
    """AWS says "concatenated": of the checksums' bytes, or of their texts. Both are right, a third is not."""
    texts = (checksum(block(1)) + checksum(block(2))).encode()
    for claim, right in ((linear({0: block(1), 1: block(2)}), True), (checksum(texts), True), (checksum(b""), False)):
        snapshot = ebs.start()
        ebs.put(snapshot, 1, block(2))
        ebs.put(snapshot, 0, block(1))
        if right:
            ebs.complete(snapshot, 2, Checksum=claim, ChecksumAlgorithm="SHA256", ChecksumAggregationMethod="LINEAR")
            continue
        with pytest.raises(ClientError) as refused:
            ebs.complete(snapshot, 2, Checksum=claim)
        assert error_of(refused.value)[1] == "ValidationException"
        ebs.complete(snapshot, 2)  # it is still pending


def test_completion_is_repeated(ebs: Ebs) -> None:
    """A client that has lost the answer asks again, and learns that the snapshot is complete."""
    snapshot = ebs.write({0: block(1)})
    assert ebs.complete(snapshot, 1) == "completed"
    with pytest.raises(ClientError):
        ebs.put(snapshot, 1, block(2))


def test_few_completions_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has much in memory, so two run at once, and the others after them."""
    running: list[int] = [0]

    async def count(target: object, claim: object) -> list[str]:
        running.append(running[-1] + 1)
        await asyncio.sleep(0)
        running.append(running[-1] - 1)
        return []

    async def complete_six() -> None:
        target: Any = None
        await asyncio.gather(*(completion.complete(target, None) for _ in range(6)))

    monkeypatch.setattr(completion, "merge_blocks", count)
    place.run(complete_six())
    assert (max(running), len(running)) == (2, 13)


def test_empty_snapshot(ebs: Ebs) -> None:
    """A snapshot without blocks is complete too; its checksum is that of nothing."""
    snapshot = ebs.start()
    ebs.complete(snapshot, 0, Checksum=base64.b64encode(hashlib.sha256().digest()).decode())
    assert ebs.tokens(snapshot) == {}
