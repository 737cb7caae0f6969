"""Groups: create, get, list, rename, delete, and who is in them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import ACCOUNT, ANYTHING, Place, error_of

Names = Callable[[str], str]


def test_group_with_members_in_pages(iam: Any, unique: Names) -> None:
    """A group shows its users page by page, and each user its groups."""
    group, users = unique("group"), sorted(unique("member") for _ in range(3))
    made = iam.create_group(GroupName=group, Path="/staff/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/staff/{group}"
    assert made["GroupId"].startswith("AGPA")
    for user in users:
        iam.create_user(UserName=user)
        iam.add_user_to_group(GroupName=group, UserName=user)
    iam.add_user_to_group(GroupName=group, UserName=users[0])  # is in it already
    pages = list(iam.get_paginator("get_group").paginate(GroupName=group, PaginationConfig={"PageSize": 2}))
    assert [user["UserName"] for page in pages for user in page["Users"]] == users
    assert len(pages) == 2
    (shown,) = iam.list_groups_for_user(UserName=users[0])["Groups"]
    assert shown == made
    assert made in iam.list_groups(PathPrefix="/staff/")["Groups"]
    iam.remove_user_from_group(GroupName=group, UserName=users[0])
    assert iam.list_groups_for_user(UserName=users[0])["Groups"] == []
    with pytest.raises(ClientError) as refused:
        iam.remove_user_from_group(GroupName=group, UserName=users[0])
    assert error_of(refused.value)[1] == "NoSuchEntity"


def test_group_with_something_left_stays(iam: Any, unique: Names) -> None:
    """Members, inline and attached policies go first."""
    group, user = unique("full"), unique("member")
    policy = iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    iam.create_group(GroupName=group)
    iam.create_user(UserName=user)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_group_policy(GroupName=group, PolicyName="own", PolicyDocument=json.dumps(ANYTHING))
    iam.attach_group_policy(GroupName=group, PolicyArn=policy)
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("must remove users", lambda: iam.remove_user_from_group(GroupName=group, UserName=user)),
        ("must delete policies", lambda: iam.delete_group_policy(GroupName=group, PolicyName="own")),
        ("must detach all", lambda: iam.detach_group_policy(GroupName=group, PolicyArn=policy)),
    ]
    for text, step in steps:
        with pytest.raises(ClientError) as refused:
            iam.delete_group(GroupName=group)
        assert error_of(refused.value)[1] == "DeleteConflict"
        assert text in error_of(refused.value)[2]
        step()
    iam.delete_group(GroupName=group)
    with pytest.raises(ClientError) as refused:
        iam.get_group(GroupName=group)
    assert error_of(refused.value) == (404, "NoSuchEntity", f"The group with name {group} cannot be found.")


def test_group_is_renamed(iam: Any, unique: Names) -> None:
    """Another name and path; the members stay."""
    group, name, user = unique("old"), unique("new"), unique("member")
    iam.create_group(GroupName=group)
    iam.create_user(UserName=user)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.update_group(GroupName=group, NewGroupName=name, NewPath="/x/")
    (shown,) = iam.list_groups_for_user(UserName=user)["Groups"]
    assert shown["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/x/{name}"


def test_user_is_in_ten_groups_at_most(iam: Any, unique: Names) -> None:
    """AWS: the quota of groups per user."""
    user = unique("joiner")
    iam.create_user(UserName=user)
    groups = [unique("g") for _ in range(11)]
    for group in groups:
        iam.create_group(GroupName=group)
    for group in groups[:10]:
        iam.add_user_to_group(GroupName=group, UserName=user)
    with pytest.raises(ClientError) as refused:
        iam.add_user_to_group(GroupName=groups[10], UserName=user)
    assert error_of(refused.value) == (409, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")


def test_group_gives_and_takes_rights(place: Place, iam: Any, unique: Names) -> None:
    """What a group may its members may, from the moment that the call returns until they leave it."""
    user, group = place.new_user(), unique("givers")
    kms = place.service("kms", user)
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="own", PolicyDocument=json.dumps(ANYTHING))
    with pytest.raises(ClientError):
        kms.list_keys()
    iam.add_user_to_group(GroupName=group, UserName=user.name)
    kms.list_keys()
    iam.remove_user_from_group(GroupName=group, UserName=user.name)
    with pytest.raises(ClientError) as refused:
        kms.list_keys()
    assert error_of(refused.value)[1] == "AccessDeniedException"


@pytest.mark.parametrize("missing", ["user", "group"])
def test_membership_of_nobody(iam: Any, unique: Names, missing: str) -> None:
    """Group and user must both be there."""
    names = {"user": unique("u"), "group": unique("g")}
    if missing == "group":
        iam.create_user(UserName=names["user"])
    else:
        iam.create_group(GroupName=names["group"])
    for call in (iam.add_user_to_group, iam.remove_user_from_group):
        with pytest.raises(ClientError) as refused:
            call(GroupName=names["group"], UserName=names["user"])
        text = f"The {missing} with name {names[missing]} cannot be found."
        assert error_of(refused.value) == (404, "NoSuchEntity", text)
