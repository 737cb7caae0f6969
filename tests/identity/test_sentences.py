"""AWS's sentences of refusals: who, what, on which resource in the words of each operation, and by which policy.

Sources: IAM user guide, "Troubleshoot access denied error messages"; answers of AWS that people have published.
"""

import json
from typing import Any

import pytest

from tests.identity.assuming import Session, allow, assume, new_role, refused, trust, user_arn
from tests.support.place import ACCOUNT, Place
from tests.support.server import User

POLICY = f"arn:aws:iam::{ACCOUNT}:policy/none"
_DENY = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "kms:ListKeys", "Resource": "*"}}

# The operation, what it is given, and the resource in AWS's words; {A} is the account's start of ARNs of IAM.
FORMS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("iam", "create_user", {"UserName": "bob"}, "{A}user/bob"),
    ("iam", "get_user", {"UserName": "bob"}, "user bob"),
    ("iam", "create_access_key", {"UserName": "bob"}, "user bob"),
    ("iam", "list_users", {}, "{A}user/"),
    ("iam", "create_group", {"GroupName": "all"}, "{A}group/all"),
    ("iam", "put_group_policy", {"GroupName": "all", "PolicyName": "p", "PolicyDocument": "{}"}, "group all"),
    ("iam", "create_role", {"RoleName": "app", "AssumeRolePolicyDocument": "{}"}, "{A}role/app"),
    ("iam", "get_role", {"RoleName": "app"}, "role app"),
    ("iam", "attach_role_policy", {"RoleName": "app", "PolicyArn": POLICY}, "role app"),
    ("iam", "create_policy", {"PolicyName": "none", "PolicyDocument": "{}"}, "policy none"),
    ("iam", "get_policy", {"PolicyArn": POLICY}, f"policy {POLICY}"),
    ("iam", "delete_policy", {"PolicyArn": POLICY}, f"policy {POLICY}"),
    ("iam", "get_account_summary", {}, "*"),
    ("iam", "simulate_principal_policy", {"PolicySourceArn": "{A}user/b", "ActionNames": ["kms:Sign"]}, "{A}user/b"),
    ("kms", "list_keys", {}, "*"),
    ("kms", "create_key", {}, "*"),
    ("kms", "generate_random", {"NumberOfBytes": 1}, "*"),
    ("sts", "get_federation_token", {"Name": "bob"}, f"arn:aws:sts::{ACCOUNT}:federated-user/bob"),
)  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "members", "resource"), FORMS, ids=lambda value: str(value)[:30])
def test_what_the_resource_is_called(
    place: Place, service: str, operation: str, members: dict[str, Any], resource: str
) -> None:
    """As AWS calls it for each operation."""
    start = f"arn:aws:iam::{ACCOUNT}:"
    user = place.add_user()
    given = {
        name: value.replace("{A}", start) if isinstance(value, str) else value for name, value in members.items()
    }  # fmt: skip
    _, _, text = refused(getattr(place.service(service, user), operation), **given)
    action = f"{service}:{''.join(part.capitalize() for part in operation.split('_'))}"
    who = f"User: {user_arn(user)} is not authorized to perform: {action}"
    where = resource.replace("{A}", start)
    assert text == f"{who} on resource: {where} because no identity-based policy allows the {action} action"


def _list_keys(place: Place, who: User | Session) -> str:
    client = who.client(place, "kms") if isinstance(who, Session) else place.kms(who)
    return refused(client.list_keys)[2].partition(" on resource: * ")[2]


def test_which_policy_it_is_for(place: Place) -> None:
    """Identity-based policies, the boundary and the session's policies: none that allows, and one that denies."""
    iam, nothing = place.service("iam"), allow("kms:CreateKey")
    user = place.add_user(nothing)
    assert _list_keys(place, user) == "because no identity-based policy allows the kms:ListKeys action"
    place.set_policy(user, _DENY)
    assert _list_keys(place, user) == "with an explicit deny in an identity-based policy"
    place.set_policy(user, allow("kms:*"))
    for document, expected in (
        (nothing, "because no permissions boundary allows the kms:ListKeys action"),
        (_DENY, "with an explicit deny in a permissions boundary"),
    ):
        name = f"{user.name}-{len(expected)}"
        arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=arn)
        assert _list_keys(place, user) == expected
    iam.delete_user_permissions_boundary(UserName=user.name)
    role = new_role(place, trust(user_arn(user)), allow("kms:*"))
    for document, expected in (
        (nothing, "because no session policy allows the kms:ListKeys action"),
        (_DENY, "with an explicit deny in a session policy"),
    ):
        assert _list_keys(place, assume(place, role, user, Policy=json.dumps(document))) == expected


def test_trust_policies(place: Place) -> None:
    """None that allows, one that denies; and the caller's own where the trust policy leaves it to the account."""
    user = place.add_user(allow("kms:ListKeys"))
    denied = trust(user_arn(user))
    denied["Statement"] = [denied["Statement"], denied["Statement"] | {"Effect": "Deny"}]
    for document, expected in (
        (trust(user_arn(place.add_user())), "because no role trust policy allows the sts:AssumeRole action"),
        (denied, "with an explicit deny in the role trust policy"),
        (trust(ACCOUNT), "because no identity-based policy allows the sts:AssumeRole action"),
    ):
        role = new_role(place, document)
        _, code, text = refused(place.service("sts", user).assume_role, RoleArn=role.arn, RoleSessionName="night")
        who = f"User: {user_arn(user)} is not authorized to perform: sts:AssumeRole on resource: {role.arn}"
        assert (code, text) == ("AccessDenied", f"{who} {expected}")
