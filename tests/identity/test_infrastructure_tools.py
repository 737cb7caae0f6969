"""The calls that Terraform's AWS provider makes for roles, users and policies, in its order, and what it expects."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.identity.test_roles import TRUST
from tests.support.place import ACCOUNT, ANYTHING, Place, error_of

Names = Callable[[str], str]


def test_role_with_policies_from_plan_to_destroy(iam: Any, unique: Names) -> None:
    """Create, read back, attach, change, read, and take down in the order in which a provider does."""
    role, name = unique("tf-role"), unique("tf-policy")
    with pytest.raises(ClientError) as refused:  # refresh: it is not there yet
        iam.get_role(RoleName=role)
    assert error_of(refused.value)[:2] == (404, "NoSuchEntity")
    tags = [{"Key": "managed-by", "Value": "terraform"}]
    iam.create_role(RoleName=role, Path="/", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=3600, Tags=tags)
    made = iam.create_policy(PolicyName=name, Path="/", PolicyDocument=json.dumps(ANYTHING), Tags=tags)
    policy = made["Policy"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=json.dumps(ANYTHING))
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    # refresh
    read = iam.get_role(RoleName=role)["Role"]
    assert (read["AssumeRolePolicyDocument"], read["Tags"]) == (json.loads(TRUST), tags)
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["inline"]
    assert iam.get_role_policy(RoleName=role, PolicyName="inline")["PolicyDocument"] == ANYTHING
    (attached,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert attached["PolicyArn"] == policy
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    assert iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"] == ANYTHING
    # change: a policy's document is a new default version, the oldest goes when there are five
    narrower = {**ANYTHING, "Statement": {**ANYTHING["Statement"], "Action": "kms:Decrypt"}}  # type: ignore[dict-item]
    for _ in range(6):
        versions = iam.list_policy_versions(PolicyArn=policy)["Versions"]
        if len(versions) == 5:
            oldest = min((one for one in versions if not one["IsDefaultVersion"]), key=lambda one: one["CreateDate"])
            iam.delete_policy_version(PolicyArn=policy, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(narrower), SetAsDefault=True)
    iam.update_role(RoleName=role, Description="changed", MaxSessionDuration=7200)
    iam.untag_role(RoleName=role, TagKeys=["managed-by"])
    # destroy
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"] == []
    iam.detach_role_policy(RoleName=role, PolicyArn=policy)
    iam.delete_role_policy(RoleName=role, PolicyName="inline")
    iam.delete_role(RoleName=role)
    for one in iam.list_policy_versions(PolicyArn=policy)["Versions"]:
        if not one["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=policy, VersionId=one["VersionId"])
    iam.delete_policy(PolicyArn=policy)


def test_user_from_plan_to_forced_destroy(iam: Any, unique: Names) -> None:
    """With force_destroy the provider looks for everything that a user could have; there is none of most of it."""
    name = unique("tf-user")
    iam.create_user(UserName=name, Path="/")
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    for call, member in (
        (iam.list_groups_for_user, "Groups"),
        (iam.list_ssh_public_keys, "SSHPublicKeys"),
        (iam.list_mfa_devices, "MFADevices"),
        (iam.list_signing_certificates, "Certificates"),
        (iam.list_service_specific_credentials, "ServiceSpecificCredentials"),
    ):
        assert call(UserName=name)[member] == []
    for call in (iam.get_login_profile, iam.delete_login_profile):
        with pytest.raises(ClientError) as refused:
            call(UserName=name)
        assert error_of(refused.value)[:2] == (404, "NoSuchEntity")
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    iam.delete_user(UserName=name)


def test_account_as_a_whole(iam: Any, place: Place, unique: Names) -> None:
    """Counts and quotas, aliases (none), and every identity with what it has."""
    other = place.service("iam", place.other_root)
    before, there = iam.get_account_summary()["SummaryMap"], other.get_account_summary()["SummaryMap"]
    user, group = unique("u"), unique("g")
    iam.create_user(UserName=user)
    iam.create_group(GroupName=group)
    after = iam.get_account_summary()["SummaryMap"]
    assert (after["Users"] - before["Users"], after["Groups"] - before["Groups"]) == (1, 1)
    assert (after["UsersQuota"], after["AccessKeysPerUserQuota"]) == (5000, 2)
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert other.get_account_summary()["SummaryMap"] == there


def test_account_authorization_details(iam: Any, unique: Names) -> None:
    """One call shows users, groups, roles and policies with their documents, filtered and in pages."""
    user, group, role = unique("u"), unique("g"), unique("r")
    arn = iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    iam.create_user(UserName=user, Tags=[{"Key": "a", "Value": "1"}], PermissionsBoundary=arn)
    iam.create_group(GroupName=group)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(ANYTHING))
    for kind, name in (("user", user), ("group", group), ("role", role)):
        getattr(iam, f"attach_{kind}_policy")(**{f"{kind.capitalize()}Name": name}, PolicyArn=arn)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) > 1

    def found(member: str, key: str, name: str) -> dict[str, Any]:
        (one,) = [one for page in pages for one in page[member] if one[key] == name]
        return dict(one)

    shown = found("UserDetailList", "UserName", user)
    assert shown["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": ANYTHING}]
    assert (shown["GroupList"], shown["Tags"]) == ([group], [{"Key": "a", "Value": "1"}])
    assert shown["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    attached = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}]
    assert shown["AttachedManagedPolicies"] == attached
    assert found("GroupDetailList", "GroupName", group)["AttachedManagedPolicies"] == attached
    assert found("RoleDetailList", "RoleName", role)["AssumeRolePolicyDocument"] == json.loads(TRUST)
    policy = found("Policies", "Arn", arn)
    assert policy["PolicyVersionList"][0]["Document"] == ANYTHING
    only = iam.get_account_authorization_details(Filter=["Role"], MaxItems=1000)
    assert (only["UserDetailList"], only["Policies"]) == ([], [])
    assert f"arn:aws:iam::{ACCOUNT}:role/{role}" in [one["Arn"] for one in only["RoleDetailList"]]
