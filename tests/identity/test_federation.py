"""GetFederationToken: who gets a federated user, what it may do, by what name policies know it, and when it ends."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.identity.assuming import Session, allow, assume, new_role, refused, session_of, trust, user_arn
from tests.support.place import ACCOUNT, ANYTHING, OTHER_ACCOUNT, Place
from tests.support.server import User

DENIED = (403, "AccessDenied")
INVALID = (403, "InvalidClientTokenId")
Names = Callable[[str], str]


@pytest.fixture(scope="module")
def alice(place: Place) -> User:
    """Give a user who may do anything."""
    return place.new_user(ANYTHING)


@pytest.fixture(scope="module")
def key(place: Place) -> str:
    """Give a key whose key policy leaves everything to the account."""
    made: str = place.service("kms").create_key()["KeyMetadata"]["Arn"]
    return made


@pytest.fixture
def bob() -> str:
    """Give a name for a federated user that no other test has."""
    return f"bob-{secrets.token_hex(4)}"


def federate(place: Place, who: User, name: str, policy: Mapping[str, Any] | None = None, **more: Any) -> Session:
    """Get a federated user's credentials, with a session policy."""
    given = {} if policy is None else {"Policy": json.dumps(policy)}
    return session_of(place.service("sts", who).get_federation_token(Name=name, **given, **more))


def arn_of(name: str, account: str = ACCOUNT) -> str:
    """Return a federated user's ARN."""
    return f"arn:aws:sts::{account}:federated-user/{name}"


def encrypts(place: Place, session: Session, key: str) -> bool:
    """Tell whether a session may encrypt; anything but AccessDenied fails the test."""
    try:
        session.client(place, "kms").encrypt(KeyId=key, Plaintext=b"x")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def key_that_names(place: Place, arn: str) -> str:
    """Make a key whose policy lets the root administer it and `arn` encrypt."""
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Encrypt", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    made: str = place.service("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return made


def test_who_it_is(place: Place, alice: User, bob: str) -> None:
    """STS names the federated user, the record names whose it is and with which key it was asked for; no secret."""
    session = federate(place, alice, bob, allow("kms:ListKeys"))
    issued = place.last_record().draft
    assert session.answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:{bob}", "Arn": arn_of(bob)}
    assert 0 < session.answer["PackedPolicySize"] < 100
    life = session.answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert abs(life - 43_200) < 60
    assert [decision["action"] for decision in issued["decisions"]] == ["sts:GetFederationToken"]
    assert issued["facts"]["issued"]["accessKey"] == session.user.access_key_id
    for secret in (session.user.secret_access_key, session.token):
        assert secret not in json.dumps(issued)
    who = session.client(place, "sts").get_caller_identity()
    assert (who["Arn"], who["UserId"], who["Account"]) == (arn_of(bob), f"{ACCOUNT}:{bob}", ACCOUNT)
    session.client(place, "kms").list_keys()
    used = place.last_record().draft
    assert used["principal"] == arn_of(bob)
    assert used["facts"]["session"] == {
        "of": user_arn(alice), "name": bob, "issuer": user_arn(alice), "issuerAccessKey": alice.access_key_id,
    }  # fmt: skip


def test_rights_are_those_of_both(place: Place, key: str, bob: str) -> None:
    """A federated user may what both the user's policies and its session policy allow; a denial in either wins."""
    carol = place.new_user(allow(["sts:GetFederationToken", "kms:Encrypt", "kms:ListKeys"]))
    kms = federate(place, carol, bob, allow(["kms:Encrypt", "kms:DescribeKey"])).client(place, "kms")
    kms.encrypt(KeyId=key, Plaintext=b"x")
    assert "because no session policy allows the kms:ListKeys action" in refused(kms.list_keys)[2]
    assert "because no identity-based policy allows" in refused(kms.describe_key, KeyId=key)[2]
    assert f"User: {arn_of(bob)} is not authorized" in refused(kms.describe_key, KeyId=key)[2]
    deny = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}
    denying = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny]}
    assert not encrypts(place, federate(place, carol, bob, denying), key)
    place.service("iam").put_user_policy(
        UserName=carol.name, PolicyName="no", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": deny})
    )
    assert "with an explicit deny in an identity-based policy" in refused(kms.encrypt, KeyId=key, Plaintext=b"x")[2]


def test_managed_session_policies_and_boundaries(place: Place, key: str, bob: str, unique: Names) -> None:
    """Managed session policies limit as the document does, and so does the boundary of the user."""
    iam = place.service("iam")
    carol = place.new_user(allow(["sts:*", "kms:*"]))
    arns = [
        iam.create_policy(PolicyName=unique("limit"), PolicyDocument=json.dumps(allow(action)))["Policy"]["Arn"]
        for action in (["kms:Encrypt", "sts:*"], "kms:ListKeys")
    ]
    both = federate(place, carol, bob, PolicyArns=[{"arn": arn} for arn in arns])
    kms = both.client(place, "kms")
    assert encrypts(place, both, key)
    kms.list_keys()
    assert refused(kms.describe_key, KeyId=key)[1] == "AccessDeniedException"
    iam.put_user_permissions_boundary(UserName=carol.name, PermissionsBoundary=arns[0])
    assert encrypts(place, both, key)
    assert "because no permissions boundary allows" in refused(kms.list_keys)[2]
    missing = [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/none"}]
    get = place.service("sts", carol).get_federation_token
    assert refused(get, Name=bob, PolicyArns=missing)[:2] == (400, "InvalidParameterValue")


def test_without_a_session_policy_there_are_no_rights(place: Place, alice: User, key: str, bob: str) -> None:
    """But for what a resource gives the federated user by its name."""
    session = federate(place, alice, bob)
    assert "PackedPolicySize" not in session.answer
    assert not encrypts(place, session, key)
    assert refused(session.client(place, "kms").list_keys)[1] == "AccessDeniedException"
    assert encrypts(place, session, key_that_names(place, arn_of(bob)))
    assert not encrypts(place, session, key_that_names(place, user_arn(alice)))
    assert not encrypts(place, session, key_that_names(place, arn_of(f"{bob}-2")))


def test_how_a_key_policy_names_it(place: Place, bob: str) -> None:
    """By its own ARN nothing limits what is given; by its user's ARN the session policy does."""
    carol = place.new_user(allow("sts:GetFederationToken"))
    narrow, wide = (federate(place, carol, bob, allow(action)) for action in ("kms:ListKeys", "kms:*"))
    itself, by_user = key_that_names(place, arn_of(bob)), key_that_names(place, user_arn(carol))
    found = [[encrypts(place, session, key) for session in (narrow, wide)] for key in (itself, by_user)]
    assert found == [[True, True], [False, True]]


def test_bucket_policies_name_it(place: Place, alice: User, bob: str, unique: Names) -> None:
    """Its user's policies are enough in the account; a bucket policy gives to it, and denies, by its ARN."""
    s3, bucket = place.service("s3"), unique("night")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    own = federate(place, alice, bob, allow("s3:GetObject"))
    assert own.client(place, "s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    session = federate(place, alice, bob)
    assert refused(session.client(place, "s3").get_object, Bucket=bucket, Key="a")[1] == "AccessDenied"
    for effect, who, expected in (("Allow", session, True), ("Deny", federate(place, alice, bob, ANYTHING), False)):
        statement = {
            "Effect": effect, "Principal": {"AWS": arn_of(bob)}, "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }  # fmt: skip
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
        get = who.client(place, "s3").get_object
        if expected:
            assert get(Bucket=bucket, Key="a")["Body"].read() == b"x"
        else:
            assert "with an explicit deny in a resource-based policy" in refused(get, Bucket=bucket, Key="a")[2]


def test_another_account_needs_both_sides(place: Place, bob: str) -> None:
    """A key of another account that names the federated user: the user's policies and the session policy count too."""
    carol = place.new_user(allow(["sts:GetFederationToken", "kms:Encrypt"]))
    other = place.service("kms", place.other_root)
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": name}, "Action": action, "Resource": "*"}
        for name, action in ((OTHER_ACCOUNT, "kms:*"), (arn_of(bob), "kms:*"))
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    key = other.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    assert not encrypts(place, federate(place, carol, bob), key)
    session = federate(place, carol, bob, allow("kms:*"))
    assert encrypts(place, session, key)
    assert refused(session.client(place, "kms").describe_key, KeyId=key)[1] == "AccessDeniedException"


def test_grants_name_it(place: Place, alice: User, key: str, bob: str) -> None:
    """A grant to a federated user is that federated user's, also without a session policy."""
    session = federate(place, alice, bob)
    kms = place.service("kms")
    grant = kms.create_grant(KeyId=key, GranteePrincipal=arn_of(bob), Operations=["Encrypt"])["GrantId"]
    assert encrypts(place, session, key)
    assert not encrypts(place, federate(place, alice, f"{bob}-2"), key)
    kms.revoke_grant(KeyId=key, GrantId=grant)
    assert not encrypts(place, session, key)


def test_same_name_of_two_users(place: Place, alice: User, key: str, bob: str) -> None:
    """Two users' federated users of one name and one session policy have each the rights of their own user."""
    poor = place.new_user(allow("sts:GetFederationToken"))
    rich_one, poor_one = (federate(place, who, bob, allow("kms:*")) for who in (alice, poor))
    for _ in range(2):
        assert encrypts(place, rich_one, key)
        assert not encrypts(place, poor_one, key)


def test_root_s_federated_users(place: Place, key: str, bob: str) -> None:
    """Root's have whatever their session policy allows, and last an hour at most, whatever is asked for."""
    session = federate(place, place.root, bob, allow("kms:Encrypt"), DurationSeconds=43_200)
    assert abs(session.answer["Credentials"]["Expiration"].timestamp() - time.time() - 3600) < 60
    assert encrypts(place, session, key)
    assert refused(session.client(place, "kms").list_keys)[1] == "AccessDeniedException"
    assert not encrypts(place, federate(place, place.root, bob), key)
    assert not encrypts(place, federate(place, place.other_root, bob, allow("*")), key)


def test_what_it_may_not_call(place: Place, alice: User, bob: str) -> None:
    """AWS: no operation of IAM, and of STS GetCallerIdentity alone."""
    session = federate(place, alice, bob, ANYTHING)
    assert refused(session.client(place, "iam").list_users)[:2] == INVALID
    sts = session.client(place, "sts")
    sts.get_caller_identity()
    role = new_role(place, trust(ACCOUNT))
    for call, given in (
        (sts.get_session_token, {}),
        (sts.get_federation_token, {"Name": bob}),
        (sts.assume_role, {"RoleArn": role.arn, "RoleSessionName": "night"}),
        (sts.get_access_key_info, {"AccessKeyId": alice.access_key_id}),
    ):
        status, code, text = refused(call, **given)
        assert (status, code) == DENIED
        assert text.endswith("with session credentials")


def test_who_gets_one(place: Place, alice: User, bob: str) -> None:
    """Long-lived keys alone, with the right to the federated user's ARN, and with tags the right to tag."""
    role = new_role(place, trust(user_arn(alice)), ANYTHING)
    for session in (
        assume(place, role, alice),
        session_of(place.service("sts", alice).get_session_token()),
    ):
        refusal = refused(session.client(place, "sts").get_federation_token, Name=bob)
        assert refusal == (*DENIED, "Cannot call GetFederationToken with session credentials")
    carol = place.new_user(allow("sts:GetFederationToken", f"arn:aws:sts::{ACCOUNT}:federated-user/temp-*"))
    get = place.service("sts", carol).get_federation_token
    get(Name="temp-1")
    text = refused(get, Name=bob)[2]
    assert f"is not authorized to perform: sts:GetFederationToken on resource: {arn_of(bob)}" in text
    assert "sts:TagSession" in refused(get, Name="temp-1", Tags=[{"Key": "team", "Value": "blue"}])[2]


def test_condition_keys(place: Place, bob: str) -> None:
    """AWS's values of the global keys for a federated user; the session's tags hide those of the user."""
    carol = place.new_user(allow(["sts:*"]))
    iam = place.service("iam")
    iam.tag_user(UserName=carol.name, Tags=[{"Key": "Team", "Value": "red"}, {"Key": "site", "Value": "north"}])
    tags = [{"Key": "team", "Value": "blue"}]
    session = federate(place, carol, bob, allow("kms:*"), Tags=tags)
    kms = session.client(place, "kms")
    conditions = [
        ("StringEquals", "aws:userid", f"{ACCOUNT}:{bob}", bob),
        ("StringEquals", "aws:userid", "${aws:PrincipalAccount}:" + bob, "${aws:PrincipalAccount}:x"),
        ("StringEquals", "aws:PrincipalType", "FederatedUser", "User"),
        ("StringEquals", "aws:PrincipalAccount", ACCOUNT, OTHER_ACCOUNT),
        ("StringEquals", "aws:PrincipalTag/team", "blue", "red"),
        ("StringEquals", "aws:PrincipalTag/site", "north", "south"),
        ("ArnEquals", "aws:PrincipalArn", arn_of(bob), user_arn(carol)),
        ("Null", "aws:username", "true", "false"),
        ("Null", "aws:FederatedProvider", "true", "false"),
        ("Null", "aws:SourceIdentity", "true", "false"),
        ("Bool", "aws:MultiFactorAuthPresent", "false", "true"),
        ("DateGreaterThan", "aws:TokenIssueTime", "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"),
    ]
    for operator, name, holds, fails in conditions:
        for value, expected in ((holds, ""), (fails, "AccessDeniedException")):
            policy = json.dumps(allow("kms:ListKeys", Condition={operator: {name: value}}))
            iam.put_user_policy(UserName=carol.name, PolicyName="keys", PolicyDocument=policy)
            assert outcome(kms.list_keys) == expected, (name, value)


def outcome(call: Callable[[], object]) -> str:
    """Return what comes of a call: nothing, or the code of the error."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Name": "b"}, "ValidationError"),
        ({"Name": "b" * 33}, "ValidationError"),
        ({"Name": "with space"}, "ValidationError"),
        ({"Name": "a/b"}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 129_601}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": json.dumps(trust(ACCOUNT))}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/p{n}"} for n in range(11)]}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue"),
        ({"Policy": json.dumps(allow("kms:Decrypt", [f"arn:aws:kms:::{n}" for n in range(200)]))}, "ValidationError"),
        ({"Tags": [{"Key": f"{n}", "Value": secrets.token_urlsafe(96)} for n in range(25)]}, "PackedPolicyTooLarge"),
    ],
)  # fmt: skip
def test_wrong_requests(place: Place, alice: User, given: dict[str, Any], code: str) -> None:
    """What is not well-formed is refused with AWS's codes."""
    get = place.service("sts", alice).get_federation_token
    assert refused(get, **{"Name": "bob", **given})[:2] == (400, code)


def test_the_longest(place: Place, alice: User, bob: str) -> None:
    """A user's federated users may last 36 hours, and have names of 2 to 32 characters."""
    session = federate(place, alice, bob, DurationSeconds=129_600)
    assert session.answer["Credentials"]["Expiration"].timestamp() - time.time() > 129_500
    for name in ("ab", "w+=,.@-_" * 4):
        assert federate(place, alice, name).client(place, "sts").get_caller_identity()["Arn"] == arn_of(name)


def test_it_ends_with_its_user(place: Place, key: str, bob: str) -> None:
    """As sessions of GetSessionToken do: the access key that asked for it may go, the user may not, nor its rights."""
    carol = place.new_user(allow(["sts:GetFederationToken", "kms:Encrypt"]))
    iam = place.service("iam")
    session = federate(place, carol, bob, allow("kms:*"))
    named = key_that_names(place, arn_of(bob))
    iam.update_access_key(UserName=carol.name, AccessKeyId=carol.access_key_id, Status="Inactive")
    assert encrypts(place, session, key)
    iam.delete_access_key(UserName=carol.name, AccessKeyId=carol.access_key_id)
    assert encrypts(place, session, key)
    iam.delete_user_policy(UserName=carol.name, PolicyName="own")
    assert not encrypts(place, session, key)
    assert encrypts(place, session, named)
    iam.delete_user(UserName=carol.name)
    refusal = refused(session.client(place, "kms").encrypt, KeyId=named, Plaintext=b"x")
    assert refusal[:2] == (400, "UnrecognizedClientException")
    iam.create_user(UserName=carol.name)  # another user of that name
    refusal = refused(session.client(place, "kms").encrypt, KeyId=named, Plaintext=b"x")
    assert refusal[:2] == (400, "UnrecognizedClientException")
