"""Temporary credentials in use: what a session may do, what it is refused with, and when it ends."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin import ids
from fuin.formats import session_token
from fuin.formats.session_token import Claims
from tests.identity.assuming import (
    ALL_OF_STS,
    Role,
    Session,
    allow,
    assume,
    flipped,
    new_role,
    refused,
    session_of,
    trust,
    user_arn,
)
from tests.support.clocks import SOON, counted
from tests.support.place import ACCOUNT, ANYTHING, OTHER_ACCOUNT, Place
from tests.support.server import User

INVALID = "The security token included in the request is invalid."
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
def role(place: Place, alice: User) -> Role:
    """Give a role that alice may assume, and that may encrypt and decrypt."""
    return new_role(place, trust(user_arn(alice), ALL_OF_STS), allow(["kms:Encrypt", "kms:Decrypt", "kms:ListKeys"]))


def encrypts(place: Place, session: Session, key: str) -> bool:
    """Tell whether a session may encrypt; anything but AccessDenied fails the test."""
    try:
        session.client(place, "kms").encrypt(KeyId=key, Plaintext=b"x")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def made_up(place: Place, claims: Claims, life: int = 900) -> Session:
    """Return a session with any claims, as a worker could have them sealed."""
    key_id, expiry = ids.new_session_key_id(), int(time.time()) + life
    keyholder = place.services.keyholder
    secret, token = place.run(keyholder.new_session(key_id, expiry, session_token.pack_claims(claims)))
    return Session(User("session", key_id, secret), session_token.to_text(token), {})


def role_claims(role: Role, **more: Any) -> Claims:
    """Return the claims of a role's session."""
    return Claims("role", ACCOUNT, role.id, int(time.time()), "arn", "AKIA", session="night", **more)


def test_a_session_may_what_its_role_may(place: Place, alice: User, role: Role, key: str) -> None:
    """The role's policies count, not those of who assumed it."""
    kms = assume(place, role, alice).client(place, "kms")
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    status, code, text = refused(kms.describe_key, KeyId=key)
    assert (status, code) == (400, "AccessDeniedException")
    assert f"assumed-role/{role.name}/night is not authorized to perform: kms:DescribeKey" in text


def test_key_policies_name_roles_and_sessions(place: Place, alice: User) -> None:
    """A key policy may name the role, which means all its sessions, or one session by its ARN."""
    role = new_role(place, trust(user_arn(alice)))
    kms = place.service("kms")
    sessions = [assume(place, role, alice, RoleSessionName=name) for name in ("one", "two")]
    administrator = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    for named, expected in (
        (role.arn, [True, True]),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/two", [False, True]),
        (user_arn(alice), [False, False]),
    ):
        use = {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "kms:Encrypt", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [administrator, use]})
        key = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
        assert [encrypts(place, session, key) for session in sessions] == expected


def test_session_policies_only_take_away(place: Place, alice: User, role: Role, key: str) -> None:
    """A session may what both its role's policies and one of its session policies allow."""
    both = assume(place, role, alice, Policy=json.dumps(allow(["kms:Encrypt", "kms:DescribeKey"])))
    kms = both.client(place, "kms")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=blob)[1] == "AccessDeniedException"
    assert refused(kms.describe_key, KeyId=key)[1] == "AccessDeniedException"


def test_managed_session_policies_are_read_anew(place: Place, alice: User, role: Role, key: str, unique: Names) -> None:
    """They limit as they are now; once deleted they allow nothing."""
    iam = place.service("iam")
    managed = iam.create_policy(PolicyName=unique("limit"), PolicyDocument=json.dumps(allow("kms:ListKeys")))["Policy"]
    session = assume(place, role, alice, PolicyArns=[{"arn": managed["Arn"]}])
    session.client(place, "kms").list_keys()
    assert not encrypts(place, session, key)
    version = iam.create_policy_version(
        PolicyArn=managed["Arn"], PolicyDocument=json.dumps(allow("kms:*")), SetAsDefault=True
    )["PolicyVersion"]["VersionId"]
    assert encrypts(place, session, key)
    iam.set_default_policy_version(PolicyArn=managed["Arn"], VersionId="v1")
    iam.delete_policy_version(PolicyArn=managed["Arn"], VersionId=version)
    iam.delete_policy(PolicyArn=managed["Arn"])
    assert not encrypts(place, session, key)
    assert refused(session.client(place, "kms").list_keys)[1] == "AccessDeniedException"


def test_session_tags_and_facts_decide(place: Place, alice: User, key: str) -> None:
    """aws:PrincipalTag is the session's tag where it overlays the role's; issue time, MFA and source identity count."""
    conditions = {
        "StringEquals": {
            "aws:PrincipalTag/team": "blue", "aws:PrincipalTag/site": "north", "aws:SourceIdentity": "alice",
        },
        "Bool": {"aws:MultiFactorAuthPresent": "false"},
        "DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"},
    }  # fmt: skip
    role = new_role(
        place, trust(user_arn(alice), ALL_OF_STS), allow("kms:Encrypt", Condition=conditions),
        Tags=[{"Key": "Team", "Value": "red"}, {"Key": "site", "Value": "north"}],
    )  # fmt: skip
    tags = [{"Key": "team", "Value": "blue"}]
    assert encrypts(place, assume(place, role, alice, Tags=tags, SourceIdentity="alice"), key)
    assert not encrypts(place, assume(place, role, alice, SourceIdentity="alice"), key)
    assert not encrypts(place, assume(place, role, alice, Tags=tags, SourceIdentity="bob"), key)
    assert not encrypts(place, assume(place, role, alice, Tags=tags), key)


def test_old_sessions_can_be_shut_out(place: Place, alice: User, role: Role, key: str) -> None:
    """AWS's way to revoke sessions: a denial of what was issued before; one that is issued later passes."""
    old = made_up(place, replace_claims(role_claims(role), issued=int(time.time()) - 600))
    new = assume(place, role, alice)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 300))
    condition = {"DateLessThan": {"aws:TokenIssueTime": moment}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": deny})
    assert encrypts(place, old, key)
    place.service("iam").put_role_policy(RoleName=role.name, PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy)
    assert not encrypts(place, old, key)
    assert encrypts(place, new, key)


def replace_claims(claims: Claims, **more: Any) -> Claims:
    """Return claims with others changed."""
    return Claims(**{name: getattr(claims, name) for name in claims.__struct_fields__} | more)


def test_a_users_session_is_the_user(place: Place, key: str) -> None:
    """GetSessionToken: same ARN and id, the user's current rights, twelve hours by default."""
    user = place.new_user(allow(["kms:Encrypt"]))
    session = session_of(place.service("sts", user).get_session_token())
    life = session.answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert 43_190 < life <= 43_200
    plain, temporary = place.service("sts", user), session.client(place, "sts")
    assert without_metadata(plain.get_caller_identity()) == without_metadata(temporary.get_caller_identity())
    assert encrypts(place, session, key)
    place.service("iam").put_user_policy(
        UserName=user.name, PolicyName="own", PolicyDocument=json.dumps(allow("kms:ListKeys"))
    )
    assert not encrypts(place, session, key)


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer's members."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_what_a_users_session_may_not(place: Place, alice: User, role: Role) -> None:
    """AWS: no call of IAM, and of STS only AssumeRole and GetCallerIdentity; a role's session calls IAM."""
    session = session_of(place.service("sts", alice).get_session_token())
    assert refused(session.client(place, "iam").list_users)[:2] == (403, "InvalidClientTokenId")
    sts = session.client(place, "sts")
    for call, given in (
        (sts.get_session_token, {}),
        (sts.get_access_key_info, {"AccessKeyId": alice.access_key_id}),
    ):
        status, code, text = refused(call, **given)
        assert (status, code) == (403, "AccessDenied")
        assert text.endswith("with session credentials")
    assumed = assume(place, role, session)
    assert refused(assumed.client(place, "sts").get_session_token)[:2] == (403, "AccessDenied")
    place.service("iam").put_role_policy(
        RoleName=role.name, PolicyName="iam", PolicyDocument=json.dumps(allow("iam:ListUsers"))
    )
    assert assumed.client(place, "iam").list_users()["Users"]


def test_durations_of_users_and_root(place: Place, alice: User) -> None:
    """900 seconds to 36 hours; root's sessions last an hour at most, whatever is asked for."""
    sts, root = place.service("sts", alice), place.service("sts")
    for client, asked, expected in ((sts, 900, 900), (sts, 129_600, 129_600), (root, 900, 900), (root, 129_600, 3600)):
        session = session_of(client.get_session_token(DurationSeconds=asked))
        assert abs(session.answer["Credentials"]["Expiration"].timestamp() - time.time() - expected) < 60
    assert refused(sts.get_session_token, DurationSeconds=129_601)[1] == "ValidationError"
    assert refused(sts.get_session_token, DurationSeconds=899)[1] == "ValidationError"
    known = session_of(root.get_session_token()).client(place, "sts").get_caller_identity()
    assert known["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def broken(session: Session, other: Session) -> list[Session]:
    """Return sessions that are none: changed, exchanged, shortened, foreign, empty or not a token at all."""
    token = session.token
    later = bytearray(session_token.from_text(token))
    later[2:10] = (int.from_bytes(later[2:10]) + 3600).to_bytes(8)
    tokens = [
        flipped(token, 12), flipped(token, 60), flipped(token, -1), session_token.to_text(bytes(later)), other.token,
        token[:-4], token + "AAAA", token + "=", "x", "IQoJb3JpZ2luX2VjEJr", "é", base64.b64encode(bytes(200)).decode(),
    ]  # fmt: skip
    return [replace(session, token=wrong) for wrong in tokens]


def test_broken_tokens(place: Place, alice: User, role: Role) -> None:
    """Each service has its own error for a token that is none of this access key's."""
    session, other = assume(place, role, alice), assume(place, role, alice)
    for wrong in broken(session, other):
        kms, s3, sts = (wrong.client(place, service) for service in ("kms", "s3", "sts"))
        assert refused(kms.list_keys) == (400, "UnrecognizedClientException", INVALID)
        assert refused(sts.get_caller_identity) == (403, "InvalidClientTokenId", INVALID)
        assert refused(s3.list_buckets)[:2] == (400, "InvalidToken")
    session.client(place, "kms").list_keys()


def test_tokens_go_with_their_own_keys_only(place: Place, alice: User, role: Role) -> None:
    """No token beside a long-lived key, no temporary key without its token, no wrong secret beside a right token."""
    session = assume(place, role, alice)
    with_token = replace(session, user=alice)
    assert refused(with_token.client(place, "kms").list_keys)[1] == "UnrecognizedClientException"
    assert refused(place.service("kms", session.user).list_keys)[1] == "UnrecognizedClientException"
    assert refused(place.service("s3", session.user).list_buckets)[:2] == (403, "InvalidAccessKeyId")
    wrong = replace(session, user=replace(session.user, secret_access_key=alice.secret_access_key))
    assert refused(wrong.client(place, "kms").list_keys)[1] == "InvalidSignatureException"
    session.client(place, "kms").list_keys()


def test_expired_sessions(place: Place, role: Role) -> None:
    """Each service has its own error for a session past its end."""
    session = made_up(place, role_claims(role), 0)
    assert refused(session.client(place, "kms").list_keys)[:2] == (400, "ExpiredTokenException")
    assert refused(session.client(place, "sts").get_caller_identity)[:2] == (403, "ExpiredToken")
    assert refused(session.client(place, "iam").list_users)[:2] == (403, "ExpiredToken")
    assert refused(session.client(place, "s3").list_buckets)[:2] == (400, "ExpiredToken")


def test_a_known_session_ends_too(place: Place, role: Role) -> None:
    """A session that the worker has at hand is refused when its time is over."""
    session = made_up(place, role_claims(role))
    kms = session.client(place, "kms")
    kms.list_keys()
    with counted(SOON):
        status, code, text = refused(kms.list_keys)
    assert (status, code, text) == (
        400, "ExpiredTokenException", "The security token included in the request is expired",
    )  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "AROAAAAAAAAAAAAAAAAA"},
        {"id": "AIDAAAAAAAAAAAAAAAAA"},
        {"kind": "user"},
        {"kind": "federated"},
        {"account": OTHER_ACCOUNT},
    ],
)
def test_claims_that_the_store_does_not_confirm(place: Place, role: Role, changed: dict[str, Any]) -> None:
    """Whose session it is must be there, of that kind, in that account."""
    session = made_up(place, replace_claims(role_claims(role), **changed))
    assert refused(session.client(place, "kms").list_keys)[1] == "UnrecognizedClientException"


def test_a_lost_policy_ends_the_right_at_once(place: Place, alice: User, role: Role, key: str) -> None:
    """With the next request after the change has returned; what is given back works again."""
    session, iam = assume(place, role, alice), place.service("iam")
    for _ in range(3):
        assert encrypts(place, session, key)
        iam.delete_role_policy(RoleName=role.name, PolicyName="own")
        assert not encrypts(place, session, key)
        iam.put_role_policy(RoleName=role.name, PolicyName="own", PolicyDocument=json.dumps(allow("kms:*")))


def test_a_changed_trust_policy_ends_no_session(place: Place, alice: User, role: Role, key: str) -> None:
    """AWS: it says who may begin one. The next AssumeRole is refused."""
    session = assume(place, role, alice)
    place.service("iam").update_assume_role_policy(
        RoleName=role.name, PolicyDocument=json.dumps(trust(f"arn:aws:iam::{ACCOUNT}:root"))
    )
    bob = place.new_user()
    assert refused(assume, place, role, bob)[:2] == (403, "AccessDenied")
    assert encrypts(place, session, key)


def test_sessions_end_with_their_role(place: Place, alice: User, role: Role, key: str) -> None:
    """A deleted role has no sessions; one of the same name that is made anew does not bring them back."""
    session, iam = assume(place, role, alice), place.service("iam")
    assert encrypts(place, session, key)
    iam.delete_role_policy(RoleName=role.name, PolicyName="own")
    iam.delete_role(RoleName=role.name)
    assert refused(session.client(place, "kms").list_keys) == (400, "UnrecognizedClientException", INVALID)
    iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=json.dumps(trust(user_arn(alice))))
    iam.put_role_policy(RoleName=role.name, PolicyName="own", PolicyDocument=json.dumps(ANYTHING))
    assert refused(session.client(place, "kms").list_keys)[1] == "UnrecognizedClientException"
    assert encrypts(place, assume(place, role, alice), key)


def test_a_users_sessions_end_with_the_user_not_with_the_key(place: Place, key: str) -> None:
    """AWS: an access key that is switched off or deleted ends no session; the user's deletion ends all."""
    user, iam = place.new_user(allow("kms:Encrypt")), place.service("iam")
    session = session_of(place.service("sts", user).get_session_token())
    iam.update_access_key(UserName=user.name, AccessKeyId=user.access_key_id, Status="Inactive")
    assert encrypts(place, session, key)
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)
    assert encrypts(place, session, key)
    iam.delete_user_policy(UserName=user.name, PolicyName="own")
    assert not encrypts(place, session, key)
    iam.delete_user(UserName=user.name)
    assert refused(session.client(place, "kms").list_keys)[1] == "UnrecognizedClientException"
    iam.create_user(UserName=user.name)
    assert refused(session.client(place, "kms").list_keys)[1] == "UnrecognizedClientException"


def test_a_renamed_user_keeps_its_sessions(place: Place, key: str, unique: Names) -> None:
    """The session is the user's, whatever the user is called."""
    user = place.new_user(allow("kms:Encrypt"))
    session = session_of(place.service("sts", user).get_session_token())
    name = unique("renamed")
    place.service("iam").update_user(UserName=user.name, NewUserName=name)
    assert session.client(place, "sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    assert encrypts(place, session, key)


def test_who_assumed_may_go_and_the_session_stays(place: Place, role: Role, key: str, alice: User) -> None:
    """AWS: a role's session does not end with the user that assumed the role."""
    user = place.new_user(allow("sts:AssumeRole"))
    open_role = new_role(place, trust(ACCOUNT), allow("kms:Encrypt"))
    session = assume(place, open_role, user)
    iam = place.service("iam")
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)
    iam.delete_user_policy(UserName=user.name, PolicyName="own")
    iam.delete_user(UserName=user.name)
    assert encrypts(place, session, key)


def test_boundary_limits_sessions(place: Place, alice: User, role: Role, key: str, unique: Names) -> None:
    """A boundary that the role gets while a session goes on limits it at once."""
    session, iam = assume(place, role, alice), place.service("iam")
    arn = iam.create_policy(PolicyName=unique("bound"), PolicyDocument=json.dumps(allow("s3:*")))["Policy"]["Arn"]
    assert encrypts(place, session, key)
    iam.put_role_permissions_boundary(RoleName=role.name, PermissionsBoundary=arn)
    assert not encrypts(place, session, key)
