"""Instance profiles: data that hold one role, for tools that make them beside their roles."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.identity.assuming import allow, refused, trust
from tests.identity.test_roles import TRUST
from tests.support.place import ACCOUNT, Place

Names = Callable[[str], str]
TO_MACHINES = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}


@pytest.fixture
def profile(iam: Any, unique: Names) -> str:
    """Give an instance profile without a role."""
    name = unique("profile")
    iam.create_instance_profile(InstanceProfileName=name)
    return name


@pytest.fixture
def role(iam: Any, unique: Names) -> str:
    """Give a role."""
    name = unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Description="of machines")
    return name


def test_profile_is_made_shown_and_removed(iam: Any, unique: Names) -> None:
    """What is said of an instance profile is shown again; lists leave its tags out, as in AWS."""
    name, path = unique("whole"), f"/{unique('path')}/"
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam.create_instance_profile(InstanceProfileName=name, Path=path, Tags=tags)["InstanceProfile"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile{path}{name}"
    assert (made["InstanceProfileId"][:4], made["Roles"], made["Tags"]) == ("AIPA", [], tags)
    assert iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"] == made
    (listed,) = iam.list_instance_profiles(PathPrefix=path)["InstanceProfiles"]
    assert listed == {member: value for member, value in made.items() if member != "Tags"}
    taken = (409, "EntityAlreadyExists", f"Instance Profile {name.upper()} already exists.")
    assert refused(iam.create_instance_profile, InstanceProfileName=name.upper()) == taken
    iam.delete_instance_profile(InstanceProfileName=name)
    missing = (404, "NoSuchEntity", f"Instance Profile {name} cannot be found.")
    for call in (iam.get_instance_profile, iam.delete_instance_profile, iam.list_instance_profile_tags):
        assert refused(call, InstanceProfileName=name) == missing


def test_profile_holds_one_role(iam: Any, profile: str, role: str) -> None:
    """The role is shown in the profile, the profile at the role; neither goes while they are together."""
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    shown = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
    (held,) = shown["Roles"]
    assert (held["RoleName"], held["AssumeRolePolicyDocument"]) == (role, json.loads(TRUST))
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"] == [shown]
    (listed,) = [one for page in iam.get_paginator("list_instance_profiles").paginate()
                 for one in page["InstanceProfiles"] if one["InstanceProfileName"] == profile]  # fmt: skip
    assert listed == shown
    full = (409, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    assert refused(iam.add_role_to_instance_profile, InstanceProfileName=profile, RoleName=role) == full
    together = (409, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
    assert refused(iam.delete_instance_profile, InstanceProfileName=profile) == together
    assert refused(iam.delete_role, RoleName=role) == together
    iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)
    gone = refused(iam.remove_role_from_instance_profile, InstanceProfileName=profile, RoleName=role)
    assert gone[:2] == (404, "NoSuchEntity")
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"] == []
    iam.delete_role(RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=profile)


def test_profiles_come_in_pages(iam: Any, role: str, unique: Names) -> None:
    """Each once, by name: those of a path, and those of a role."""
    path, names = f"/{unique('paged')}/", sorted(unique("p") for _ in range(4))
    for name in names:
        iam.create_instance_profile(InstanceProfileName=name, Path=path)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    size = {"PageSize": 3}
    for pages in (
        iam.get_paginator("list_instance_profiles").paginate(PathPrefix=path, PaginationConfig=size),
        iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=role, PaginationConfig=size),
    ):
        shown = [[one["InstanceProfileName"] for one in page["InstanceProfiles"]] for page in pages]
        assert shown == [names[:3], names[3:]]


def test_tags_of_a_profile(iam: Any, profile: str) -> None:
    """As those of users and roles, with their quota; they go with the profile."""
    iam.tag_instance_profile(
        InstanceProfileName=profile, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    )  # fmt: skip
    iam.untag_instance_profile(InstanceProfileName=profile, TagKeys=["a", "unknown"])
    assert iam.list_instance_profile_tags(InstanceProfileName=profile)["Tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"t{number}", "Value": "x"} for number in range(50)]
    too_many = (409, "LimitExceeded", "Cannot exceed quota for TagsPerInstanceProfile: 50")
    assert refused(iam.tag_instance_profile, InstanceProfileName=profile, Tags=many) == too_many
    iam.delete_instance_profile(InstanceProfileName=profile)
    iam.create_instance_profile(InstanceProfileName=profile)
    assert iam.list_instance_profile_tags(InstanceProfileName=profile)["Tags"] == []


def test_adding_a_role_takes_the_right_to_pass_it(place: Place, iam: Any, profile: str, role: str) -> None:
    """iam:PassRole on the role is asked for too, with the service that gets it in AWS; then the role may be missing."""
    both = {"InstanceProfileName": profile, "RoleName": role}
    on_role = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    weak = place.service("iam", place.new_user(allow("iam:AddRoleToInstanceProfile")))
    status, code, text = refused(weak.add_role_to_instance_profile, **both)
    assert (status, code) == (403, "AccessDenied")
    assert f"iam:PassRole on resource: role {role} because no identity-based policy allows" in text
    unknown = refused(weak.add_role_to_instance_profile, InstanceProfileName=profile, RoleName="not-there")
    assert unknown[:2] == (403, "AccessDenied")
    for passing, allowed in (
        (allow("iam:PassRole", on_role, Condition={"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}), 0),
        (allow("iam:PassRole", on_role, Condition=TO_MACHINES), 1),
    ):
        statements = [passing["Statement"], allow("iam:AddRoleToInstanceProfile")["Statement"]]
        user = place.service("iam", place.new_user({**passing, "Statement": statements}))
        if allowed:
            user.add_role_to_instance_profile(**both)
        else:
            assert refused(user.add_role_to_instance_profile, **both)[1] == "AccessDenied"
    assert len(iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]) == 1
    assert refused(iam.add_role_to_instance_profile, InstanceProfileName=profile, RoleName="not-there") == (
        404, "NoSuchEntity", "The role with name not-there cannot be found.",
    )  # fmt: skip


def test_rights_on_profiles_go_by_arn_and_tag(place: Place, iam: Any, profile: str, unique: Names) -> None:
    """The resource is the profile, with its tags as conditions; a refusal tells strangers no path."""
    name = unique("tagged")
    tags = [{"Key": "team", "Value": "blue"}]
    iam.create_instance_profile(InstanceProfileName=name, Path="/hidden/", Tags=tags)
    condition = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    arns = f"arn:aws:iam::{ACCOUNT}:instance-profile/*"
    user = place.service("iam", place.new_user(allow("iam:GetInstanceProfile", arns, Condition=condition)))
    assert user.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Tags"] == tags
    assert refused(user.get_instance_profile, InstanceProfileName=profile)[1] == "AccessDenied"
    stranger = place.service("iam", place.new_user())
    text = refused(stranger.get_instance_profile, InstanceProfileName=name)[2]
    assert f"on resource: instance profile {name} because" in text
    assert "hidden" not in text
    made = refused(
        place.service("iam", place.new_user(allow("iam:CreateInstanceProfile"))).create_instance_profile,
        InstanceProfileName=unique("untaggable"), Tags=tags,
    )  # fmt: skip
    assert "iam:TagInstanceProfile" in made[2]


def test_account_counts_and_details_its_profiles(place: Place, iam: Any, profile: str, role: str) -> None:
    """The summary counts them, and a role's details list those that hold it; another account has none of them."""
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["InstanceProfiles"] > 0, summary["InstanceProfilesQuota"]) == (True, 1000)
    pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
    (details,) = [one for page in pages for one in page["RoleDetailList"] if one["RoleName"] == role]
    (held,) = details["InstanceProfileList"]
    assert (held["InstanceProfileName"], held["Roles"][0]["RoleName"]) == (profile, role)
    other = place.service("iam", place.other_root)
    assert other.list_instance_profiles()["InstanceProfiles"] == []
    assert other.get_account_summary()["SummaryMap"]["InstanceProfiles"] == 0
    assert refused(other.get_instance_profile, InstanceProfileName=profile)[1] == "NoSuchEntity"


def test_profile_gives_no_right(place: Place, iam: Any, profile: str, unique: Names) -> None:
    """A profile names nobody: its ARN is no principal of a trust policy."""
    arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/{profile}"
    made = refused(iam.create_role, RoleName=unique("r"), AssumeRolePolicyDocument=json.dumps(trust(arn)))
    assert made[:2] == (400, "MalformedPolicyDocument")
