"""ACLs are off: the owner has full control, an ACL that says so is taken, and every other one is refused."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import ACCOUNT, Place, error_of
from tests.support.policies import allow

OTHER = "210987654321"
OWNER = {"ID": ACCOUNT}
GRANTS = [{"Grantee": {"ID": ACCOUNT, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]
EVERYONE = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}


def _policy(*grants: dict[str, Any], owner: str = ACCOUNT) -> dict[str, Any]:
    return {"AccessControlPolicy": {"Owner": {"ID": owner}, "Grants": list(grants)}}


def test_the_owner_has_full_control(place: Place, bucket: str) -> None:
    """Of the bucket and of every object in it, also of one that another account has stored."""
    s3 = place.s3()
    other = place.add_user(allow("s3:PutObject"), account=OTHER)
    place.put_policy(bucket, {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "s3:PutObject",
                              "Resource": f"arn:aws:s3:::{bucket}/*"})  # fmt: skip
    assert place.send("PUT", f"/{bucket}/k", {"x-amz-acl": "bucket-owner-full-control"}, b"x", user=other).status == 200
    for answer in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        assert (answer["Owner"], answer["Grants"]) == (OWNER, GRANTS)


TAKEN: list[dict[str, Any]] = [
    {"ACL": "private"},
    {"ACL": "bucket-owner-full-control"},
    {"GrantFullControl": f'id="{ACCOUNT}"'},
    _policy(*GRANTS),
]
REFUSED: list[dict[str, Any]] = [
    {"ACL": "public-read"},
    {"ACL": "authenticated-read"},
    {"GrantFullControl": f"id={OTHER}"},
    {"GrantFullControl": f"id={ACCOUNT},id={OTHER}"},
    {"GrantRead": f"id={ACCOUNT}"},
    {"GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
    {"ACL": "private", "GrantReadACP": 'emailAddress="a@example.com"'},
    _policy(*GRANTS, owner=OTHER),
    _policy(),
    _policy({**GRANTS[0], "Permission": "READ"}),
    _policy(*GRANTS, {"Grantee": EVERYONE, "Permission": "READ"}),
    _policy({"Grantee": {**EVERYONE, "ID": ACCOUNT}, "Permission": "FULL_CONTROL"}),
    _policy({"Grantee": {"Type": "AmazonCustomerByEmail", "EmailAddress": "a@example.com", "ID": ACCOUNT},
             "Permission": "FULL_CONTROL"}),
]  # fmt: skip


def _names(members: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}"[:60] for name, value in members.items())


@pytest.mark.parametrize("members", TAKEN, ids=_names)
def test_what_is_so_anyway_is_taken(place: Place, bucket: str, members: dict[str, Any]) -> None:
    """The owner's full control, in whatever form, for a bucket and for an object."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_acl(Bucket=bucket, **members)
    s3.put_object_acl(Bucket=bucket, Key="k", **members)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == s3.get_object_acl(Bucket=bucket, Key="k")["Grants"] == GRANTS
    if "AccessControlPolicy" not in members:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **members)
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, **members)
        s3.create_multipart_upload(Bucket=bucket, Key="u", **members)


@pytest.mark.parametrize("members", REFUSED, ids=_names)
def test_every_other_acl_is_refused(place: Place, bucket: str, members: dict[str, Any]) -> None:
    """AWS's answer on a bucket with ACLs off; nothing is written, and everybody is as far out as before."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    asked: list[tuple[str, dict[str, Any]]] = [("put_bucket_acl", {}), ("put_object_acl", {"Key": "k"})]
    if "AccessControlPolicy" not in members:
        asked.append(("put_object", {"Key": "new", "Body": b"x"}))
        asked.append(("copy_object", {"Key": "new", "CopySource": {"Bucket": bucket, "Key": "k"}}))
        asked.append(("create_multipart_upload", {"Key": "new"}))
    for operation, more in asked:
        with pytest.raises(ClientError) as error:
            getattr(s3, operation)(Bucket=bucket, **more, **members)
        assert error_of(error.value) == (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
    assert place.send("HEAD", f"/{bucket}/new").status == 404
    assert place.raw("GET", f"/{bucket}/k", {}).status == 403


@pytest.mark.parametrize("name", ["", "/k"])
def test_a_request_has_one_acl(place: Place, bucket: str, name: str) -> None:
    """None at all lacks its header, and one in the headers has no place beside one in the body."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    assert place.send("PUT", f"/{bucket}{name}?acl").code == "MissingSecurityHeader"
    body = b"<AccessControlPolicy/>"
    assert place.send("PUT", f"/{bucket}{name}?acl", {"x-amz-acl": "private"}, body).code == "UnexpectedContent"
    assert place.send("PUT", f"/{bucket}{name}?acl", {}, body).code == "MalformedXML"
    assert place.send("PUT", f"/{bucket}/none?acl", {"x-amz-acl": "private"}).code == "NoSuchKey"


def test_policies_may_ask_for_the_acl_that_is_put(place: Place, bucket: str) -> None:
    """s3:x-amz-acl comes with PutBucketAcl and PutObjectAcl as with PutObject."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    policy = allow("s3:PutObjectAcl", "s3:PutBucketAcl")
    policy["Statement"][0]["Condition"] = {"StringEquals": {"s3:x-amz-acl": "private"}}
    user = place.add_user(policy)
    for name in ("", "/k"):
        assert place.send("PUT", f"/{bucket}{name}?acl", {"x-amz-acl": "private"}, user=user).status == 200
        chosen = {"x-amz-acl": "bucket-owner-full-control"}
        assert place.send("PUT", f"/{bucket}{name}?acl", chosen, user=user).status == 403


def test_a_new_bucket_may_say_what_holds(place: Place) -> None:
    """Private and BucketOwnerEnforced are what every new bucket is."""
    headers = {"x-amz-acl": "private", "x-amz-object-ownership": "BucketOwnerEnforced"}
    assert place.send("PUT", "/says-what-holds", headers).status == 200
    answer = place.s3().get_bucket_ownership_controls(Bucket="says-what-holds")
    assert answer["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
