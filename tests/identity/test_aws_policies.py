"""The managed policies of AWS: they are there in every account, are read and attached, and nobody changes them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fuin.access.policy import PolicyKind, check_policy
from tests.identity.assuming import allow, assume, new_role, refused, session_of, trust, user_arn
from tests.identity.test_federation import outcome
from tests.support.place import ACCOUNT, Place

Names = Callable[[str], str]
DENIED = (403, "AccessDenied")
VERSIONS = {
    "AWSKeyManagementServicePowerUser": "v2", "AdministratorAccess": "v1", "AmazonS3FullAccess": "v2",
    "AmazonS3ReadOnlyAccess": "v3", "IAMFullAccess": "v2", "IAMReadOnlyAccess": "v4", "PowerUserAccess": "v12",
    "ReadOnlyAccess": "v178", "SecurityAudit": "v85", "job-function/ViewOnlyAccess": "v43",
}  # fmt: skip


def arn_of(name: str) -> str:
    """Return the ARN of a policy of AWS, with its path."""
    return f"arn:aws:iam::aws:policy/{name}"


def test_what_there_is(iam: Any) -> None:
    """Each is listed, read, and has one version, with a document that would be accepted if it were put."""
    listed = iam.list_policies(Scope="AWS")["Policies"]
    assert {policy["Arn"]: policy["DefaultVersionId"] for policy in listed} == {
        arn_of(name): version for name, version in VERSIONS.items()
    }
    for policy in listed:
        found = iam.get_policy(PolicyArn=policy["Arn"])["Policy"]
        assert (found["IsAttachable"], found["PolicyId"][:4], found["Arn"]) == (True, "ANPA", policy["Arn"])
        assert found["Description"]
        (version,) = iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]
        assert (version["VersionId"], version["IsDefaultVersion"]) == (policy["DefaultVersionId"], True)
        got = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=version["VersionId"])["PolicyVersion"]
        check_policy(json.dumps(got["Document"]), PolicyKind.MANAGED)
        assert iam.list_policy_tags(PolicyArn=policy["Arn"])["Tags"] == []
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = iam.get_policy_version(PolicyArn=arn_of("AdministratorAccess"), VersionId="v1")["PolicyVersion"][
        "Document"
    ]
    assert document == {"Version": "2012-10-17", "Statement": [everything]}


def test_what_there_is_not(iam: Any, unique: Names) -> None:
    """Others, other versions and other paths are NoSuchEntity, wherever they are named."""
    user = unique("user")
    iam.create_user(UserName=user)
    for name in ("AmazonEC2FullAccess", "ViewOnlyAccess", "job-function/AdministratorAccess", "administratoraccess"):
        for call, given in (
            (iam.get_policy, {"PolicyArn": arn_of(name)}),
            (iam.attach_user_policy, {"UserName": user, "PolicyArn": arn_of(name)}),
            (iam.put_user_permissions_boundary, {"UserName": user, "PermissionsBoundary": arn_of(name)}),
        ):
            assert refused(call, **given)[:2] == (404, "NoSuchEntity"), name
    missing = refused(iam.get_policy_version, PolicyArn=arn_of("AdministratorAccess"), VersionId="v2")
    assert missing[:2] == (404, "NoSuchEntity")
    own = f"arn:aws:iam::{ACCOUNT}:policy/AdministratorAccess"
    assert refused(iam.get_policy, PolicyArn=own)[:2] == (404, "NoSuchEntity")


def test_lists_by_scope(iam: Any, unique: Names) -> None:
    """Local, AWS, or both, in pages; an own policy may have the name of one of AWS."""
    path = f"/{unique('path')}/"
    own = iam.create_policy(PolicyName="ViewOnlyAccess", Path=path, PolicyDocument=json.dumps(allow("kms:ListKeys")))
    arn = own["Policy"]["Arn"]
    local, aws, every = (
        [policy["Arn"] for page in iam.get_paginator("list_policies").paginate(
            Scope=scope, PaginationConfig={"PageSize": 1}
        ) for policy in page["Policies"]]
        for scope in ("Local", "AWS", "All")
    )  # fmt: skip
    assert arn in local
    assert len(aws) == len(VERSIONS)
    assert sorted([*local, *aws]) == sorted(every)
    assert [policy["Arn"] for policy in iam.list_policies(PathPrefix=path)["Policies"]] == [arn]
    assert arn_of("job-function/ViewOnlyAccess") in {
        policy["Arn"] for policy in iam.list_policies(PathPrefix="/job-function/")["Policies"]
    }
    iam.delete_policy(PolicyArn=arn)


def test_nobody_changes_them(place: Place, iam: Any) -> None:
    """Not even the root: they are of another account."""
    arn, document = arn_of("ReadOnlyAccess"), json.dumps(allow("*"))
    root = place.new_user(allow("*"))
    for client in (iam, place.service("iam", root)):
        for call, given in (
            (client.create_policy_version, {"PolicyDocument": document, "SetAsDefault": True}),
            (client.set_default_policy_version, {"VersionId": "v178"}),
            (client.delete_policy_version, {"VersionId": "v178"}),
            (client.delete_policy, {}),
            (client.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
            (client.untag_policy, {"TagKeys": ["a"]}),
        ):
            status, code, text = refused(call, PolicyArn=arn, **given)
            assert (status, code) == DENIED
            assert f"on resource: policy {arn}" in text
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v178"


def test_reading_takes_the_right(place: Place) -> None:
    """iam:GetPolicy on the policy's ARN."""
    reader = place.new_user(allow("iam:GetPolicy", "arn:aws:iam::aws:policy/*"))
    iam = place.service("iam", reader)
    iam.get_policy(PolicyArn=arn_of("ReadOnlyAccess"))
    assert refused(iam.list_policy_versions, PolicyArn=arn_of("ReadOnlyAccess"))[:2] == DENIED


def test_each_allows_what_it_says(place: Place, iam: Any, unique: Names) -> None:
    """Attached to a user, each by itself: which of four calls it may make."""
    user = place.new_user()
    bucket, key = unique("bucket"), place.service("kms").create_key()["KeyMetadata"]["Arn"]
    place.service("s3").create_bucket(Bucket=bucket)
    kms, s3, own = place.service("kms", user), place.service("s3", user), place.service("iam", user)
    calls: dict[str, Callable[[], object]] = {
        "describe": lambda: kms.describe_key(KeyId=key),
        "encrypt": lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        "list": lambda: s3.list_objects_v2(Bucket=bucket),
        "put": lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="AES256"),
        "users": own.list_users,
        "tag": lambda: own.tag_user(UserName=user.name, Tags=[{"Key": "a", "Value": "b"}]),
    }
    expected = {
        "AWSKeyManagementServicePowerUser": "describe users", "AdministratorAccess": " ".join(calls),
        "AmazonS3FullAccess": "list put", "AmazonS3ReadOnlyAccess": "list", "IAMFullAccess": "users tag",
        "IAMReadOnlyAccess": "users", "PowerUserAccess": "describe encrypt list put",
        "ReadOnlyAccess": "describe list users", "SecurityAudit": "describe list users",
        "job-function/ViewOnlyAccess": "list users",
    }  # fmt: skip
    assert expected.keys() == VERSIONS.keys()
    for name, allowed in expected.items():
        iam.attach_user_policy(UserName=user.name, PolicyArn=arn_of(name))
        assert [one for one, call in calls.items() if not outcome(call)] == allowed.split(), name
        iam.detach_user_policy(UserName=user.name, PolicyArn=arn_of(name))
        assert outcome(calls["describe"]) == "AccessDeniedException"


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_attached(iam: Any, unique: Names, kind: str) -> None:
    """Attach, list, count, find who has it, detach, as with one's own policies."""
    member, name, arn = f"{kind.capitalize()}Name", unique("owner"), arn_of("SecurityAudit")
    more = {"AssumeRolePolicyDocument": json.dumps(trust(ACCOUNT))} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**{member: name}, **more)
    getattr(iam, f"attach_{kind}_policy")(**{member: name}, PolicyArn=arn)
    listed = getattr(iam, f"list_attached_{kind}_policies")(**{member: name})["AttachedPolicies"]
    assert listed == [{"PolicyName": "SecurityAudit", "PolicyArn": arn}]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert arn in {policy["Arn"] for policy in iam.list_policies(OnlyAttached=True)["Policies"]}
    (found,) = iam.list_entities_for_policy(PolicyArn=arn)[f"Policy{kind.capitalize()}s"]
    assert found[member] == name
    details = iam.get_account_authorization_details(Filter=["AWSManagedPolicy"])["Policies"]
    assert arn in {policy["Arn"] for policy in details if policy["AttachmentCount"] == 1}
    refusal = refused(getattr(iam, f"delete_{kind}"), **{member: name})
    assert refusal[:2] == (409, "DeleteConflict")
    getattr(iam, f"detach_{kind}_policy")(**{member: name}, PolicyArn=arn)
    getattr(iam, f"delete_{kind}")(**{member: name})
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


def test_accounts_see_their_own_attachments(place: Place, unique: Names) -> None:
    """Who has a policy of AWS in one account is not told to another."""
    iam, other = place.service("iam"), place.service("iam", place.other_root)
    name, arn = unique("user"), arn_of("IAMReadOnlyAccess")
    iam.create_user(UserName=name, PermissionsBoundary=arn)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    assert iam.get_user(UserName=name)["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    for client, count in ((iam, 1), (other, 0)):
        policy = client.get_policy(PolicyArn=arn)["Policy"]
        assert (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"]) == (count, count)
        holders = client.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]
        assert [user["UserName"] for user in holders] == [name] * count
        attached = {policy["Arn"] for policy in client.list_policies(Scope="AWS", OnlyAttached=True)["Policies"]}
        assert (arn in attached) is bool(count)
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    iam.delete_user(UserName=name)


def test_as_boundary_and_in_sessions(place: Place, iam: Any) -> None:
    """As a boundary, and as managed session policies of AssumeRole and GetFederationToken, they limit."""
    alice = place.new_user(allow(["kms:*", "sts:*"]))
    arn = arn_of("AWSKeyManagementServicePowerUser")
    key = place.service("kms").create_key()["KeyMetadata"]["Arn"]
    role = new_role(place, trust(user_arn(alice)), allow("kms:*"))
    given = {"PolicyArns": [{"arn": arn}]}
    sts = place.service("sts", alice)
    for session in (assume(place, role, alice, **given), session_of(sts.get_federation_token(Name="bob", **given))):
        kms = session.client(place, "kms")
        kms.describe_key(KeyId=key)
        assert "no session policy allows" in refused(kms.encrypt, KeyId=key, Plaintext=b"x")[2]
    iam.put_user_permissions_boundary(UserName=alice.name, PermissionsBoundary=arn)
    kms = place.service("kms", alice)
    kms.describe_key(KeyId=key)
    assert "no permissions boundary allows" in refused(kms.encrypt, KeyId=key, Plaintext=b"x")[2]
