"""Roles: create, get, list, update, delete; trust policies, tags and boundaries."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import ACCOUNT, ANYTHING, OTHER_ACCOUNT, error_of

Names = Callable[[str], str]


def trusting(principal: str, **condition: Any) -> str:
    """Return a trust policy that names one principal."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = trusting(f"arn:aws:iam::{ACCOUNT}:root")


def test_role_is_made_shown_and_removed(iam: Any, unique: Names) -> None:
    """Everything that is said of a role is shown again; the trust policy comes back as it was put."""
    name = unique("role")
    boundary = iam.create_policy(PolicyName=unique("b"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    made = iam.create_role(
        RoleName=name, Path="/ci/", AssumeRolePolicyDocument=TRUST, Description="builds", MaxSessionDuration=7200,
        PermissionsBoundary=boundary, Tags=[{"Key": "Team", "Value": "blue"}],
    )["Role"]  # fmt: skip
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ci/{name}"
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)  # boto3 decodes it
    shown = iam.get_role(RoleName=name)["Role"]
    assert shown == made
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("builds", 7200)
    assert shown["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    (listed,) = iam.list_roles(PathPrefix="/ci/")["Roles"]
    assert "Tags" not in listed
    iam.delete_role(RoleName=name)
    with pytest.raises(ClientError) as refused:
        iam.get_role(RoleName=name)
    assert error_of(refused.value) == (404, "NoSuchEntity", f"The role with name {name} cannot be found.")


def test_roles_come_in_pages(iam: Any, unique: Names) -> None:
    """Each role once, by name."""
    path, names = f"/{unique('paged')}/", sorted(unique("r") for _ in range(5))
    for name in names:
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix=path, PaginationConfig={"PageSize": 3}))
    assert [[role["RoleName"] for role in page["Roles"]] for page in pages] == [names[:3], names[3:]]


def test_role_is_updated_part_by_part(iam: Any, unique: Names) -> None:
    """What an update does not name stays; an empty description may be set."""
    name = unique("changing")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Description="old", MaxSessionDuration=7200)
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    iam.update_role_description(RoleName=name, Description="newer")
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("newer", 3600)
    iam.update_role(RoleName=name, Description="")
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("", 3600)
    trust = trusting(f"arn:aws:iam::{OTHER_ACCOUNT}:root", Condition={"StringEquals": {"sts:ExternalId": "x"}})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(trust)


def test_tags_and_boundary_of_a_role(iam: Any, unique: Names) -> None:
    """As those of users."""
    name = unique("tagged")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.tag_role(RoleName=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.untag_role(RoleName=name, TagKeys=["a"])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "b", "Value": "2"}]
    boundary = iam.create_policy(PolicyName=unique("b"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    assert "PermissionsBoundary" in iam.get_role(RoleName=name)["Role"]
    iam.delete_role_permissions_boundary(RoleName=name)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=name)["Role"]
    with pytest.raises(ClientError) as refused:
        iam.delete_role_permissions_boundary(RoleName=name)
    assert error_of(refused.value)[1] == "NoSuchEntity"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "not valid JSON"),
        (json.dumps(ANYTHING), ""),
        (trusting(f"arn:aws:iam::{ACCOUNT}:user/not-there"), "Invalid principal in policy"),
        (trusting("arn:aws:iam::999999999999:root"), "Invalid principal in policy"),
        (trusting("AROA" + "A" * 16), "Invalid principal in policy"),
        (TRUST.replace("sts:AssumeRole", "kms:Decrypt"), ""),
    ],
)
def test_trust_policies_that_cannot_be(iam: Any, unique: Names, document: str, text: str) -> None:
    """What is no trust policy, or trusts nobody who exists, is refused when put, and nothing changes."""
    name = unique("untrusting")
    with pytest.raises(ClientError) as refused:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    assert error_of(refused.value)[:2] == (400, "MalformedPolicyDocument")
    assert text in error_of(refused.value)[2]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ClientError) as refused:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    assert error_of(refused.value)[1] == "MalformedPolicyDocument"
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)


def test_trust_policy_has_its_quota(iam: Any, unique: Names) -> None:
    """2,048 characters, white space not counted."""
    long = trusting(f"arn:aws:iam::{ACCOUNT}:root", Condition={"StringEquals": {"sts:ExternalId": "x" * 2000}})
    with pytest.raises(ClientError) as refused:
        iam.create_role(RoleName=unique("long"), AssumeRolePolicyDocument=long)
    assert error_of(refused.value) == (409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
    iam.create_role(RoleName=unique("spacious"), AssumeRolePolicyDocument=TRUST + " " * 4000)


def test_deleted_role_takes_its_tags_along(iam: Any, unique: Names) -> None:
    """A role of the same name is another one, with another id."""
    name = unique("again")
    first = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "a", "Value": "1"}])["Role"]
    iam.delete_role(RoleName=name)
    second = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    assert second["RoleId"] != first["RoleId"]
    assert iam.list_role_tags(RoleName=name)["Tags"] == []
