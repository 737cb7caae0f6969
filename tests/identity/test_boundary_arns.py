"""ARNs of permissions boundaries that cannot be, in AWS's words.

Sources: answers of AWS that people have published ("Scope ARN: … does not exist or is not attachable.").
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.identity.assuming import refused
from tests.identity.test_roles import TRUST
from tests.support.place import ACCOUNT

Names = Callable[[str], str]
THERE_IS_NONE = f"arn:aws:iam::{ACCOUNT}:policy/none"
NO_POLICY = f"arn:aws:iam::{ACCOUNT}:user/nobody"


@pytest.mark.parametrize("kind", ["user", "role"])
def test_boundaries_that_there_are_not(iam: Any, unique: Names, kind: str) -> None:
    """One that does not exist is a scope that cannot be attached, one that is no policy's ARN is not valid."""
    name, free = {f"{kind.capitalize()}Name": unique("held")}, {f"{kind.capitalize()}Name": unique("free")}
    more = {"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}
    create, put = getattr(iam, f"create_{kind}"), getattr(iam, f"put_{kind}_permissions_boundary")
    create(**name, **more)
    for call, given in ((create, {**free, **more}), (put, name)):
        text = f"Scope ARN: {THERE_IS_NONE} does not exist or is not attachable."
        assert refused(call, **given, PermissionsBoundary=THERE_IS_NONE) == (404, "NoSuchEntity", text)
        text = f"ARN {NO_POLICY} is not valid."
        assert refused(call, **given, PermissionsBoundary=NO_POLICY) == (400, "InvalidInput", text)


def test_a_policy_to_be_attached_is_no_scope(iam: Any, unique: Names) -> None:
    """Attaching what there is not is told in AWS's other sentence, also to who has a boundary."""
    boundary, name = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", unique("bounded")
    iam.create_user(UserName=name, PermissionsBoundary=boundary)
    text = f"Policy {THERE_IS_NONE} does not exist or is not attachable."
    answer = refused(iam.attach_user_policy, UserName=name, PolicyArn=THERE_IS_NONE)
    assert answer == (404, "NoSuchEntity", text)
