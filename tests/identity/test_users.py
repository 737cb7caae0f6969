"""Users: create, get, list, update, delete; their tags and boundaries."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import ACCOUNT, ANYTHING, Place, error_of

Names = Callable[[str], str]


def test_user_is_made_shown_and_removed(iam: Any, unique: Names) -> None:
    """A user has its path in its ARN, its own id, its tags; once deleted there is none."""
    name = unique("alice")
    made = iam.create_user(UserName=name, Path="/team/blue/", Tags=[{"Key": "Team", "Value": "blau-ü"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/blue/{name}"
    assert made["UserId"].startswith("AIDA")
    shown = iam.get_user(UserName=name)["User"]
    assert shown == made
    assert shown["Tags"] == [{"Key": "Team", "Value": "blau-ü"}]
    iam.delete_user(UserName=name)
    with pytest.raises(ClientError) as refused:
        iam.get_user(UserName=name)
    assert error_of(refused.value) == (404, "NoSuchEntity", f"The user with name {name} cannot be found.")


def test_name_is_taken_in_whatever_case(iam: Any, unique: Names) -> None:
    """AWS: names differ in more than case."""
    name = unique("bob")
    iam.create_user(UserName=name)
    for taken in (name, name.upper()):
        with pytest.raises(ClientError) as refused:
            iam.create_user(UserName=taken)
        assert error_of(refused.value) == (409, "EntityAlreadyExists", f"User with name {taken} already exists.")


def test_pages_have_every_user_once(iam: Any, unique: Names) -> None:
    """Pages of two, found by path; the marker leads from one to the next."""
    path = f"/{unique('paged')}/"
    names = sorted(unique("u") for _ in range(5))
    for name in names:
        iam.create_user(UserName=name, Path=path)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    with pytest.raises(ClientError) as refused:
        iam.list_users(Marker="%%%")
    assert error_of(refused.value)[1] == "ValidationError"


def test_user_is_renamed_with_everything(place: Place, iam: Any, unique: Names) -> None:
    """Another name and path: the id, the access keys and the policies stay."""
    user = place.new_user(ANYTHING, unique("old"))
    before = iam.get_user(UserName=user.name)["User"]
    name = unique("new")
    iam.update_user(UserName=user.name, NewUserName=name, NewPath="/x/")
    after = place.service("sts", user).get_caller_identity()
    assert after["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/x/{name}"
    assert after["UserId"] == before["UserId"]
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["own"]
    with pytest.raises(ClientError) as refused:
        iam.update_user(UserName=name, NewUserName=place.new_user().name)
    assert error_of(refused.value)[1] == "EntityAlreadyExists"


def test_user_with_something_left_stays(iam: Any, place: Place, unique: Names) -> None:
    """Access keys, groups and policies go first, each told in AWS's words."""
    user, group = place.new_user(ANYTHING, unique("full")), unique("group")
    policy = iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user.name)
    iam.attach_user_policy(UserName=user.name, PolicyArn=policy)
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("must delete access keys", lambda: iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)),
        ("must remove users", lambda: iam.remove_user_from_group(GroupName=group, UserName=user.name)),
        ("must delete policies", lambda: iam.delete_user_policy(UserName=user.name, PolicyName="own")),
        ("must detach all", lambda: iam.detach_user_policy(UserName=user.name, PolicyArn=policy)),
    ]
    for text, step in steps:
        with pytest.raises(ClientError) as refused:
            iam.delete_user(UserName=user.name)
        assert error_of(refused.value)[:2] == (409, "DeleteConflict")
        assert text in error_of(refused.value)[2]
        step()
    iam.delete_user(UserName=user.name)


def test_get_user_is_the_caller_by_default(place: Place) -> None:
    """Without a name: the user who asks; for the root what there is of it."""
    user = place.new_user(ANYTHING)
    assert place.service("iam", user).get_user()["User"]["UserName"] == user.name
    root = place.service("iam").get_user()["User"]
    assert root["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert root["CreateDate"].year > 2000  # when the account was made


def test_tags_are_put_replaced_and_removed(iam: Any, unique: Names) -> None:
    """Names of tags differ in more than case; a page of them is as asked for."""
    name = unique("tagged")
    iam.create_user(UserName=name, Tags=[{"Key": "Cost", "Value": "1"}, {"Key": "Team", "Value": "a"}])
    iam.tag_user(UserName=name, Tags=[{"Key": "cost", "Value": "2"}, {"Key": "Other", "Value": ""}])
    iam.untag_user(UserName=name, TagKeys=["TEAM", "nothing"])
    tags = iam.list_user_tags(UserName=name)["Tags"]
    assert tags == [{"Key": "Other", "Value": ""}, {"Key": "cost", "Value": "2"}]
    page = iam.list_user_tags(UserName=name, MaxItems=1)
    assert (page["Tags"], page["IsTruncated"]) == (tags[:1], True)
    assert iam.list_user_tags(UserName=name, Marker=page["Marker"])["Tags"] == tags[1:]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}], "InvalidInput"),
        ([{"Key": "aws:own", "Value": "1"}], "InvalidInput"),
        ([{"Key": "sh<arp", "Value": "1"}], "ValidationError"),
        ([{"Key": f"k{number}", "Value": ""} for number in range(51)], "ValidationError"),
    ],
)
def test_tags_that_cannot_be(iam: Any, unique: Names, tags: list[dict[str, str]], code: str) -> None:
    """A name twice, one of AWS's, a character that tags have not, and more than fifty."""
    name = unique("untagged")
    iam.create_user(UserName=name)
    with pytest.raises(ClientError) as refused:
        iam.tag_user(UserName=name, Tags=tags)
    assert error_of(refused.value)[1] == code
    assert iam.list_user_tags(UserName=name)["Tags"] == []


def test_a_user_has_fifty_tags_at_most(iam: Any, unique: Names) -> None:
    """The fifty-first is refused, and nothing of that request is kept."""
    name = unique("many")
    iam.create_user(UserName=name, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(49)])
    with pytest.raises(ClientError) as refused:
        iam.tag_user(UserName=name, Tags=[{"Key": "x", "Value": ""}, {"Key": "y", "Value": ""}])
    assert error_of(refused.value)[:2] == (409, "LimitExceeded")
    assert len(iam.list_user_tags(UserName=name)["Tags"]) == 49


def test_boundary_is_set_shown_and_taken_away(iam: Any, unique: Names) -> None:
    """A boundary is a managed policy; as long as it is one it is not deleted."""
    policy = iam.create_policy(PolicyName=unique("b"), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    name = unique("bounded")
    iam.create_user(UserName=name, PermissionsBoundary=policy)
    shown = iam.get_user(UserName=name)["User"]["PermissionsBoundary"]
    assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy}
    assert iam.get_policy(PolicyArn=policy)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    with pytest.raises(ClientError) as refused:
        iam.delete_policy(PolicyArn=policy)
    assert error_of(refused.value)[1] == "DeleteConflict"
    iam.delete_user_permissions_boundary(UserName=name)
    assert "PermissionsBoundary" not in iam.get_user(UserName=name)["User"]
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=policy)
    iam.delete_user(UserName=name)
    iam.delete_policy(PolicyArn=policy)
    with pytest.raises(ClientError) as refused:
        iam.create_user(UserName=name, PermissionsBoundary=policy)
    assert error_of(refused.value) == (404, "NoSuchEntity", f"Scope ARN: {policy} does not exist or is not attachable.")
