"""Decisions about real users, roles and sessions: what names them, and what limits them, over IAM, STS and KMS."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.identity.assuming import Role, Session, allow, assume, new_role, trust, user_arn
from tests.support.place import ACCOUNT, Place
from tests.support.server import User

_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
_ELSE = allow("kms:ListKeys")


@pytest.fixture(scope="module")
def assumer(place: Place) -> User:
    """Give a user who may assume the roles that trust it."""
    return place.add_user(_ELSE)


def _role(place: Place, assumer: User, policy: dict[str, Any] | None = None) -> Role:
    return new_role(place, trust(user_arn(assumer)), policy)


def _key(place: Place, *named: str) -> tuple[str, bytes]:
    """Make a key whose policy names the account and these; return its id and something encrypted under it."""
    kms = place.kms()
    whom = {"AWS": [_ROOT, *named]}
    statement = {"Effect": "Allow", "Principal": whom, "Action": "kms:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    key_id: str = kms.create_key(Policy=document)["KeyMetadata"]["KeyId"]
    return key_id, kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]


def _refusal(place: Place, session: Session, blob: bytes) -> str:
    """Return why a session may not decrypt; "" if it may."""
    try:
        session.client(place, "kms").decrypt(CiphertextBlob=blob)
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    return ""


def _boundary(place: Place, name: str, policy: dict[str, Any]) -> str:
    iam = place.service("iam")
    arn: str = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
    return arn


def test_grants_to_roles_and_sessions(place: Place, assumer: User) -> None:
    """A grant to a role is for all of its sessions, one to a session for that one; both without any policy."""
    role = _role(place, assumer)
    key_id, blob = _key(place)
    night, day = (assume(place, role, assumer, RoleSessionName=name) for name in ("night", "day"))
    assert "because no identity-based policy allows" in _refusal(place, night, blob)
    kms = place.kms()
    for grantee, allowed in ((role.arn, [True, True]), (f"{_session_arn(role)}/day", [False, True])):
        given = kms.create_grant(KeyId=key_id, GranteePrincipal=grantee, Operations=["Decrypt"])
        assert [_refusal(place, session, blob) == "" for session in (night, day)] == allowed
        kms.revoke_grant(KeyId=key_id, GrantId=given["GrantId"])
        assert all(_refusal(place, session, blob) for session in (night, day))


def _session_arn(role: Role) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}"


def test_key_policy_that_names_the_role(place: Place, assumer: User) -> None:
    """The role's sessions use the key without a policy, within the session's policy and the role's boundary."""
    role = _role(place, assumer)
    _, blob = _key(place, role.arn)
    assert _refusal(place, assume(place, role, assumer), blob) == ""
    limited = assume(place, role, assumer, Policy=json.dumps(_ELSE))
    assert "because no session policy allows the kms:Decrypt action" in _refusal(place, limited, blob)
    denied = assume(place, role, assumer, Policy=json.dumps(allow("kms:Decrypt") | {"Statement": [
        {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}]}))  # fmt: skip
    assert _refusal(place, denied, blob).endswith("with an explicit deny in a session policy")
    place.service("iam").put_role_permissions_boundary(
        RoleName=role.name, PermissionsBoundary=_boundary(place, role.name, _ELSE)
    )
    told = _refusal(place, assume(place, role, assumer), blob)
    assert told.startswith(f"User: {_session_arn(role)}/night is not authorized to perform: kms:Decrypt on resource: ")
    assert told.endswith("because no permissions boundary allows the kms:Decrypt action")


def test_key_policy_that_names_the_session(place: Place, assumer: User) -> None:
    """Neither the boundary nor the session's policy limits what is given to one session by its name."""
    role = _role(place, assumer, _ELSE)
    _, blob = _key(place, role.arn, f"{_session_arn(role)}/night")
    place.service("iam").put_role_permissions_boundary(
        RoleName=role.name, PermissionsBoundary=_boundary(place, role.name, _ELSE)
    )
    limit = json.dumps(_ELSE)
    assert _refusal(place, assume(place, role, assumer, Policy=limit), blob) == ""
    other = assume(place, role, assumer, RoleSessionName="day", Policy=limit)
    assert "because no permissions boundary allows" in _refusal(place, other, blob)


def test_sessions_of_one_name_are_not_mixed_up(place: Place, assumer: User) -> None:
    """What one session was allowed is not remembered for another of the same name with less."""
    role = _role(place, assumer, allow("kms:*"))
    key_id, blob = _key(place)
    whole, limited = assume(place, role, assumer), assume(place, role, assumer, Policy=json.dumps(_ELSE))
    for _ in range(3):
        assert _refusal(place, whole, blob) == ""
        assert "because no session policy allows" in _refusal(place, limited, blob)
        whole.client(place, "kms").generate_data_key(KeyId=key_id, KeySpec="AES_256")
        with pytest.raises(ClientError, match="because no session policy allows"):
            limited.client(place, "kms").generate_data_key(KeyId=key_id, KeySpec="AES_256")


def test_boundary_of_a_user(place: Place) -> None:
    """It limits the user's own policies, not what a key policy gives that names the user; it shows at once."""
    user = place.add_user(allow("kms:*"))
    kms = place.kms(user)
    (_, delegated), (_, named) = _key(place), _key(place, user_arn(user))
    arn = _boundary(place, f"limit-{user.name}", _ELSE)
    kms.decrypt(CiphertextBlob=delegated)
    iam = place.service("iam")
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=arn)
    with pytest.raises(ClientError, match="because no permissions boundary allows the kms:Decrypt action"):
        kms.decrypt(CiphertextBlob=delegated)
    kms.decrypt(CiphertextBlob=named)
    iam.delete_user_permissions_boundary(UserName=user.name)
    kms.decrypt(CiphertextBlob=delegated)


def test_own_limits_are_told_across_accounts(place: Place, assumer: User) -> None:
    """Another account's key is not seen by whom its policy leaves out; a missing own right is told as such."""
    role = _role(place, assumer, allow("kms:*"))
    other = place.kms(place.other_root)
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    key_id = other.create_key(Policy=document)["KeyMetadata"]["KeyId"]
    blob = other.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert _refusal(place, assume(place, role, assumer), blob) == ""
    limited = assume(place, role, assumer, Policy=json.dumps(_ELSE))
    assert "because no session policy allows" in _refusal(place, limited, blob)


def test_lockout_check_of_a_session(place: Place, assumer: User) -> None:
    """A session may put a key policy that still names its role, and none that leaves it out."""
    role = _role(place, assumer)
    key_id, _ = _key(place, role.arn)
    kms = assume(place, role, assumer).client(place, "kms")

    def policy(*arns: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"AWS": list(arns)}, "Action": "kms:*", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": statement})

    kms.put_key_policy(KeyId=key_id, Policy=policy(role.arn))
    with pytest.raises(ClientError, match="will not allow you to update the key policy in the future"):
        kms.put_key_policy(KeyId=key_id, Policy=policy(user_arn(assumer)))
    with pytest.raises(ClientError, match="will not allow you to update the key policy in the future"):
        kms.put_key_policy(KeyId=key_id, Policy=policy(_ROOT))
