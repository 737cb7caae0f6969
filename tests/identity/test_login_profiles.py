"""Login profiles and the password policy: data about passwords that nobody can sign in with, and no password."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.session import Session

from fuin.audit import reader
from fuin.identity.app import SECRET
from tests.identity.assuming import allow, refused
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place
from tests.support.server import User

Names = Callable[[str], str]
GOOD, OTHER = "Horse-Battery-7", "Staple-Correct-8"
VIOLATION = (400, "PasswordPolicyViolation", "Password does not conform to the account password policy.")


@pytest.fixture
def user(iam: Any, unique: Names) -> str:
    """Give a user without a password."""
    name = unique("user")
    iam.create_user(UserName=name)
    return name


@pytest.fixture
def policy(iam: Any) -> Iterator[Callable[..., None]]:
    """Give what sets the account's password policy, which goes afterwards."""
    yield iam.update_account_password_policy
    iam.delete_account_password_policy()


def test_profile_from_first_to_last(iam: Any, user: str) -> None:
    """It is made, shown, changed and removed; a user that has one is not deleted."""
    missing = (404, "NoSuchEntity", f"Login Profile for User {user} cannot be found.")
    for call in (iam.get_login_profile, iam.delete_login_profile, iam.update_login_profile):
        assert refused(call, UserName=user) == missing
    made = iam.create_login_profile(UserName=user, Password=GOOD, PasswordResetRequired=True)["LoginProfile"]
    assert (made["UserName"], made["PasswordResetRequired"]) == (user, True)
    assert iam.get_login_profile(UserName=user)["LoginProfile"] == made
    taken = (409, "EntityAlreadyExists", f"Login Profile for user {user} already exists.")
    assert refused(iam.create_login_profile, UserName=user, Password=GOOD) == taken
    iam.update_login_profile(UserName=user, Password=OTHER)
    assert iam.get_login_profile(UserName=user)["LoginProfile"]["PasswordResetRequired"] is True
    iam.update_login_profile(UserName=user, PasswordResetRequired=False)
    assert iam.get_login_profile(UserName=user)["LoginProfile"] == {**made, "PasswordResetRequired": False}
    kept = (409, "DeleteConflict", "Cannot delete entity, must delete login profile first.")
    assert refused(iam.delete_user, UserName=user) == kept
    iam.delete_login_profile(UserName=user)
    assert refused(iam.get_login_profile, UserName=user) == missing
    iam.delete_user(UserName=user)


def test_caller_is_meant_where_nobody_is_named(place: Place, iam: Any) -> None:
    """A user's own profile is shown to it; the root has none and gets none."""
    caller = place.new_user(allow("iam:GetLoginProfile"))
    iam.create_login_profile(UserName=caller.name, Password=GOOD)
    assert place.service("iam", caller).get_login_profile()["LoginProfile"]["UserName"] == caller.name
    missing = (404, "NoSuchEntity", f"Login Profile for User {ACCOUNT} cannot be found.")
    assert refused(iam.get_login_profile) == refused(iam.delete_login_profile) == missing
    assert refused(iam.create_login_profile, Password=GOOD)[:2] == (400, "ValidationError")
    assert refused(iam.create_login_profile, UserName=caller.name)[:2] == (400, "ValidationError")


@pytest.mark.parametrize("password", ["Short-7", "horse-battery", "HORSEBATTERY7", ACCOUNT, "x"])
def test_default_policy(iam: Any, user: str, password: str) -> None:
    """AWS: at least eight characters of three kinds, where the account has no policy of its own."""
    assert refused(iam.create_login_profile, UserName=user, Password=password) == VIOLATION
    assert refused(iam.get_login_profile, UserName=user)[1] == "NoSuchEntity"


def test_policy_of_the_account(iam: Any, user: str, policy: Callable[..., None]) -> None:
    """It is set as a whole, with AWS's defaults, and shown; passwords from then on conform to it."""
    policy()
    defaults = {
        "MinimumPasswordLength": 6, "RequireSymbols": False, "RequireNumbers": False, "ExpirePasswords": False,
        "RequireUppercaseCharacters": False, "RequireLowercaseCharacters": False, "AllowUsersToChangePassword": False,
    }  # fmt: skip
    assert iam.get_account_password_policy()["PasswordPolicy"] == defaults
    iam.create_login_profile(UserName=user, Password="simple")
    for required, password in (
        ("RequireSymbols", "Horse7battery"), ("RequireNumbers", "Horse-battery"),
        ("RequireUppercaseCharacters", "horse-battery7"), ("RequireLowercaseCharacters", "HORSE-BATTERY7"),
    ):  # fmt: skip
        policy(**{required: True})
        assert refused(iam.update_login_profile, UserName=user, Password=password) == VIOLATION
        iam.update_login_profile(UserName=user, Password=GOOD)
    policy(MinimumPasswordLength=16, MaxPasswordAge=90, PasswordReusePrevention=5, HardExpiry=True)
    shown = iam.get_account_password_policy()["PasswordPolicy"]
    assert shown == defaults | {
        "MinimumPasswordLength": 16, "MaxPasswordAge": 90, "PasswordReusePrevention": 5, "HardExpiry": True,
        "ExpirePasswords": True,
    }  # fmt: skip
    assert refused(iam.update_login_profile, UserName=user, Password=GOOD) == VIOLATION
    assert refused(iam.update_account_password_policy, MinimumPasswordLength=5)[:2] == (400, "ValidationError")


def test_policy_that_is_not_there(place: Place, iam: Any) -> None:
    """AWS's errors, of each account for itself."""
    text = f"The Password Policy with domain name {ACCOUNT} cannot be found."
    assert refused(iam.get_account_password_policy) == (404, "NoSuchEntity", text)
    gone = (404, "NoSuchEntity", "The account policy with name PasswordPolicy cannot be found.")
    assert refused(iam.delete_account_password_policy) == gone
    other = place.service("iam", place.other_root)
    other.update_account_password_policy()
    assert refused(iam.get_account_password_policy)[1] == "NoSuchEntity"
    other.delete_account_password_policy()
    assert OTHER_ACCOUNT in refused(other.get_account_password_policy)[2]


def test_user_changes_its_own_password(place: Place, iam: Any, policy: Callable[..., None]) -> None:
    """By a right of its own, to what conforms; then it has not to be set again. Only users have passwords."""
    able, weak = place.new_user(allow("iam:ChangePassword")), place.new_user(allow("iam:GetUser"))
    own = place.service("iam", able)
    missing = (404, "NoSuchEntity", f"Login Profile for User {able.name} cannot be found.")
    assert refused(own.change_password, OldPassword=GOOD, NewPassword=OTHER) == missing
    iam.create_login_profile(UserName=able.name, Password=GOOD, PasswordResetRequired=True)
    policy(PasswordReusePrevention=1, MinimumPasswordLength=8, AllowUsersToChangePassword=True)
    assert refused(own.change_password, OldPassword=GOOD, NewPassword="short") == VIOLATION
    assert refused(own.change_password, OldPassword=GOOD, NewPassword=GOOD) == VIOLATION
    own.change_password(OldPassword=GOOD, NewPassword=OTHER)
    assert iam.get_login_profile(UserName=able.name)["LoginProfile"]["PasswordResetRequired"] is False
    denied = refused(place.service("iam", weak).change_password, OldPassword=GOOD, NewPassword=OTHER)
    assert denied[:2] == (403, "AccessDenied")
    assert refused(iam.change_password, OldPassword=GOOD, NewPassword=OTHER)[:2] == (400, "InvalidUserType")


def test_passwords_are_nowhere(place: Place, iam: Any, user: str) -> None:
    """Neither in the audit log, nor in an error, nor in the database, whether they are taken or refused."""
    caller = place.new_user(allow("iam:*"))
    own, secret = place.service("iam", caller), "Nowhere-To-Be-Found-9"
    own.create_login_profile(UserName=user, Password=secret)
    own.update_login_profile(UserName=user, Password=secret)
    own.create_login_profile(UserName=caller.name, Password=secret)
    own.change_password(OldPassword=secret, NewPassword=secret + "x")
    for wrong in (secret + "\x07", secret * 10):
        given = {"UserName": user, "Password": wrong}
        assert secret not in str(refused(own.update_login_profile, **given))
        assert secret not in str(refused(own.change_password, OldPassword=wrong, NewPassword=wrong))
    assert secret not in str(refused(own.create_login_profile, UserName="not-there", Password=secret))
    newest = reader.last(place.settings.audit, 60)
    records = [record.draft for record in newest if record.draft["principal"].endswith(caller.name)]
    assert {"iam:CreateLoginProfile", "iam:ChangePassword"} <= {draft["operation"] for draft in records}
    assert secret not in str(records)
    for path in place.settings.database.parent.glob("fuin.db*"):
        assert secret.encode() not in path.read_bytes()


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_what_models_call_sensitive_is_in_no_record(service: str) -> None:
    """Every member of every operation, built or not: another one in the next model fails here."""
    found: set[str] = set()

    def look(shape: Any, above: tuple[str, ...] = ()) -> None:
        if shape is None or shape.name in above:
            return
        if shape.type_name == "structure":
            found.update(name for name, member in shape.members.items() if member.metadata.get("sensitive"))
            for member in shape.members.values():
                look(member, (*above, shape.name))
        elif shape.type_name == "list":
            look(shape.member, (*above, shape.name))

    model = Session().get_service_model(service)
    for name in model.operation_names:
        look(model.operation_model(name).input_shape)
    assert found
    assert found <= SECRET


def test_credentials_of_a_profile_open_nothing(place: Place, iam: Any, user: str) -> None:
    """A password is no credential of any request here: with the user's name as an access key, nothing is known."""
    iam.create_login_profile(UserName=user, Password=GOOD)
    asking = place.service("sts", User(user, user, GOOD))
    assert refused(asking.get_caller_identity)[1] in {"InvalidClientTokenId", "IncompleteSignature"}
