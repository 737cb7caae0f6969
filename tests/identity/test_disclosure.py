"""What those learn who may not ask: nothing, neither what there is nor where, in one account and from another."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.identity.assuming import allow, new_role, refused, trust
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place
from tests.support.server import User

Names = Callable[[str], str]


@pytest.fixture(scope="module")
def nobody(place: Place) -> User:
    """Give a user without any right."""
    return place.new_user()


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_refusals_do_not_tell_what_there_is(place: Place, nobody: User, iam: Any, unique: Names, kind: str) -> None:
    """The path of what there is would tell it from what there is not; AWS's refusals say "user bob" as well."""
    there, nowhere = unique("there"), unique("nowhere")
    member, title = {"user": "UserName", "group": "GroupName", "role": "RoleName"}[kind], kind.capitalize()
    if kind == "role":
        there = new_role(place, trust(ACCOUNT), Path="/hidden/").name
    else:
        getattr(iam, f"create_{kind}")(**{member: there, "Path": "/hidden/"})
    get = getattr(place.service("iam", nobody), f"get_{kind}")
    one, other = (refused(get, **{member: name}) for name in (there, nowhere))
    assert one[:2] == other[:2] == (403, "AccessDenied")
    assert f" is not authorized to perform: iam:Get{title} on resource: {kind} {there} because" in one[2]
    assert one[2].replace(there, nowhere) == other[2]


def test_owner_of_an_access_key_is_not_told(place: Place, nobody: User, iam: Any) -> None:
    """Who may not ask when a key was last used does not learn whose key it is either."""
    find = place.service("iam", nobody).get_access_key_last_used
    root, user = place.root.access_key_id, place.new_user().access_key_id
    answers = {refused(find, AccessKeyId=key) for key in (root, user, "AKIA" + "X" * 16)}
    assert len(answers) == 1
    assert f"on resource: arn:aws:iam::{ACCOUNT}:user/* because" in answers.pop()[2]


def test_tags_are_not_told_by_simulations(place: Place, iam: Any) -> None:
    """Who may simulate policies of its own invention learns no tags of those in whose name it does so."""
    user = place.new_user()
    iam.tag_user(UserName=user.name, Tags=[{"Key": "team", "Value": "blue"}])
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    policy = json.dumps(allow("kms:Decrypt", Condition={"StringLike": {"aws:PrincipalTag/team": "b*"}}))
    for action, expected in (("iam:SimulateCustomPolicy", "implicitDeny"), ("iam:Simulate*", "allowed")):
        client = place.service("iam", place.new_user(allow(action)))
        answer = client.simulate_custom_policy(
            PolicyInputList=[policy], ActionNames=["kms:Decrypt"], CallerArn=arn
        )  # fmt: skip
        assert [one["EvalDecision"] for one in answer["EvaluationResults"]] == [expected]


def test_own_denials_ask_nothing_of_other_accounts_roles(place: Place) -> None:
    """A role's tags and existence cannot be tried out by a Deny of one's own that depends on them."""
    role = new_role(place, trust(ACCOUNT), Tags=[{"Key": "team", "Value": "blue"}])
    statement = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
    allowing = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    answers = set()
    for condition in ({"StringLike": {"aws:ResourceTag/team": "b*"}}, {"Null": {"iam:ResourceTag/team": "false"}}):
        policy = {"Version": "2012-10-17", "Statement": [allowing, {**statement, "Condition": condition}]}
        stranger = place.add_user(policy, OTHER_ACCOUNT)
        call = place.service("sts", stranger).assume_role
        for arn in (role.arn, f"{role.arn}x"):
            status, code, text = refused(call, RoleArn=arn, RoleSessionName="night")
            answers.add((status, code, text.replace(arn, "ROLE").replace(stranger.name, "USER")))
    assert len(answers) == 1
    assert answers.pop()[2].endswith("because no role trust policy allows the sts:AssumeRole action")


def test_a_denial_that_holds_without_a_role_is_told_with_one(place: Place) -> None:
    """A Deny of one's own that a role's tags spare sounds the same at a role that has them, unless that lets one in."""
    role = new_role(place, trust(ACCOUNT), Tags=[{"Key": "team", "Value": "blue"}])
    sparing = {"StringNotEquals": {"aws:ResourceTag/team": "blue"}}
    deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*", "Condition": sparing}
    stranger = place.add_user({"Version": "2012-10-17", "Statement": deny}, OTHER_ACCOUNT)
    call = place.service("sts", stranger).assume_role
    one, other = (refused(call, RoleArn=arn, RoleSessionName="night") for arn in (role.arn, f"{role.arn}x"))
    assert one[2].replace(role.arn, f"{role.arn}x") == other[2]
    assert other[2].endswith("with an explicit deny in an identity-based policy")
    open_ = new_role(place, trust(OTHER_ACCOUNT), Tags=[{"Key": "team", "Value": "blue"}])
    answer = refused(call, RoleArn=open_.arn, RoleSessionName="night")
    assert answer[2].endswith("because no identity-based policy allows the sts:AssumeRole action")


def test_a_denial_in_a_trust_policy_is_not_told_to_other_accounts(place: Place) -> None:
    """Nor that a role is there which denies: in another account it looks like none."""
    deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = new_role(place, {"Version": "2012-10-17", "Statement": [*[trust(ACCOUNT)["Statement"]], deny]})
    allowing = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    call = place.service("sts", place.add_user(allowing, OTHER_ACCOUNT)).assume_role
    one, other = (refused(call, RoleArn=arn, RoleSessionName="night") for arn in (role.arn, f"{role.arn}x"))
    assert one[2].replace(role.arn, f"{role.arn}x") == other[2]
