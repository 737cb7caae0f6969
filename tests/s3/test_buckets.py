"""Buckets and their policies: names, owners, regions, and who may do what."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place, error_of
from tests.support.policies import allow


def user_arn(name: str) -> str:
    """Return the ARN of a user of the first account."""
    return f"arn:aws:iam::123456789012:user/{name}"


def test_life_of_a_bucket(place: Place) -> None:
    """Made, found, listed, deleted; a full one is not deleted."""
    s3 = place.s3()
    bucket = place.bucket("life")
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    assert bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=bucket)
    assert error_of(error.value)[:2] == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket=bucket)
    assert error_of(error.value)[0] == 404


def test_unfinished_uploads_go_with_their_bucket(place: Place) -> None:
    """A bucket with nothing but an unfinished upload can be deleted, and its parts are."""
    s3, bucket, before = place.s3(), place.bucket("unfinished"), set(place.blobs())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    s3.delete_bucket(Bucket=bucket)
    place.settle()
    assert set(place.blobs()) == before


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-start",
        "end-",
        "a..b",
        "a-.b",
        "a.-b",
        "192.168.1.1",
        "xn--a",
        "sthree-a",
        "a-s3alias",
    ],
)
def test_wrong_names(place: Place, name: str) -> None:
    """S3's rules for names hold."""
    reply = place.send("PUT", f"/{name}")
    assert (reply.status, reply.code) == (400, "InvalidBucketName")


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("x-amz-acl", "public-read", 400, "InvalidBucketAclWithObjectOwnership"),
        ("x-amz-grant-read", "uri=x", 400, "InvalidBucketAclWithObjectOwnership"),
        ("x-amz-object-ownership", "ObjectWriter", 501, "NotImplemented"),
    ],
)
def test_new_bucket_without_what_is_not_built(place: Place, header: str, value: str, status: int, code: str) -> None:
    """A bucket with ACLs is refused in AWS's words, and not made."""
    reply = place.send("PUT", "/with-what-is-not-built", {header: value})
    assert (reply.status, reply.code) == (status, code)
    assert place.send("HEAD", "/with-what-is-not-built").status == 404


def test_names_are_unique(place: Place) -> None:
    """One's own bucket can be made again in its region; another account's cannot."""
    bucket = place.bucket("taken")
    place.s3().create_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        place.s3(place.other_root).create_bucket(Bucket=bucket)
    assert error_of(error.value)[:2] == (409, "BucketAlreadyExists")
    with pytest.raises(ClientError) as error:
        place.s3().create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert error_of(error.value)[:2] == (409, "BucketAlreadyOwnedByYou")


def test_regions(place: Place) -> None:
    """A bucket is where its constraint says, us-east-1 being the empty one; EU is an old name."""
    s3 = place.s3()
    for number, (given, told) in enumerate([("eu-west-1", "eu-west-1"), ("EU", "eu-west-1"), (None, None)]):
        name = f"region-{number}"
        where = {"CreateBucketConfiguration": {"LocationConstraint": given}} if given else {}
        s3.create_bucket(Bucket=name, **where)
        assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == told
    assert place.send("PUT", "/region-x", {}, b"<CreateBucketConfiguration><LocationConstraint>x y"
                      b"</LocationConstraint></CreateBucketConfiguration>").status == 400  # fmt: skip


def test_keys_are_looked_for_in_the_buckets_region(place: Place) -> None:
    """A bucket in another region takes keys of that region only."""
    place.s3().create_bucket(Bucket="in-tokyo", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    key = place.kms(region="ap-northeast-1").create_key()["KeyMetadata"]["Arn"]
    kms = {"ServerSideEncryption": "aws:kms"}
    done = place.s3().put_object(Bucket="in-tokyo", Key="k", Body=b"x", **kms, SSEKMSKeyId=key)
    assert done["SSEKMSKeyId"] == key
    assert place.s3().get_object(Bucket="in-tokyo", Key="k")["Body"].read() == b"x"
    done = place.s3().put_object(Bucket="in-tokyo", Key="k", Body=b"x", **kms)
    assert ":ap-northeast-1:" in done["SSEKMSKeyId"]
    with pytest.raises(ClientError) as error:
        place.s3().put_object(Bucket="in-tokyo", Key="k", Body=b"x", **kms, SSEKMSKeyId=place.new_key())
    assert error_of(error.value) == (400, "KMS.NotFoundException", "Invalid arn us-east-1")


def test_buckets_are_listed_for_their_account(place: Place) -> None:
    """Each account sees its own, page by page."""
    for number in range(3):
        place.s3(place.other_root).create_bucket(Bucket=f"other-{number}")
    s3 = place.s3(place.other_root)
    first = s3.list_buckets(MaxBuckets=2, Prefix="other-")
    assert [item["Name"] for item in first["Buckets"]] == ["other-0", "other-1"]
    rest = s3.list_buckets(ContinuationToken=first["ContinuationToken"], Prefix="other-")
    assert [item["Name"] for item in rest["Buckets"]] == ["other-2"]
    assert not [item for item in place.s3().list_buckets()["Buckets"] if item["Name"].startswith("other-")]


RIGHTS: list[tuple[str, str, dict[str, Any]]] = [
    ("list_objects_v2", "s3:ListBucket", {}),
    ("head_bucket", "s3:ListBucket", {}),
    ("get_bucket_location", "s3:GetBucketLocation", {}),
    ("get_bucket_versioning", "s3:GetBucketVersioning", {}),
    ("get_bucket_encryption", "s3:GetEncryptionConfiguration", {}),
    ("delete_bucket_encryption", "s3:PutEncryptionConfiguration", {}),
    ("delete_bucket_policy", "s3:DeleteBucketPolicy", {}),
    ("list_multipart_uploads", "s3:ListBucketMultipartUploads", {}),
    ("get_object", "s3:GetObject", {"Key": "k"}),
    ("head_object", "s3:GetObject", {"Key": "k"}),
    ("put_object", "s3:PutObject", {"Key": "k", "Body": b"x"}),
    ("delete_object", "s3:DeleteObject", {"Key": "k"}),
    ("create_multipart_upload", "s3:PutObject", {"Key": "k"}),
]


@pytest.mark.parametrize(("name", "action", "members"), RIGHTS, ids=[row[0] for row in RIGHTS])
def test_each_operation_needs_its_right(
    place: Place, bucket: str, name: str, action: str, members: dict[str, Any]
) -> None:
    """Everything but the one action is not enough; the one action is."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    policy = allow("s3:*")
    policy["Statement"].append({"Effect": "Deny", "Action": action, "Resource": "*"})
    user = place.add_user(policy)
    with pytest.raises(ClientError) as error:
        getattr(place.s3(user), name)(Bucket=bucket, **members)
    assert error_of(error.value)[0] == 403
    place.set_policy(user, allow(action))
    getattr(place.s3(user), name)(Bucket=bucket, **members)


def test_rights_come_before_existence(place: Place, bucket: str) -> None:
    """Who may not read learns nothing; who may read but not list learns only that access is denied."""
    user = place.add_user(allow("s3:PutObject"))
    for target in (f"/{bucket}/none", "/no-such-bucket-x/none"):
        reply = place.send("GET", target, user=user)
        assert (reply.status, reply.code) == (403, "AccessDenied")
    place.set_policy(user, allow("s3:GetObject"))
    reply = place.send("GET", f"/{bucket}/none", user=user)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert "s3:ListBucket" in reply.message
    place.set_policy(user, allow("s3:GetObject", "s3:ListBucket"))
    assert place.send("GET", f"/{bucket}/none", user=user).code == "NoSuchKey"


def test_bucket_policy_lets_others_in(place: Place, bucket: str) -> None:
    """A bucket policy gives a user of the account rights, and takes them by an explicit deny."""
    user = place.add_user()
    arn = user_arn(user.name)
    objects = f"arn:aws:s3:::{bucket}/in/*"
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:*Object", "Resource": objects}
    place.put_policy(bucket, statement)
    s3 = place.s3(user)
    s3.put_object(Bucket=bucket, Key="in/k", Body=b"x")
    assert place.send("PUT", f"/{bucket}/out/k", {}, b"x", user=user).status == 403
    place.put_policy(bucket, statement, statement | {"Effect": "Deny", "Action": "s3:GetObject"})
    reply = place.send("GET", f"/{bucket}/in/k", user=user)
    assert reply.status == 403
    assert "explicit deny" in reply.message
    assert json.loads(place.s3().get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Resource"] == objects
    place.s3().delete_bucket_policy(Bucket=bucket)
    assert place.send("PUT", f"/{bucket}/in/k", {}, b"x", user=user).status == 403
    assert place.send("GET", f"/{bucket}?policy").code == "NoSuchBucketPolicy"


def test_other_accounts_need_both_sides(place: Place, bucket: str) -> None:
    """Another account's user needs the bucket policy and its own policy."""
    user = place.add_user(account="210987654321")
    arn = f"arn:aws:iam::210987654321:user/{user.name}"
    place.put_policy(
        bucket,
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"},
    )
    assert place.send("PUT", f"/{bucket}/k", {}, b"x", user=user).status == 403
    place.set_policy(user, allow("s3:PutObject"), "210987654321")
    assert place.send("PUT", f"/{bucket}/k", {}, b"x", user=user).status == 200


def test_policy_can_demand_encryption(place: Place, bucket: str) -> None:
    """The usual policy that denies writes without aws:kms works."""
    place.put_policy(
        bucket,
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
         "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}},
    )  # fmt: skip
    s3 = place.s3()
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert error_of(error.value)[0] == 403
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")


def policy_of(**members: Any) -> str:
    """Return a policy of one statement that allows everybody to read, with some members changed."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | members]})


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "{",
        "[]",
        policy_of(Principal=None),
        policy_of(Resource="arn:aws:s3:::another-bucket/*"),
        policy_of(Resource="*"),
        policy_of(Condition={"NoSuchOperator": {"a": "b"}}),
        policy_of(Unknown="x"),
        policy_of(Sid="x" * 20_480),
    ],
)
def test_policies_with_anything_unknown_are_refused(place: Place, bucket: str, policy: str) -> None:
    """A policy that cannot be understood, or speaks of another bucket, is not put."""
    body = policy.replace("BUCKET", bucket).encode()
    reply = place.send("PUT", f"/{bucket}?policy", place.md5(body), body)
    assert (reply.status, reply.code) == (400, "MalformedPolicy")
    assert place.send("GET", f"/{bucket}?policy").code == "NoSuchBucketPolicy"


def test_expected_owner(place: Place, bucket: str) -> None:
    """x-amz-expected-bucket-owner must be the owner."""
    assert place.send("HEAD", f"/{bucket}", {"x-amz-expected-bucket-owner": "123456789012"}).status == 200
    assert place.send("HEAD", f"/{bucket}", {"x-amz-expected-bucket-owner": "999999999999"}).status == 403
    answer = place.send("GET", f"/{bucket}", {"x-amz-expected-bucket-owner": "me"})
    assert (answer.status, answer.code) == (400, "InvalidBucketOwnerAWSAccountID")
    place.s3().put_object(Bucket=bucket, Key="kept", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        place.s3().delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": "kept"}]}, ExpectedBucketOwner="999999999999"
        )
    assert place.s3().list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_each_deleted_object_needs_its_right(place: Place, bucket: str) -> None:
    """DeleteObjects deletes what the caller may, and tells of the rest."""
    for name in ("in/1", "out/1"):
        place.s3().put_object(Bucket=bucket, Key=name, Body=b"x")
    user = place.add_user(allow("s3:DeleteObject", resource=f"arn:aws:s3:::{bucket}/in/*"))
    done = place.s3(user).delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "in/1"}, {"Key": "out/1"}]})
    assert [item["Key"] for item in done["Deleted"]] == ["in/1"]
    assert [(item["Key"], item["Code"]) for item in done["Errors"]] == [("out/1", "AccessDenied")]
    assert place.s3().list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize(
    "body",
    [
        "<Delete/>",
        "<Delete><Object/></Delete>",
        "<Other/>",
        "<Delete><Object><Key>a</Key><X/></Object></Delete>",
        "<Delete>" + "<Object><Key>a</Key></Object>" * 1001 + "</Delete>",
    ],
)
def test_malformed_deletes(place: Place, bucket: str, body: str) -> None:
    """One to a thousand objects with a key each, and nothing else."""
    reply = place.send("POST", f"/{bucket}?delete", place.md5(body.encode()), body.encode())
    assert (reply.status, reply.code) == (400, "MalformedXML")
