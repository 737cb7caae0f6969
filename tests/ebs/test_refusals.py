"""What the EBS direct APIs refuse, with the codes and reasons of the service model."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.snapshots import tokens
from tests.ebs.images import BLOCK, Ebs, block, checksum
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, REGION, Place


def refusal(call: Callable[..., object], *arguments: Any, **members: Any) -> tuple[int, str, str | None]:
    """Return status, code and reason of a call's refusal."""
    with pytest.raises(ClientError) as error:
        call(*arguments, **members)
    answer: Any = error.value.response
    assert len(answer["Message"]) <= 256
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer.get("Reason")


INVALID = 400, "ValidationException"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"Checksum": checksum(b"")}, "INVALID_BLOCK"),
        ({"Checksum": "!"}, "INVALID_BLOCK"),
        ({"ChecksumAlgorithm": "MD5"}, "INVALID_PARAMETER_VALUE"),
        ({"DataLength": 512}, "INVALID_PARAMETER_VALUE"),
        ({"Progress": 101}, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_wrong_headers_of_a_block(ebs: Ebs, members: dict[str, Any], reason: str) -> None:
    """A block is taken only as its headers say."""
    assert refusal(ebs.put, ebs.start(), 0, block(1), **members) == (*INVALID, reason)


def test_wrong_blocks(ebs: Ebs) -> None:
    """A block has 524,288 bytes, and lies within the volume."""
    snapshot = ebs.start()
    assert refusal(ebs.put, snapshot, 0, block(1)[1:], DataLength=BLOCK) == (*INVALID, "INVALID_BLOCK")
    assert refusal(ebs.put, snapshot, 2048, block(1)) == (*INVALID, "INVALID_BLOCK")
    assert refusal(ebs.complete, snapshot, 1) == (*INVALID, "INVALID_PARAMETER_VALUE")


def test_unknown_snapshots(ebs: Ebs) -> None:
    """A snapshot that is not there, or not in this state, is named by its reason."""
    missing = (404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND")
    assert refusal(ebs.put, "snap-0123456789abcdef0", 0, block(1)) == missing
    assert refusal(ebs.tokens, "snap-0123456789abcdef0") == missing
    assert refusal(ebs.start, ParentSnapshotId="snap-0123456789abcdef0") == missing
    assert refusal(ebs.tokens, "snap-XYZ") == (*INVALID, "INVALID_SNAPSHOT_ID")
    assert refusal(ebs.tokens, ebs.start()) == (*INVALID, "INVALID_SNAPSHOT_ID")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"VolumeSize": 0}, "INVALID_VOLUME_SIZE"),
        ({"VolumeSize": 65_537}, "INVALID_VOLUME_SIZE"),
        ({"Timeout": 9}, "INVALID_PARAMETER_VALUE"),
        ({"Timeout": 4321}, "INVALID_PARAMETER_VALUE"),
        ({"Encrypted": True, "KmsKeyArn": "alias/aws/ebs"}, "INVALID_CUSTOMER_KEY"),
        ({"Encrypted": True, "KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/none"}, "INVALID_CUSTOMER_KEY"),
        ({"Tags": [{"Key": "", "Value": ""}]}, "INVALID_TAG"),
    ],
)
def test_wrong_starts(ebs: Ebs, members: dict[str, Any], reason: str) -> None:
    """Members out of their range are refused."""
    assert refusal(ebs.start, **members) == (*INVALID, reason)


def test_encryption_of_a_child_is_its_parents(ebs: Ebs, key: str) -> None:
    """With a parent neither Encrypted nor a key may be given, and the size may not shrink."""
    parent = ebs.write({}, Encrypted=True, KmsKeyArn=key, VolumeSize=2)
    wrong = (*INVALID, "INVALID_PARAMETER_VALUE")
    assert refusal(ebs.start, ParentSnapshotId=parent, VolumeSize=2, Encrypted=True) == wrong
    assert refusal(ebs.start, ParentSnapshotId=parent, VolumeSize=2, KmsKeyArn=key) == wrong
    assert refusal(ebs.start, ParentSnapshotId=parent) == (*INVALID, "INVALID_VOLUME_SIZE")
    child = ebs.client.start_snapshot(ParentSnapshotId=parent, VolumeSize=3)
    assert (child["KmsKeyArn"], child["ParentSnapshotId"]) == (key, parent)


def test_nothing_unencrypted_is_stored(ebs: Ebs, place: Place) -> None:
    """Without encryption by default a snapshot must ask for it."""
    place.sql(f"INSERT INTO ebs_defaults VALUES ('{ACCOUNT}', '{REGION}', 0, '')")
    try:
        assert refusal(ebs.start) == (*INVALID, "INVALID_PARAMETER_VALUE")
        assert refusal(ebs.start, KmsKeyArn=place.new_key()) == (*INVALID, "INVALID_PARAMETER_VALUE")
        assert ebs.start(Encrypted=True)
    finally:
        place.sql("DELETE FROM ebs_defaults")
    assert ebs.start(Encrypted=False)


def test_client_token(ebs: Ebs) -> None:
    """The same token with the same request is the same snapshot; with another one it is a conflict."""
    first = ebs.start(ClientToken="one", Tags=[{"Key": "a", "Value": "b"}])
    again = ebs.client.start_snapshot(VolumeSize=1, ClientToken="one", Tags=[{"Key": "a", "Value": "b"}])
    assert (again["SnapshotId"], again["Tags"]) == (first, [{"Key": "a", "Value": "b"}])
    assert refusal(ebs.start, ClientToken="one", VolumeSize=2) == (409, "ConflictException", None)


def test_tokens_are_bound(ebs: Ebs, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is for one block of one snapshot, for its account, and for a time."""
    snapshot = ebs.write({0: block(1), 1: block(2)})
    child = ebs.write({}, ParentSnapshotId=snapshot)
    given = ebs.tokens(snapshot)
    wrong = (*INVALID, "INVALID_BLOCK_TOKEN")
    assert refusal(ebs.get, snapshot, 1, given[0]) == wrong
    assert refusal(ebs.get, child, 0, given[0]) == wrong
    spoilt = bytearray(base64.b64decode(given[0]))
    spoilt[30] ^= 1
    assert refusal(ebs.get, snapshot, 0, base64.b64encode(spoilt).decode()) == wrong
    assert refusal(ebs.get, snapshot, 0, "AAAA") == wrong
    assert refusal(ebs.client.list_snapshot_blocks, SnapshotId=snapshot, NextToken=given[0]) == (
        *INVALID, "INVALID_PAGE_TOKEN",
    )  # fmt: skip
    assert given != ebs.tokens(snapshot)  # they change with each listing
    monkeypatch.setattr(tokens, "LIFETIME", -1.0)
    assert refusal(ebs.get, snapshot, 0, ebs.tokens(snapshot)[0]) == wrong


def allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


ALL_OF_EBS = ("ebs:*", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt")


@pytest.mark.parametrize("taken", ["StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot", "ListSnapshotBlocks",
                                   "ListChangedBlocks", "GetSnapshotBlock"])  # fmt: skip
def test_each_right_is_needed(ebs: Ebs, place: Place, key: str, taken: str) -> None:
    """Without one action just that operation is refused."""
    policy = allow(*ALL_OF_EBS)
    policy["Statement"].append({"Effect": "Deny", "Action": f"ebs:{taken}", "Resource": "arn:aws:ec2:*::snapshot/*"})
    mine = Ebs(place.service("ebs", place.add_user(policy)))
    snapshot = ebs.write({0: block(1)}, Encrypted=True, KmsKeyArn=key)
    pending = ebs.start(Encrypted=True, KmsKeyArn=key)
    token = ebs.tokens(snapshot)[0]
    calls: dict[str, Callable[[], object]] = {
        "StartSnapshot": lambda: mine.start(Encrypted=True, KmsKeyArn=key),
        "PutSnapshotBlock": lambda: mine.put(pending, 0, block(1)),
        "CompleteSnapshot": lambda: mine.complete(pending, 0 if taken == "PutSnapshotBlock" else 1),
        "ListSnapshotBlocks": lambda: mine.tokens(snapshot),
        "ListChangedBlocks": lambda: mine.client.list_changed_blocks(SecondSnapshotId=snapshot),
        "GetSnapshotBlock": lambda: mine.get(snapshot, 0, token),
    }
    for name, call in calls.items():
        if name == taken:
            assert refusal(call) == (403, "AccessDeniedException", "UNAUTHORIZED_ACCOUNT")
        else:
            call()


def test_right_to_the_parent_is_needed(ebs: Ebs, place: Place, key: str) -> None:
    """Who may not use a snapshot, by its ARN or its tags, begins none after it: a child has the parent's blocks."""
    given = {"Encrypted": True, "KmsKeyArn": key}
    tagged, plain, other = (
        ebs.write({}, **given, Tags=[{"Key": "secret", "Value": value}]) for value in ("yes", "no", "no")
    )
    policy = allow(*ALL_OF_EBS)
    any_snapshot, secret = "arn:aws:ec2:*::snapshot/*", {"StringEquals": {"aws:ResourceTag/secret": "yes"}}
    policy["Statement"] += [
        {"Effect": "Deny", "Action": "ebs:*", "Resource": f"arn:aws:ec2:*::snapshot/{plain}"},
        {"Effect": "Deny", "Action": "ebs:*", "Resource": any_snapshot, "Condition": secret},
    ]
    mine = Ebs(place.service("ebs", place.add_user(policy)))
    for parent in (tagged, plain):
        assert refusal(mine.start, ParentSnapshotId=parent) == (403, "AccessDeniedException", "UNAUTHORIZED_ACCOUNT")
    assert mine.start(ParentSnapshotId=other)


def test_key_is_decided_anew_for_each_block(ebs: Ebs, place: Place, key: str) -> None:
    """Who loses kms:Decrypt, or whose key is disabled, gets and puts no further block."""
    user = place.add_user(allow(*ALL_OF_EBS))
    mine = Ebs(place.service("ebs", user))
    snapshot = ebs.write({0: block(1)}, Encrypted=True, KmsKeyArn=key)
    pending = mine.start(Encrypted=True, KmsKeyArn=key)
    token = mine.tokens(snapshot)[0]
    mine.put(pending, 0, block(1))
    place.set_policy(user, allow("ebs:*"))
    denied = (403, "AccessDeniedException", "DEPENDENCY_ACCESS_DENIED")
    assert refusal(mine.get, snapshot, 0, token) == denied
    assert refusal(mine.put, pending, 0, block(1)) == denied
    place.set_policy(user, allow(*ALL_OF_EBS))
    assert mine.get(snapshot, 0, token) == block(1)
    place.kms().disable_key(KeyId=key)
    assert refusal(mine.get, snapshot, 0, token) == (*INVALID, "INVALID_CUSTOMER_KEY")
    assert refusal(mine.put, pending, 0, block(1)) == (*INVALID, "INVALID_CUSTOMER_KEY")
    place.kms().enable_key(KeyId=key)
    assert mine.get(snapshot, 0, token) == block(1)


def test_uses_of_the_key_are_ec2s(ebs: Ebs, place: Place, key: str) -> None:
    """KMS is asked as the caller, through ec2, with the snapshot's context; a kept key is on the record too."""
    snapshot = ebs.start(Encrypted=True, KmsKeyArn=key)
    answer = ebs.put(snapshot, 0, block(1))
    ebs.put(snapshot, 1, block(1))
    (use, *_) = place.record(answer["ResponseMetadata"]["RequestId"])
    assert (use.draft["via"], use.draft["context"]) == (f"ec2.{REGION}.amazonaws.com", {"aws:ebs:id": snapshot})
    last = place.last_record().draft["facts"]
    assert last["snapshotKeys"] == [{"use": "kms:Decrypt", "key": key, "from": "memory"}]
    assert (last["snapshot"], last["block"]) == (snapshot, 1)
    Ebs(place.service("ebs", place.add_user(allow(*ALL_OF_EBS)))).put(snapshot, 2, block(1))
    assert place.last_record().draft["facts"]["snapshotKeys"][0]["from"] == "KMS"  # once for each caller


def test_other_accounts_see_what_is_shared(ebs: Ebs, place: Place) -> None:
    """Another account finds a snapshot when it is shared, and reads it if it may use the key."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER_ACCOUNT]}, "Action": "kms:*", "Resource": "*"},
    ]})  # fmt: skip
    key = place.new_key(Policy=policy)
    snapshot = ebs.write({0: block(1)}, Encrypted=True, KmsKeyArn=key)
    theirs = Ebs(place.service("ebs", place.other_root))
    missing = (404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND")
    assert refusal(theirs.tokens, snapshot) == missing
    place.sql(f"INSERT INTO snapshot_shares VALUES ('{snapshot}', '{OTHER_ACCOUNT}')")
    assert theirs.read(snapshot) == {0: block(1)}
    assert refusal(theirs.start, ParentSnapshotId=snapshot) == missing
    assert refusal(theirs.get, snapshot, 0, ebs.tokens(snapshot)[0]) == (*INVALID, "INVALID_BLOCK_TOKEN")


def test_conditions_of_ebs(place: Place, key: str) -> None:
    """Policies may ask for the size, the description and the tags of a snapshot."""
    policy = allow(*ALL_OF_EBS)
    policy["Statement"][0]["Condition"] = {"NumericLessThanIfExists": {"ebs:VolumeSize": "2"}}
    mine = Ebs(place.service("ebs", place.add_user(policy)))
    snapshot = mine.start(Encrypted=True, KmsKeyArn=key)
    mine.put(snapshot, 0, block(1))
    assert refusal(mine.start, VolumeSize=2, Encrypted=True, KmsKeyArn=key)[1] == "AccessDeniedException"
