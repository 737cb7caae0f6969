"""What is decided by a user's path, tags or boundary holds when it is committed; credentials are for who still is.

The writer of the store is held as in `test_late_changes.py`: what is changed first is committed first, and the late
change has been allowed by then.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.keyholder.wire.client import Keyholder
from fuin.store.identity import access_keys
from tests.identity.assuming import new_role, trust, user_arn
from tests.identity.test_rights import may
from tests.security.test_late_changes import _late
from tests.support.place import ACCOUNT, ANYTHING, Place

Names = Callable[[str], str]
BLUE = [{"Key": "Team", "Value": "blue"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services."""
    made = Place(tmp_path_factory.mktemp("late") / "data")
    yield made
    made.close()


@pytest.fixture(scope="module")
def boundary(place: Place) -> str:
    """Give the ARN of a policy that limits nothing, as a boundary."""
    made = place.service("iam").create_policy(PolicyName="boundary", PolicyDocument=json.dumps(ANYTHING))
    return str(made["Policy"]["Arn"])


def _refused(place: Place, before: Callable[[], Any], change: Callable[[], Any]) -> None:
    error = _late(place, before, change).exception()
    assert isinstance(error, ClientError), f"it was not refused: {error!r}"
    assert error.response["Error"]["Code"] == "AccessDenied"


def test_boundary_that_was_taken_away(place: Place, boundary: str, unique: Names) -> None:
    """Who may give policies to bounded users only gives none to a user that has just lost its boundary."""
    iam, name = place.service("iam"), unique("bounded")
    iam.create_user(UserName=name, PermissionsBoundary=boundary)
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    admin = place.service("iam", place.new_user(may("iam:PutUserPolicy", Condition=condition)))
    given = {"UserName": name, "PolicyName": "all", "PolicyDocument": json.dumps(ANYTHING)}
    _refused(
        place,
        lambda: iam.delete_user_permissions_boundary(UserName=name),
        lambda: admin.put_user_policy(**given),
    )
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []


@pytest.mark.parametrize("kind", ["User", "Role", "Policy"])
def test_tag_that_was_taken_away(place: Place, unique: Names, kind: str) -> None:
    """Who may delete what is tagged deletes nothing that has just lost the tag."""
    iam, name = place.service("iam"), unique("tagged")
    named = {f"{kind}Name": name}
    if kind == "User":
        iam.create_user(**named, Tags=BLUE)
    elif kind == "Role":
        iam.create_role(**named, Tags=BLUE, AssumeRolePolicyDocument=json.dumps(trust(ACCOUNT)))
    else:
        policy = iam.create_policy(**named, Tags=BLUE, PolicyDocument=json.dumps(ANYTHING))["Policy"]
        named = {"PolicyArn": policy["Arn"]}
    condition = {"StringEquals": {"aws:ResourceTag/Team": "blue"}}
    admin = place.service("iam", place.new_user(may(f"iam:Delete{kind}", Condition=condition)))
    method = kind.lower()
    _refused(
        place,
        lambda: getattr(iam, f"untag_{method}")(**named, TagKeys=["Team"]),
        lambda: getattr(admin, f"delete_{method}")(**named),
    )
    getattr(iam, f"get_{method}")(**named)


def test_user_that_went_elsewhere(place: Place, unique: Names) -> None:
    """Who has rights in one path makes no access key for a user that has just been put into another."""
    iam, name = place.service("iam"), unique("moved")
    iam.create_user(UserName=name, Path="/team/")
    admin = place.service("iam", place.new_user(may("iam:*", f"arn:aws:iam::{ACCOUNT}:user/team/*")))
    _refused(
        place,
        lambda: iam.update_user(UserName=name, NewPath="/administrators/"),
        lambda: admin.create_access_key(UserName=name),
    )
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken", "AssumeRole"])
def test_access_key_that_was_switched_off(place: Place, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """Credentials that are being made when their issuer's access key ends are given to nobody."""
    user = place.new_user(may("sts:GetFederationToken"))
    role = new_role(place, trust(user_arn(user)))
    sts = place.service("sts", user)
    calls: dict[str, Callable[[], Any]] = {
        "GetSessionToken": sts.get_session_token,
        "GetFederationToken": lambda: sts.get_federation_token(Name="late"),
        "AssumeRole": lambda: sts.assume_role(RoleArn=role.arn, RoleSessionName="late"),
    }
    calls[operation]()
    make = Keyholder.new_session

    async def meanwhile(keyholder: Keyholder, *given: Any) -> tuple[str, bytes]:
        await place.services.store.change(access_keys.set_access_key_active, user.access_key_id, False)
        return await make(keyholder, *given)

    monkeypatch.setattr(Keyholder, "new_session", meanwhile)
    with pytest.raises(ClientError) as refused:
        calls[operation]()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
