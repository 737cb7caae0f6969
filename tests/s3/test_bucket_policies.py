"""PutBucketPolicy over HTTP: S3's sentences with their details, and who may look after a bucket's policy."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.formats import notes
from tests.support.place import OTHER_ACCOUNT, Place, error_of
from tests.support.policies import allow

EVERYTHING = ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"]


def of(bucket: str, **members: Any) -> str:
    """Return a policy of one statement that lets everybody read, with some members changed."""
    item = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [item | members]}).replace("BUCKET", bucket)


@pytest.mark.parametrize(
    ("members", "sentence", "detail"),
    [
        ({"Resource": "*"}, "Policy has invalid resource", "statement 1: *"),
        ({"Sid": "mine", "Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement",
         'statement "mine": s3:ListBucket on arn:aws:s3:::BUCKET/*'),
        ({"Condition": {"StringEquals": {"s3:prefix": "a"}}},
         "Conditions do not apply to combination of actions and resources in statement", "statement 1: s3:GetObject"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}}, "Invalid principal in policy",
         '"AWS" : "arn:aws:iam::123456789012:user/nobody"'),
        ({"Principal": {"AWS": "999999999999"}}, "Invalid principal in policy", '"AWS" : "999999999999"'),
        ({"Principal": {"AWS": "AIDAAAAAAAAAAAAAAAAAA"}}, "Invalid principal in policy",
         '"AWS" : "AIDAAAAAAAAAAAAAAAAAA"'),
        ({"Sid": "x" * 20_480}, "Normalized policy document exceeds the maximum allowed size of 20480 bytes", ""),
    ],
)  # fmt: skip
def test_sentences_and_details(place: Place, bucket: str, members: dict[str, Any], sentence: str, detail: str) -> None:
    """The message is S3's own and nothing more; the detail says where and what."""
    body = of(bucket, **members).encode()
    reply = place.send("PUT", f"/{bucket}?policy", place.md5(body), body)
    assert (reply.status, reply.code, reply.message) == (400, "MalformedPolicy", sentence)
    assert reply.text("Detail") == detail.replace("BUCKET", bucket)
    assert place.send("GET", f"/{bucket}?policy").code == "NoSuchBucketPolicy"


def test_a_policy_that_is_not_text(place: Place, bucket: str) -> None:
    """Bytes that are no UTF-8 are no JSON."""
    reply = place.send("PUT", f"/{bucket}?policy", place.md5(b'{"\xff'), b'{"\xff')
    assert (reply.code, reply.message) == ("MalformedPolicy", "This policy contains invalid Json")


def test_a_policy_about_ipv6(place: Place, bucket: str) -> None:
    """Ranges of both families may stand together; the request from ::1 or 127.0.0.1 is in one of them."""
    ranges = ["2001:db8:1234::/48", "::1/128", "127.0.0.0/8"]
    place.s3().put_bucket_policy(Bucket=bucket, Policy=of(bucket, Condition={"IpAddress": {"aws:SourceIp": ranges}}))
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    assert place.raw("GET", f"/{bucket}/k", {}).body == b"x"
    place.s3().put_bucket_policy(
        Bucket=bucket, Policy=of(bucket, Condition={"IpAddress": {"aws:SourceIp": ranges[:1]}})
    )
    assert place.raw("GET", f"/{bucket}/k", {}).status == 403


def test_white_space_does_not_count(place: Place, bucket: str) -> None:
    """A policy that is long because it is laid out nicely is taken, and given back as it was put."""
    document = of(bucket, Principal={"AWS": OTHER_ACCOUNT}).replace("{", "{" + " " * 10_000)
    place.s3().put_bucket_policy(Bucket=bucket, Policy=document)
    assert place.s3().get_bucket_policy(Bucket=bucket)["Policy"] == document


def test_the_policy_is_on_the_record(place: Place, bucket: str) -> None:
    """The audit record holds what was put, or the hash of what is long."""
    other = {"AWS": OTHER_ACCOUNT}
    for document, shown in (
        (of(bucket, Principal=other), of(bucket, Principal=other)),
        (long := of(bucket, Principal=other, Sid="x" * 9_000), notes.text_note(long)),
    ):
        put = place.s3().put_bucket_policy(Bucket=bucket, Policy=document)
        records = place.drafts(put["ResponseMetadata"]["RequestId"])
        assert [record["facts"]["policy"] for record in records] == [shown] * len(records)


def test_another_account_never_handles_the_policy(place: Place, bucket: str) -> None:
    """Who is let do everything by the bucket policy, and is of another account, gets a 405: AWS's answer."""
    place.s3().put_bucket_policy(
        Bucket=bucket, Policy=of(bucket, Principal={"AWS": OTHER_ACCOUNT}, Action="s3:*", Resource=EVERYTHING)
    )
    stranger = place.add_user(allow("s3:*"), account=OTHER_ACCOUNT)
    theirs = place.s3(stranger)
    theirs.put_object(Bucket=bucket, Key="k", Body=b"x")
    takeover = of(bucket, Effect="Deny", Action="s3:*", Resource=EVERYTHING)
    for operation, members in (
        ("put_bucket_policy", {"Policy": takeover}),
        ("get_bucket_policy", {}),
        ("delete_bucket_policy", {}),
    ):
        with pytest.raises(ClientError) as error:
            getattr(theirs, operation)(Bucket=bucket, **members)
        assert error_of(error.value)[:2] == (405, "MethodNotAllowed")
    place.s3().delete_bucket_policy(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        theirs.get_bucket_policy(Bucket=bucket)
    assert error_of(error.value)[:2] == (403, "AccessDenied")


def test_the_owners_root_is_never_locked_out(place: Place, bucket: str) -> None:
    """A policy that denies everybody everything is still read, replaced and removed by the root of the account."""
    denial = of(bucket, Effect="Deny", Action="s3:*", Resource=EVERYTHING)
    place.s3().put_bucket_policy(Bucket=bucket, Policy=denial)
    user = place.add_user(allow("s3:*"))
    with pytest.raises(ClientError):
        place.s3(user).delete_bucket_policy(Bucket=bucket)
    with pytest.raises(ClientError):
        place.s3().list_objects_v2(Bucket=bucket)
    assert place.s3().get_bucket_policy(Bucket=bucket)["Policy"] == denial
    place.s3().put_bucket_policy(Bucket=bucket, Policy=denial)
    place.s3().delete_bucket_policy(Bucket=bucket)
    assert place.s3().list_objects_v2(Bucket=bucket)["KeyCount"] == 0
