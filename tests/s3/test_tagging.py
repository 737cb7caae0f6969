"""Tags of objects and buckets: as AWS takes and returns them, with the rights and conditions that they need.

The answers to wrong tags are those that AWS gives: localstack, test_tagging_validation and test_object_tagging_exc.
"""

import contextlib
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.facts import Pairs
from fuin.s3.objects import get
from fuin.s3.request import existing_tags, rights, tags
from fuin.s3.request.call import S3Call
from fuin.s3.request.faults import S3Fault
from fuin.store.s3 import objects
from fuin.store.s3.buckets import Bucket
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.objects import Object
from tests.support.place import Place, error_of
from tests.support.policies import allow

ONE = {"TagSet": [{"Key": "team", "Value": "blue"}]}
TWO = {"TagSet": [{"Key": "b", "Value": "x y/ä"}, {"Key": "a", "Value": ""}]}


def read(place: Place, bucket: str, key: str = "k", user: Any = None) -> list[dict[str, str]]:
    """Return the tags of an object."""
    found: list[dict[str, str]] = place.s3(user).get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return found


def refusal(call: Any, **members: Any) -> tuple[int, str, str]:
    """Return the error of a call that has to fail."""
    with pytest.raises(ClientError) as error:
        call(**members)
    return error_of(error.value)


def test_an_object_is_tagged_and_untagged(place: Place, bucket: str) -> None:
    """A new set takes the place of the old one; the number is told by GET and HEAD while there are any."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    before = s3.head_object(Bucket=bucket, Key="k")
    assert read(place, bucket) == []
    for document in (TWO, ONE):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=document)
        assert read(place, bucket) == document["TagSet"]
        for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
            assert answer["TagCount"] == len(document["TagSet"])
            assert (answer["ETag"], answer["LastModified"]) == (before["ETag"], before["LastModified"])
    assert s3.delete_object_tagging(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert read(place, bucket) == []
    assert "TagCount" not in s3.head_object(Bucket=bucket, Key="k")


def test_tags_of_a_header_are_in_the_order_of_their_names(place: Place, bucket: str) -> None:
    """AWS promises no order for those of a header; those of a document keep theirs."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="foo=bar&bar")
    assert read(place, bucket) == [{"Key": "bar", "Value": ""}, {"Key": "foo", "Value": "bar"}]


def test_an_object_that_is_written_again_has_no_tags(place: Place, bucket: str) -> None:
    """Unless its request gives some."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=&c")
    assert read(place, bucket) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}, {"Key": "c", "Value": ""}]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert read(place, bucket) == []


@pytest.mark.parametrize("body", [b"<Tagging/>", b"<Tagging><TagSet/></Tagging>"])
def test_the_empty_set_removes_the_tags(place: Place, bucket: str, body: bytes) -> None:
    """Of an object and of a bucket."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    s3.put_bucket_tagging(Bucket=bucket, Tagging=ONE)
    assert place.send("PUT", f"/{bucket}/k?tagging", place.md5(body), body).status == 200
    assert place.send("PUT", f"/{bucket}?tagging", place.md5(body), body).status == 204
    assert read(place, bucket) == []
    assert place.send("GET", f"/{bucket}?tagging").code == "NoSuchTagSet"


def test_a_bucket_is_tagged_and_untagged(place: Place, bucket: str) -> None:
    """The set is the bucket's own, and stays with it."""
    s3, other = place.s3(), place.bucket()
    for document in (TWO, ONE):
        assert s3.put_bucket_tagging(Bucket=bucket, Tagging=document)["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == document["TagSet"]
    assert refusal(s3.get_bucket_tagging, Bucket=other)[1] == "NoSuchTagSet"
    for _ in range(2):
        assert s3.delete_bucket_tagging(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert refusal(s3.get_bucket_tagging, Bucket=bucket)[:2] == (404, "NoSuchTagSet")


INVALID = [
    ([("Key1", "a"), ("Key1", "b")], "InvalidTag", "Cannot provide multiple Tags with the same key"),
    ([("Key1,Key2", "a")], "InvalidTag", "The TagKey you have provided is invalid"),
    ([("", "a")], "InvalidTag", "The TagKey you have provided is invalid"),
    ([("k" * 129, "a")], "InvalidTag", "The TagKey you have provided is invalid"),
    ([("Key1", "Val1,Val2")], "InvalidTag", "The TagValue you have provided is invalid"),
    ([("Key1", "v" * 257)], "InvalidTag", "The TagValue you have provided is invalid"),
]
MALFORMED = [
    "<TagSet><Tag><Value>a</Value></Tag></TagSet>", "<TagSet><Tag><Key>a</Key></Tag></TagSet>",
    "<TagSet><X/></TagSet>", "<TagSet><Tag><Key>a</Key><Value>b</Value><X/></Tag></TagSet>", "<X/>",
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "code", "message"), INVALID)
def test_wrong_tags_are_refused(
    place: Place, bucket: str, pairs: list[tuple[str, str]], code: str, message: str
) -> None:
    """In AWS's words; the tags that are there stay."""
    s3, document = place.s3(), {"TagSet": [{"Key": name, "Value": value} for name, value in pairs]}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="team=blue")
    s3.put_bucket_tagging(Bucket=bucket, Tagging=ONE)
    assert refusal(place.service("s3").put_object_tagging, Bucket=bucket, Key="k", Tagging=document) == (
        400, code, message,
    )  # fmt: skip
    assert refusal(place.service("s3").put_bucket_tagging, Bucket=bucket, Tagging=document) == (400, code, message)
    assert read(place, bucket) == s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == ONE["TagSet"]


@pytest.mark.parametrize("content", MALFORMED)
def test_documents_of_another_form_are_refused(place: Place, bucket: str, content: str) -> None:
    """Before the object is looked for."""
    body = f"<Tagging>{content}</Tagging>".encode()
    for path in (f"/{bucket}?tagging", f"/{bucket}/none?tagging"):
        assert place.send("PUT", path, place.md5(body), body).code == "MalformedXML"


def test_names_of_aws_are_reserved(place: Place, bucket: str) -> None:
    """Each kind of resource has AWS's own sentence for it."""
    s3, document = place.s3(), {"TagSet": [{"Key": "AWS:x", "Value": "a"}]}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    of_object = refusal(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=document)
    assert of_object == (400, "InvalidTag", "Your TagKey cannot be prefixed with aws:")
    of_bucket = refusal(s3.put_bucket_tagging, Bucket=bucket, Tagging=document)
    assert of_bucket == (400, "InvalidTag", "System tags cannot be added/updated by requester")


def test_there_is_a_number_of_tags_at_most(place: Place, bucket: str) -> None:
    """Ten of an object, fifty of a bucket."""
    s3 = place.s3()

    def document(count: int) -> dict[str, Any]:
        return {"TagSet": [{"Key": f"k{number}", "Value": ""} for number in range(count)]}

    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="&".join(f"k{number}" for number in range(10)))
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=document(10))
    s3.put_bucket_tagging(Bucket=bucket, Tagging=document(50))
    too_many = "&".join(f"k{number}" for number in range(11))
    assert refusal(s3.put_object, Bucket=bucket, Key="new", Body=b"x", Tagging=too_many)[:2] == (400, "BadRequest")
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=document(11))[:2] == (400, "BadRequest")
    assert refusal(s3.put_bucket_tagging, Bucket=bucket, Tagging=document(51))[:2] == (400, "BadRequest")
    assert refusal(s3.head_object, Bucket=bucket, Key="new")[0] == 404


@pytest.mark.parametrize("value", ["key1=val1&key1=val2", "key1=val1,key2=val2", "=x", "%ff=x", "aws:a=b"])
def test_a_wrong_header_is_refused(place: Place, bucket: str, value: str) -> None:
    """By one sentence for all that can be wrong; nothing is written, and no upload begins."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for call, members in (
        (s3.put_object, {"Body": b"x"}), (s3.create_multipart_upload, {}),
        (s3.copy_object, {"CopySource": f"{bucket}/k", "TaggingDirective": "REPLACE"}),
        (s3.copy_object, {"CopySource": f"{bucket}/k"}),
    ):  # fmt: skip
        status, code, message = refusal(call, Bucket=bucket, Key="new", Tagging=value, **members)
        assert (status, code) == (400, "InvalidArgument")
        assert message.startswith("The header 'x-amz-tagging' shall be encoded as UTF-8")
    assert refusal(s3.head_object, Bucket=bucket, Key="new")[0] == 404
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@given(st.dictionaries(st.text(min_size=1, max_size=128), st.text(max_size=256), max_size=12))
def test_what_is_taken_comes_back(pairs: dict[str, str]) -> None:
    """Tags are taken whole or refused, whatever their characters are."""
    header = "&".join(
        f"{quote_plus(name, errors='surrogatepass')}={quote_plus(value)}" for name, value in pairs.items()
    )
    with contextlib.suppress(S3Fault):
        taken = tags.parse_header(header.encode())
        assert tags.parse_column(tags.column(taken)) == taken == pairs


def test_a_new_bucket_has_the_tags_of_its_creation(place: Place) -> None:
    """A second creation of one's own bucket succeeds, but not one that gives tags."""
    s3, name = place.s3(), f"{place.bucket()}-tagged"
    wanted: Any = {"CreateBucketConfiguration": {"Tags": ONE["TagSet"]}}
    s3.create_bucket(Bucket=name, **wanted)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == ONE["TagSet"]
    s3.create_bucket(Bucket=name)
    assert refusal(s3.create_bucket, Bucket=name, **wanted)[:2] == (409, "BucketAlreadyOwnedByYou")
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == ONE["TagSet"]
    reserved: Any = {"CreateBucketConfiguration": {"Tags": [{"Key": "aws:x", "Value": ""}]}}
    assert refusal(s3.create_bucket, Bucket=f"{name}-2", **reserved)[1] == "InvalidTag"


# Rights and conditions.


def test_tags_of_a_write_need_their_own_right(place: Place, bucket: str) -> None:
    """Of PutObject, of a multipart upload and of a copy; without tags nobody asks for it."""
    user = place.new_user(allow("s3:PutObject", "s3:GetObject", "s3:ListBucket"))
    s3 = place.s3(user)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for call, members in (
        (s3.put_object, {"Body": b"x"}), (s3.create_multipart_upload, {}),
        (s3.copy_object, {"CopySource": f"{bucket}/k", "TaggingDirective": "REPLACE"}),
    ):  # fmt: skip
        status, code, message = refusal(call, Bucket=bucket, Key="new", Tagging="a=1", **members)
        assert (status, code) == (403, "AccessDenied")
        assert "s3:PutObjectTagging" in message
    s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/k")
    place.service("iam").put_user_policy(
        UserName=user.name, PolicyName="tags", PolicyDocument=json.dumps(allow("s3:PutObjectTagging"))
    )
    s3.put_object(Bucket=bucket, Key="new", Body=b"x", Tagging="a=1")
    assert read(place, bucket, "new") == [{"Key": "a", "Value": "1"}]


def test_a_copy_of_tags_needs_the_rights_to_read_and_to_give_them(place: Place, bucket: str) -> None:
    """AWS refuses the copy of a tagged object to who may only read and write objects."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    for more, missing in (
        ((), "s3:GetObjectTagging"), (("s3:GetObjectTagging",), "s3:PutObjectTagging"),
        (("s3:GetObjectTagging", "s3:PutObjectTagging"), ""),
    ):  # fmt: skip
        s3 = place.s3(place.new_user(allow("s3:PutObject", "s3:GetObject", *more)))
        copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
        if missing:
            assert missing in refusal(s3.copy_object, **copy)[2]
            s3.copy_object(**copy, TaggingDirective="REPLACE")
            assert read(place, bucket, "copy") == []
        else:
            s3.copy_object(**copy)
            assert read(place, bucket, "copy") == [{"Key": "a", "Value": "1"}]


def test_the_number_is_told_to_those_who_may_read_the_tags(place: Place, bucket: str) -> None:
    """AWS: x-amz-tagging-count "when you have the relevant permission to read object tags"."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    for policy, told in ((allow("s3:GetObject"), False), (allow("s3:GetObject", "s3:GetObjectTagging"), True)):
        s3 = place.s3(place.new_user(policy))
        assert ("TagCount" in s3.get_object(Bucket=bucket, Key="k")) == told
        answer = s3.head_object(Bucket=bucket, Key="k")
        assert ("TagCount" in answer) == told
        decisions = [
            one for draft in place.drafts(answer["ResponseMetadata"]["RequestId"]) for one in draft["decisions"]
        ]
        assert all(one["allowed"] for one in decisions)  # nobody is recorded as refused who has not asked


def test_existing_tags_decide(place: Place, bucket: str) -> None:
    """A right that rests on an object's tag is there with the tag, and gone without it, at once."""
    root = place.s3()
    root.put_object(Bucket=bucket, Key="k", Body=b"x")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/Team": "blue"}}
    reader = place.s3(place.new_user(allow("s3:GetObject", condition=tagged)))
    for document, allowed in (({"TagSet": []}, False), (ONE, True), (TWO, False), (ONE, True)):
        root.put_object_tagging(Bucket=bucket, Key="k", Tagging=document)
        if allowed:
            assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
        else:
            assert refusal(reader.get_object, Bucket=bucket, Key="k")[0] == 403
    assert refusal(reader.get_object, Bucket=bucket, Key="missing")[0] == 403


def test_the_source_of_a_copy_is_asked_for_its_own_tags(place: Place, bucket: str) -> None:
    """And the target's tags do not matter."""
    root = place.s3()
    root.put_object(Bucket=bucket, Key="blue", Body=b"x", Tagging="team=blue")
    root.put_object(Bucket=bucket, Key="red", Body=b"x", Tagging="team=red")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}
    policy = allow("s3:GetObject", "s3:GetObjectTagging", condition=tagged)
    policy["Statement"] += allow("s3:PutObject", "s3:PutObjectTagging")["Statement"]
    s3 = place.s3(place.new_user(policy))
    s3.copy_object(Bucket=bucket, Key="red", CopySource=f"{bucket}/blue")
    root.put_object(Bucket=bucket, Key="red", Body=b"x", Tagging="team=red")
    assert refusal(s3.copy_object, Bucket=bucket, Key="blue", CopySource=f"{bucket}/red")[0] == 403


@pytest.mark.parametrize(
    ("condition", "tagging", "allowed"),
    [
        ({"StringEquals": {"s3:RequestObjectTag/team": "blue"}}, "team=blue&x=1", True),
        ({"StringEquals": {"s3:RequestObjectTag/team": "blue"}}, "team=red", False),
        ({"StringEquals": {"s3:RequestObjectTag/team": "blue"}}, "x=1", False),
        ({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["team", "x"]}}, "team=a&x=1", True),
        ({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["team", "x"]}}, "team=a&y=1", False),
    ],
)
def test_tags_of_the_request_decide(
    place: Place, bucket: str, condition: dict[str, Any], tagging: str, allowed: bool
) -> None:
    """Whether they come in the header or in the document."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    s3 = place.s3(place.new_user(allow("s3:PutObject", "s3:PutObjectTagging", condition=condition)))
    pairs = [pair.partition("=") for pair in tagging.split("&")]
    document = {"TagSet": [{"Key": name, "Value": value} for name, _, value in pairs]}
    calls = ((s3.put_object, {"Body": b"x", "Tagging": tagging}), (s3.put_object_tagging, {"Tagging": document}))
    for call, members in calls:
        if allowed:
            call(Bucket=bucket, Key="k", **members)
        else:
            assert refusal(call, Bucket=bucket, Key="k", **members)[0] == 403


def test_a_change_that_rests_on_a_tag_does_not_come_after_the_tag(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the tag off between the decision and the commit: the right is gone, and nothing is written."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="team=blue")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}
    s3 = place.s3(place.new_user(allow("s3:PutObjectTagging", condition=tagged)))
    find, raced = get.find, list[bool]()

    def find_and_race(call: S3Call, bucket: Bucket, name: ObjectName) -> Object:
        found = find(call, bucket, name)
        if not raced:
            raced.append(True)
            call.services.store.write_sync(objects.set_tags, call.object_name, None)
        return found

    monkeypatch.setattr(get, "find", find_and_race)
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=TWO)[0] == 403
    assert raced
    assert read(place, bucket) == []


@pytest.mark.parametrize("operation", ["get", "head", "attributes", "tags", "copy"])
def test_what_is_read_has_the_tags_that_were_decided_by(
    place: Place, bucket: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another object takes the name between the decision and the look: its bytes go to nobody by the old tags."""
    root = place.s3()
    root.put_object(Bucket=bucket, Key="k", Body=b"open", Tagging="team=blue")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}
    policy = allow("s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectTagging", condition=tagged)
    policy["Statement"] += allow("s3:PutObject", "s3:PutObjectTagging")["Statement"]
    s3 = place.s3(place.new_user(policy))
    calls: dict[str, Any] = {
        "get": lambda: s3.get_object(Bucket=bucket, Key="k"),
        "head": lambda: s3.head_object(Bucket=bucket, Key="k"),
        "attributes": lambda: s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag"]),
        "tags": lambda: s3.get_object_tagging(Bucket=bucket, Key="k"),
        "copy": lambda: s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k"),
    }
    calls[operation]()
    find, raced = existing_tags.find, list[bool]()

    def find_and_race(call: S3Call, name: ObjectName) -> Pairs:
        found = find(call, name)
        if name.key == "k" and not raced:
            raced.append(True)
            call.services.store.write_sync(objects.set_tags, name, '{"team":"red"}')
        return found

    monkeypatch.setitem(rights._EXISTING_TAGS, "s3:existingobjecttag/", find_and_race)
    with pytest.raises(ClientError) as error:
        calls[operation]()
    assert raced
    # 503 is what SDKs try again; attributes ask for two rights, and the second one is asked for by the new tags.
    assert error_of(error.value)[0] == (403 if operation == "attributes" else 503)
    with pytest.raises(ClientError) as error:
        calls[operation]()
    assert error_of(error.value)[0] == 403


def test_tags_of_a_new_bucket_need_their_own_right(place: Place) -> None:
    """s3:TagResource, with the tags as conditions."""
    wanted: Any = {"CreateBucketConfiguration": {"Tags": ONE["TagSet"]}}
    name = f"{place.bucket()}-new"
    s3 = place.s3(place.new_user(allow("s3:CreateBucket")))
    assert "s3:TagResource" in refusal(s3.create_bucket, Bucket=name, **wanted)[2]
    policy = allow("s3:CreateBucket", "s3:TagResource", condition={"StringEquals": {"aws:RequestTag/team": "red"}})
    assert refusal(place.s3(place.new_user(policy)).create_bucket, Bucket=name, **wanted)[0] == 403
    policy = allow("s3:CreateBucket", "s3:TagResource", condition={"StringEquals": {"aws:RequestTag/team": "blue"}})
    place.s3(place.new_user(policy)).create_bucket(Bucket=name, **wanted)


def test_strangers_learn_nothing(place: Place, bucket: str) -> None:
    """Neither whether an object exists nor what is wrong with their document."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    s3 = place.s3(place.new_user(allow("s3:ListAllMyBuckets")))
    for key in ("k", "missing"):
        for call, members in (
            (s3.get_object_tagging, {}), (s3.delete_object_tagging, {}), (s3.put_object_tagging, {"Tagging": TWO}),
        ):  # fmt: skip
            assert refusal(call, Bucket=bucket, Key=key, **members)[:2] == (403, "AccessDenied")
    body = b"<Tagging><X/></Tagging>"
    stranger = place.new_user(allow("s3:ListAllMyBuckets"))
    assert place.send("PUT", f"/{bucket}/k?tagging", place.md5(body), body, user=stranger).code == "AccessDenied"
    assert place.raw("PUT", f"/{bucket}/k?tagging", place.md5(body), body).code == "AccessDenied"
