"""RoleLastUsed: when a role's sessions were last used, and in which Region, to the minute."""

import datetime
import time
from typing import Any

from tests.identity.assuming import allow, assume, new_role, refused, trust, user_arn
from tests.support.place import ANYTHING, Place
from tests.support.processes import wait_until


def used_of(iam: Any, name: str) -> dict[str, Any]:
    """Return a role's last use once it is written, which no answer waits for."""

    def found() -> dict[str, Any]:
        return dict(iam.get_role(RoleName=name)["Role"]["RoleLastUsed"])

    wait_until(lambda: bool(found()), 60, "the use is written")
    return found()


def test_a_role_s_last_use(place: Place, iam: Any) -> None:
    """The first request of a session counts, not that the role was assumed; it stays for a minute."""
    alice = place.new_user(ANYTHING)
    role = new_role(place, trust(user_arn(alice)), allow("kms:ListKeys"))
    session = assume(place, role, alice)
    assert iam.get_role(RoleName=role.name)["Role"]["RoleLastUsed"] == {}
    kms = place.service("kms", session.user, token=session.token, region="eu-west-1")
    kms.list_keys()
    used = used_of(iam, role.name)
    assert used["Region"] == "eu-west-1"
    assert abs((datetime.datetime.now(datetime.UTC) - used["LastUsedDate"]).total_seconds()) < 60
    session.client(place, "kms").list_keys()
    time.sleep(0.1)
    assert used_of(iam, role.name) == used
    details = iam.get_account_authorization_details(Filter=["Role"], MaxItems=1000)["RoleDetailList"]
    assert {one["RoleName"]: one["RoleLastUsed"] for one in details}[role.name] == used
    assert all("RoleLastUsed" not in one for one in iam.list_roles()["Roles"])


def test_what_is_refused_counts_and_what_is_not_signed_does_not(place: Place, iam: Any) -> None:
    """As with access keys: whoever proves to have the credentials has used them."""
    alice = place.new_user(ANYTHING)
    refused_one, stolen = (new_role(place, trust(user_arn(alice))) for _ in range(2))
    session = assume(place, refused_one, alice)
    assert refused(session.client(place, "kms").list_keys)[1] == "AccessDeniedException"
    assert used_of(iam, refused_one.name)["Region"] == "us-east-1"
    other = assume(place, stolen, alice)
    wrong = place.service("kms", type(other.user)("x", other.user.access_key_id, "no secret"), token=other.token)
    assert refused(wrong.list_keys)[1] == "InvalidSignatureException"
    time.sleep(0.1)
    assert iam.get_role(RoleName=stolen.name)["Role"]["RoleLastUsed"] == {}
