"""AssumeRole: who may, with which conditions; what AWS refuses; what the answer and the record say."""

import json
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.identity.assuming import ALL_OF_STS, allow, assume, new_role, refused, trust, user_arn
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place
from tests.support.server import User

DENIED = (403, "AccessDenied")


@pytest.fixture(scope="module")
def alice(place: Place) -> User:
    """Give a user without any rights."""
    return place.new_user()


@pytest.fixture(scope="module")
def stranger(place: Place) -> User:
    """Give a user of the other account who may assume whatever role trusts him."""
    return place.add_user(allow("sts:AssumeRole"), OTHER_ACCOUNT)


def test_answer_says_who_one_is_now(place: Place, alice: User) -> None:
    """Credentials with AWS's prefix, the session's ARN and id, its end; the role's path is not in the ARN."""
    role = new_role(place, trust(user_arn(alice)), Path="/team/")
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/team/{role.name}"
    began = int(time.time())
    session = assume(place, role, alice)
    keys = session.answer["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")
    assert (len(keys["AccessKeyId"]), len(keys["SecretAccessKey"])) == (20, 40)
    assert began + 3600 <= keys["Expiration"].timestamp() <= time.time() + 3600
    me = {"AssumedRoleId": f"{role.id}:night", "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/night"}
    assert session.answer["AssumedRoleUser"] == me
    assert "PackedPolicySize" not in session.answer
    assert session.answer["SessionTokenSize"] == len(session.token) < 800
    known = session.client(place, "sts").get_caller_identity()
    assert (known["Arn"], known["UserId"], known["Account"]) == (me["Arn"], me["AssumedRoleId"], ACCOUNT)


def test_trust_in_the_account_needs_the_users_own_right(place: Place, alice: User) -> None:
    """Naming the account leaves it to the account: nobody gets in by that alone, and who has the right does."""
    role = new_role(place, trust(ACCOUNT))
    other = new_role(place, trust(ACCOUNT))
    status, code, text = refused(assume, place, role, alice)
    assert (status, code) == DENIED
    assert text.startswith(f"User: {user_arn(alice)} is not authorized to perform: sts:AssumeRole on resource:")
    may = place.new_user(allow("sts:AssumeRole", role.arn))
    assume(place, role, may)
    assert refused(assume, place, other, may)[:2] == DENIED


def test_trust_in_the_user_is_enough_within_the_account(place: Place, alice: User) -> None:
    """A trust policy that names the user directly needs nothing else; an own denial wins over it."""
    role = new_role(place, trust(user_arn(alice)))
    assume(place, role, alice)
    denied = place.new_user({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "sts:*", "Resource": "*"},
    })  # fmt: skip
    assert "with an explicit deny" in refused(assume, place, new_role(place, trust(user_arn(denied))), denied)[2]


def test_another_account_needs_both_sides(place: Place, stranger: User) -> None:
    """Across accounts the trust policy and the caller's own policy must allow, also when the user is named."""
    arn = user_arn(stranger, OTHER_ACCOUNT)
    assume(place, new_role(place, trust(arn)), stranger)
    assume(place, new_role(place, trust(OTHER_ACCOUNT)), stranger)
    assert refused(assume, place, new_role(place, trust(ACCOUNT)), stranger)[:2] == DENIED
    without = place.add_user(account=OTHER_ACCOUNT)
    role = new_role(place, trust(user_arn(without, OTHER_ACCOUNT)))
    assert refused(assume, place, role, without)[:2] == DENIED


def test_external_id_guards_against_the_confused_deputy(place: Place, stranger: User) -> None:
    """The role can be assumed with the right external id alone: not without, not with another."""
    condition = {"StringEquals": {"sts:ExternalId": "contract-42"}}
    role = new_role(place, trust(OTHER_ACCOUNT, Condition=condition))
    assert refused(assume, place, role, stranger)[:2] == DENIED
    assert refused(assume, place, role, stranger, ExternalId="contract-41")[:2] == DENIED
    assume(place, role, stranger, ExternalId="contract-42")


def test_conditions_on_the_session(place: Place, alice: User) -> None:
    """The session's name, its tags and their keys, and the role's own tags can be demanded."""
    condition = {
        "StringLike": {"sts:RoleSessionName": "${aws:username}"},
        "StringEquals": {"aws:RequestTag/team": "blue", "iam:ResourceTag/open": "yes"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    tags = [{"Key": "open", "Value": "yes"}]
    role = new_role(place, trust(user_arn(alice), ALL_OF_STS, Condition=condition), Tags=tags)
    blue = [{"Key": "team", "Value": "blue"}]
    assume(place, role, alice, RoleSessionName=alice.name, Tags=blue)
    wrong: list[dict[str, Any]] = [
        {"RoleSessionName": "somebody"}, {"Tags": [{"Key": "team", "Value": "red"}]}, {"Tags": []},
        {"Tags": [*blue, {"Key": "more", "Value": ""}]},
    ]  # fmt: skip
    for changed in wrong:
        given = {"RoleSessionName": alice.name, "Tags": blue, **changed}
        assert refused(assume, place, role, alice, **given)[:2] == DENIED
    place.service("iam").untag_role(RoleName=role.name, TagKeys=["open"])
    assert refused(assume, place, role, alice, RoleSessionName=alice.name, Tags=blue)[:2] == DENIED


def test_tags_and_source_identity_are_rights_of_their_own(place: Place, alice: User) -> None:
    """sts:TagSession and sts:SetSourceIdentity must be allowed beside sts:AssumeRole."""
    role = new_role(place, trust(user_arn(alice)))
    tags = [{"Key": "team", "Value": "blue"}]
    assert "sts:TagSession" in refused(assume, place, role, alice, Tags=tags)[2]
    assert "sts:SetSourceIdentity" in refused(assume, place, role, alice, SourceIdentity="alice")[2]
    whole = new_role(place, trust(user_arn(alice), ALL_OF_STS))
    session = assume(place, whole, alice, Tags=tags, SourceIdentity="alice")
    assert session.answer["SourceIdentity"] == "alice"
    assert 0 < session.answer["PackedPolicySize"] < 5


def test_a_role_that_there_is_not_looks_like_one_that_does_not_trust(place: Place, stranger: User) -> None:
    """Status, code and text are the same, whatever the account, so names cannot be tried out."""
    role = new_role(place, trust(ACCOUNT))
    answers = set()
    for arn in (role.arn, role.arn + "x", role.arn.replace("role/", "role/path/"), "arn:aws:iam::999999999999:role/x"):
        status, code, text = refused(
            place.service("sts", stranger).assume_role, RoleArn=arn, RoleSessionName="night"
        )  # fmt: skip
        answers.add((status, code, text.replace(arn, "ARN")))
    assert len(answers) == 1
    assert answers.pop()[:2] == DENIED


def test_a_role_is_named_by_its_whole_arn(place: Place, alice: User) -> None:
    """The path belongs to the ARN: who leaves it out, or makes one up, has named no role."""
    trusting = trust(user_arn(alice))
    with_path, without = new_role(place, trusting, Path="/team/"), new_role(place, trusting)
    for wrong in (with_path.arn.replace("/team/", "/"), without.arn.replace("role/", "role/team/")):
        call = place.service("sts", alice).assume_role
        assert refused(call, RoleArn=wrong, RoleSessionName="night")[:2] == DENIED


def test_root_assumes_no_roles(place: Place) -> None:
    """AWS: roles may not be assumed by root accounts."""
    role = new_role(place, trust(ACCOUNT))
    assert refused(assume, place, role, place.root) == (*DENIED, "Roles may not be assumed by root accounts.")


def test_durations(place: Place, alice: User) -> None:
    """From 900 seconds to the role's longest; what lies outside is refused, not cut."""
    role = new_role(place, trust(user_arn(alice)), MaxSessionDuration=7200)
    for seconds in (900, 7200):
        session = assume(place, role, alice, DurationSeconds=seconds)
        assert abs(session.answer["Credentials"]["Expiration"].timestamp() - time.time() - seconds) < 60
    too_long = refused(assume, place, role, alice, DurationSeconds=7201)
    assert too_long == (
        400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )  # fmt: skip
    for seconds in (899, 43201, 0):
        assert refused(assume, place, role, alice, DurationSeconds=seconds)[:2] == (400, "ValidationError")


def test_a_chain_lasts_an_hour(place: Place, alice: User) -> None:
    """A role's session may assume another role for an hour at most, whatever that role allows."""
    first = new_role(place, trust(user_arn(alice)), MaxSessionDuration=43200)
    second = new_role(place, trust(first.arn), MaxSessionDuration=43200)
    session = assume(place, first, alice, DurationSeconds=43200)
    assume(place, second, session, DurationSeconds=3600)
    status, code, text = refused(assume, place, second, session, DurationSeconds=3601)
    assert (status, code) == (400, "ValidationError")
    assert "role chaining" in text


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"RoleSessionName": "a"}, "ValidationError"),
        ({"RoleSessionName": "with space"}, "ValidationError"),
        ({"RoleSessionName": "night/morning"}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::123456789012:user/somebody"}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/"}, "ValidationError"),
        ({"ExternalId": "x"}, "ValidationError"),
        ({"SourceIdentity": "aws:me"}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": json.dumps(trust(ACCOUNT))}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::123456789012:policy/not-there"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "aws:team", "Value": "1"}]}, "InvalidParameterValue"),
        ({"TransitiveTagKeys": ["a"]}, "InvalidParameterValue"),
        ({"SerialNumber": "arn:aws:iam::123456789012:mfa/me", "TokenCode": "123456"}, "AccessDenied"),
    ],
)
def test_wrong_requests(place: Place, alice: User, given: dict[str, Any], code: str) -> None:
    """What is not well-formed is refused with AWS's codes, also by those who may assume the role."""
    role = new_role(place, trust(user_arn(alice), ALL_OF_STS))
    assert refused(assume, place, role, alice, **given)[1] == code


@pytest.mark.parametrize("name", ["PolicyArns", "PolicyArns.1.arn", "PolicyArns.member", "PolicyArns.Member.1.arn"])
def test_limits_under_a_wrong_name_are_refused(place: Place, alice: User, name: str) -> None:
    """Session policies that nobody would read are an error: a session without them would have no limit."""
    role = new_role(place, trust(user_arn(alice)))
    given = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role.arn, "RoleSessionName": "night"}
    form = urlencode({**given, name: f"arn:aws:iam::{ACCOUNT}:policy/limit"}).encode()
    status, text = place.form(form, user=alice, service="sts")
    assert (status, "<Code>ValidationError</Code>" in text) == (400, True)


def test_policies_and_tags_that_do_not_fit(place: Place, alice: User) -> None:
    """2,048 characters of policies, and a packed limit of its own for policies and tags together."""
    role = new_role(place, trust(user_arn(alice), ALL_OF_STS))
    long = json.dumps(allow("kms:Decrypt", [f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{n}" for n in range(60)]))
    assert len(long) > 2048
    status, code, text = refused(assume, place, role, alice, Policy=long)
    assert (status, code) == (400, "PackedPolicyTooLarge")
    assert text.startswith("Packed policy consumes 1")
    tags = [{"Key": secrets.token_hex(32), "Value": secrets.token_urlsafe(64)} for _ in range(25)]
    assert refused(assume, place, role, alice, Tags=tags)[:2] == (400, "PackedPolicyTooLarge")


def test_longer_token(place: Place, alice: User) -> None:
    """MinimumSessionTokenSize makes the token as long as asked for, and it works."""
    role = new_role(place, trust(user_arn(alice)))
    session = assume(place, role, alice, MinimumSessionTokenSize=4096)
    assert len(session.token) == session.answer["SessionTokenSize"] == 4096
    assert session.answer["SessionTokenUtilization"] == 100
    assert session.client(place, "sts").get_caller_identity()["Account"] == ACCOUNT


def test_transitive_tags_go_down_the_chain(place: Place, alice: User) -> None:
    """A transitive tag is in every later session and cannot be passed anew; others end with their session."""
    first = new_role(place, trust(user_arn(alice), ALL_OF_STS))
    second = new_role(place, trust(first.arn, ALL_OF_STS))
    third = new_role(
        place,
        trust(second.arn, ALL_OF_STS, Condition={
            "StringEquals": {"aws:PrincipalTag/team": "blue"}, "Null": {"aws:PrincipalTag/shift": "true"},
        }),
    )  # fmt: skip
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "shift", "Value": "late"}]
    one = assume(place, first, alice, Tags=tags, TransitiveTagKeys=["Team"])
    assert refused(assume, place, third, one)[:2] == DENIED
    for again in ("blue", "red"):
        status, code, text = refused(assume, place, second, one, Tags=[{"Key": "TEAM", "Value": again}])
        assert (status, code) == (400, "InvalidParameterValue")
        assert "transitive" in text
    two = assume(place, second, one, Tags=[{"Key": "more", "Value": "1"}])
    assume(place, third, two)
    untagged = assume(place, second, assume(place, first, alice, Tags=tags))
    assert refused(assume, place, third, untagged)[:2] == DENIED


def test_inherited_tags_need_the_right_too(place: Place, alice: User) -> None:
    """A role that does not allow sts:TagSession cannot be assumed from a session with transitive tags."""
    first = new_role(place, trust(user_arn(alice), ALL_OF_STS))
    second = new_role(place, trust(first.arn))
    one = assume(place, first, alice, Tags=[{"Key": "team", "Value": "blue"}], TransitiveTagKeys=["team"])
    assert "sts:TagSession" in refused(assume, place, second, one)[2]
    assume(place, second, assume(place, first, alice, Tags=[{"Key": "team", "Value": "blue"}]))


def test_source_identity_stays(place: Place, alice: User) -> None:
    """Once set it goes down the chain, cannot be changed, and conditions see it."""
    first = new_role(place, trust(user_arn(alice), ALL_OF_STS))
    condition = {"StringEquals": {"sts:SourceIdentity": "alice", "aws:SourceIdentity": "alice"}}
    second = new_role(place, trust(first.arn, ALL_OF_STS, Condition=condition))
    one = assume(place, first, alice, SourceIdentity="alice")
    assert assume(place, second, one).answer["SourceIdentity"] == "alice"
    assume(place, second, one, SourceIdentity="alice")
    assert refused(assume, place, second, one, SourceIdentity="bob")[:2] == DENIED
    assert refused(assume, place, second, assume(place, first, alice))[:2] == DENIED
    silent = new_role(place, trust(first.arn))
    assert "sts:SetSourceIdentity" in refused(assume, place, silent, one)[2]


def test_record_of_a_session(place: Place, alice: User) -> None:
    """The record names who got which access key for how long, and no secret; later ones whose session it is."""
    role = new_role(place, trust(user_arn(alice), ALL_OF_STS), allow("kms:ListKeys"))
    session = assume(place, role, alice, SourceIdentity="alice")
    issued = place.last_record().draft
    keys = session.answer["Credentials"]
    assert issued["operation"] == "sts:AssumeRole"
    assert issued["facts"]["issued"]["accessKey"] == keys["AccessKeyId"]
    assert issued["facts"]["issued"]["until"] == keys["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [decision["action"] for decision in issued["decisions"]] == ["sts:AssumeRole", "sts:SetSourceIdentity"]
    for secret in (keys["SecretAccessKey"], session.token):
        assert secret not in json.dumps(issued)
    session.client(place, "kms").list_keys()
    used = place.last_record().draft
    assert used["principal"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/night"
    assert used["accessKey"] == keys["AccessKeyId"]
    assert used["facts"]["session"] == {
        "of": role.arn, "name": "night", "sourceIdentity": "alice", "issuer": user_arn(alice),
        "issuerAccessKey": alice.access_key_id,
    }  # fmt: skip


def test_access_key_info(place: Place, alice: User) -> None:
    """The account of a key of any account, for who has the right."""
    info = place.service("sts").get_access_key_info
    assert info(AccessKeyId=alice.access_key_id)["Account"] == ACCOUNT
    assert info(AccessKeyId=place.other_root.access_key_id)["Account"] == OTHER_ACCOUNT
    assert refused(info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")[:2] == (400, "ValidationError")
    assert refused(place.service("sts", alice).get_access_key_info, AccessKeyId=alice.access_key_id)[:2] == DENIED


def test_authorization_messages(place: Place, alice: User) -> None:
    """There are none, so each is invalid; who lacks the right is told that."""
    decode = place.service("sts").decode_authorization_message
    status, code, _ = refused(decode, EncodedMessage="eyJ")
    assert (status, code) == (400, "InvalidAuthorizationMessageException")
    assert refused(place.service("sts", alice).decode_authorization_message, EncodedMessage="eyJ")[:2] == DENIED


def test_identity_providers_are_not_there(place: Place) -> None:
    """What a provider's word would open is refused clearly, also without a signature; other things need one."""
    for action in ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"):
        body = f"Action={action}&Version=2011-06-15&WebIdentityToken=secret".encode()
        for signed in (True, False):
            status, text = place.form(body, service="sts", signed=signed)
            assert status == 400
            assert f"<Code>InvalidAction</Code><Message>The operation {action} is not built" in text
        assert "secret" not in json.dumps(place.last_record().draft)
    status, text = place.form(b"Action=AssumeRole&Version=2011-06-15", service="sts", signed=False)
    assert (status, "MissingAuthenticationToken" in text) == (403, True)
