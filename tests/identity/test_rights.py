"""Who may administer identities: nobody without a right, which comes before existence and may have conditions."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.identity.operations import IAM
from tests.identity.test_roles import TRUST
from tests.support.place import ACCOUNT, ANYTHING, OTHER_ACCOUNT, Place, error_of
from tests.support.server import User

Names = Callable[[str], str]
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/none"
MEMBERS: dict[str, Any] = {
    "UserName": "somebody", "GroupName": "some", "RoleName": "some", "PolicyName": "some", "PolicyArn": POLICY,
    "PolicyDocument": json.dumps(ANYTHING), "AssumeRolePolicyDocument": TRUST, "AccessKeyId": "AKIA" + "X" * 16,
    "Status": "Active", "Tags": [{"Key": "a", "Value": "1"}], "TagKeys": ["a"], "PermissionsBoundary": POLICY,
    "VersionId": "v1", "Description": "x", "PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/somebody",
    "PolicyInputList": [json.dumps(ANYTHING)], "ActionNames": ["kms:Decrypt"], "AccountAlias": "some",
    "OldPassword": "an old one", "NewPassword": "a new one", "InstanceProfileName": "some",
    "AWSServiceName": "autoscaling.amazonaws.com",
    "DeletionTaskId": "task/aws-service-role/some.amazonaws.com/some/" + "0" * 36,
}  # fmt: skip


def may(action: object, resource: object = "*", **more: Any) -> dict[str, Any]:
    """Return a policy of one statement that allows."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture(scope="module")
def nobody(place: Place) -> User:
    """Give a user without any right."""
    return place.new_user()


@pytest.mark.parametrize("name", sorted(IAM.operations))
def test_nothing_without_a_right(place: Place, nobody: User, name: str) -> None:
    """Every operation refuses who has no right, in AWS's words, whether what it names exists or not."""
    shape = IAM.model.load().operation_model(name).input_shape
    required = [] if shape is None else shape.required_members
    given = {member: MEMBERS[member] for member in required}
    client = place.service("iam", nobody)
    method = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}[name]
    with pytest.raises(ClientError) as refused:
        getattr(client, method)(**given)
    status, code, message = error_of(refused.value)
    assert (status, code) == (403, "AccessDenied")
    assert message.startswith(
        f"User: arn:aws:iam::{ACCOUNT}:user/{nobody.name} is not authorized to perform: iam:{name} on resource: "
    )


def test_right_on_one_user_is_none_on_another(place: Place, iam: Any, unique: Names) -> None:
    """Rights are on ARNs, in which the path is."""
    admin = place.service("iam", place.new_user(may("iam:*", f"arn:aws:iam::{ACCOUNT}:user/team/*")))
    mine, other = unique("mine"), unique("other")
    admin.create_user(UserName=mine, Path="/team/")
    admin.get_user(UserName=mine)
    iam.create_user(UserName=other)
    for call, given in (
        (admin.get_user, {"UserName": other}),
        (admin.create_user, {"UserName": unique("pathless")}),
        (admin.update_user, {"UserName": mine, "NewPath": "/elsewhere/"}),
        (admin.list_users, {}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**given)
        assert error_of(refused.value)[1] == "AccessDenied"
    admin.list_users(PathPrefix="/team/")


def test_boundary_is_a_condition_of_creation(place: Place, unique: Names, iam: Any) -> None:
    """AWS's way to let somebody make users who may do no more than a boundary says."""
    boundary = iam.create_policy(PolicyName=unique("b"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    admin = place.service("iam", place.new_user(may(["iam:CreateUser", "iam:PutUserPolicy"], Condition=condition)))
    with pytest.raises(ClientError) as refused:
        admin.create_user(UserName=unique("unbounded"))
    assert error_of(refused.value)[1] == "AccessDenied"
    bounded, free = unique("bounded"), unique("free")
    admin.create_user(UserName=bounded, PermissionsBoundary=boundary)
    admin.put_user_policy(UserName=bounded, PolicyName="p", PolicyDocument=json.dumps(ANYTHING))
    iam.create_user(UserName=free)
    with pytest.raises(ClientError):
        admin.put_user_policy(UserName=free, PolicyName="p", PolicyDocument=json.dumps(ANYTHING))


def test_boundary_is_no_condition_of_deletion(place: Place, unique: Names, iam: Any) -> None:
    """AWS brings iam:PermissionsBoundary to some actions only: DeleteUser and CreateAccessKey are none of them."""
    boundary = iam.create_policy(PolicyName=unique("b"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    bounded = unique("bounded")
    iam.create_user(UserName=bounded, PermissionsBoundary=boundary)
    admin = place.service(
        "iam", place.new_user(may("iam:*", Condition={"ArnLike": {"iam:PermissionsBoundary": boundary}}))
    )
    admin.put_user_permissions_boundary(UserName=bounded, PermissionsBoundary=boundary)
    for call in (admin.delete_user, admin.create_access_key, admin.get_user):
        with pytest.raises(ClientError) as refused:
            call(UserName=bounded)
        assert error_of(refused.value)[1] == "AccessDenied"


def test_policy_is_a_condition_of_attaching(place: Place, iam: Any, unique: Names) -> None:
    """iam:PolicyARN limits which policies somebody may hand out."""
    arns = [
        iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
        for _ in range(2)
    ]
    condition = {"ArnEquals": {"iam:PolicyARN": arns[0]}}
    admin = place.service("iam", place.new_user(may("iam:AttachUserPolicy", Condition=condition)))
    user = unique("u")
    iam.create_user(UserName=user)
    admin.attach_user_policy(UserName=user, PolicyArn=arns[0])
    with pytest.raises(ClientError) as refused:
        admin.attach_user_policy(UserName=user, PolicyArn=arns[1])
    assert error_of(refused.value)[1] == "AccessDenied"


def test_tags_are_conditions(place: Place, iam: Any, unique: Names) -> None:
    """Tags of the request and of the resource; tags at creation need the right to tag."""
    blue = {"StringEquals": {"aws:RequestTag/Team": "blue"}}
    maker = place.service("iam", place.new_user(may(["iam:CreateUser", "iam:TagUser"], Condition=blue)))
    untagger = place.service("iam", place.new_user(may("iam:CreateUser")))
    deleter_rights = may("iam:DeleteUser", Condition={"StringEquals": {"aws:ResourceTag/Team": "blue"}})
    deleter = place.service("iam", place.new_user(deleter_rights))
    tags = [{"Key": "Team", "Value": "blue"}]
    name, red = unique("blue"), unique("red")
    with pytest.raises(ClientError):
        maker.create_user(UserName=name)
    with pytest.raises(ClientError) as refused:
        untagger.create_user(UserName=name, Tags=tags)
    assert "iam:TagUser" in error_of(refused.value)[2]
    maker.create_user(UserName=name, Tags=tags)
    iam.create_user(UserName=red, Tags=[{"Key": "Team", "Value": "red"}])
    deleter.delete_user(UserName=name)
    with pytest.raises(ClientError) as refused:
        deleter.delete_user(UserName=red)
    assert error_of(refused.value)[1] == "AccessDenied"


def test_accounts_are_apart(place: Place, iam: Any, unique: Names) -> None:
    """Each account has its own users; another account's are not even there."""
    name = unique("same")
    other = place.service("iam", place.other_root)
    assert iam.create_user(UserName=name)["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    with pytest.raises(ClientError) as refused:
        other.get_user(UserName=name)
    assert error_of(refused.value)[1] == "NoSuchEntity"
    assert other.create_user(UserName=name)["User"]["Arn"] == f"arn:aws:iam::{OTHER_ACCOUNT}:user/{name}"
    other.delete_user(UserName=name)
    iam.get_user(UserName=name)


def test_region_of_iam_is_nobodys_choice(place: Place, unique: Names) -> None:
    """Who may do anything in one Region does not get IAM by signing for that Region: IAM's is us-east-1, as on AWS."""
    for region, allowed in (("eu-west-1", False), ("us-east-1", True)):
        user = place.new_user(may("*", Condition={"StringEquals": {"aws:RequestedRegion": region}}))
        for signed_for in ("eu-west-1", "us-east-1"):
            client = place.service("iam", user, region=signed_for)
            if allowed:
                client.create_user(UserName=unique("made"))
                continue
            with pytest.raises(ClientError) as refused:
                client.create_user(UserName=unique("made"))
            assert error_of(refused.value)[1] == "AccessDenied"


def test_right_that_was_taken_away_is_gone_at_once(place: Place, iam: Any, unique: Names) -> None:
    """An administrator whose policy was deleted makes nobody any more."""
    admin = place.new_user(ANYTHING)
    client = place.service("iam", admin)
    client.create_user(UserName=unique("first"))
    iam.delete_user_policy(UserName=admin.name, PolicyName="own")
    with pytest.raises(ClientError) as refused:
        client.create_user(UserName=unique("second"))
    assert error_of(refused.value)[1] == "AccessDenied"
