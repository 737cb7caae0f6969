"""How long a right that was taken away still works, over all workers, while many clients use it: not at all.

Each case takes the right away in another way. The requests that are counted began after the call that took it away had
returned; the longest time from that return to the beginning of such a request that was still allowed is what lasted.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.policies import allow
from tests.support.server import ACCOUNT, REGION, Server, User

_CLIENTS = 8  # connections of their own, so that with all but certainty both workers have some
_BEFORE, _AFTER = 0.1, 0.15  # seconds of use before the right ends, and after
_MAY, _NOTHING = allow("kms:Decrypt"), allow("kms:ListKeys")
_DENIED, _INVALID = {"AccessDeniedException"}, {"UnrecognizedClientException"}


@dataclass
class Case:
    """Whose right it is, what uses it with a client, what takes it away, and the codes of what is refused then."""

    who: User
    use: Callable[[Any], object]
    revoke: Callable[[], object]
    codes: set[str]
    service: str = "kms"
    token: str | None = None


@dataclass
class Scene:
    """A key with something that it has encrypted, and a user of its own, in the running server."""

    server: Server
    name: str
    key: str = field(init=False)
    use: Callable[[Any], object] = field(init=False)

    def __post_init__(self) -> None:
        kms = self.server.client("kms")
        self.key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        self.use = lambda client: client.decrypt(CiphertextBlob=blob)

    @property
    def kms(self) -> Any:
        """Return the root's client of KMS."""
        return self.server.client("kms")

    @property
    def iam(self) -> Any:
        """Return the root's client of IAM."""
        return self.server.client("iam")

    @property
    def arn(self) -> str:
        """Return the user's ARN."""
        return f"arn:aws:iam::{ACCOUNT}:user/{self.name}"

    def user(self, *, may: bool = False) -> User:
        """Add the user; `may` gives it the right by the inline policy that `fuin user policy` replaces."""
        self.iam.create_user(UserName=self.name)
        document = json.dumps(_MAY if may else _NOTHING)
        self.iam.put_user_policy(UserName=self.name, PolicyName="inline", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        return User(self.name, key["AccessKeyId"], key["SecretAccessKey"])

    def case(self, who: User, revoke: Callable[[], object], codes: set[str] = _DENIED) -> Case:
        """Return the case of a user who decrypts."""
        return Case(who, self.use, revoke, codes)

    def managed(self) -> str:
        """Make a managed policy that gives the right; return its ARN."""
        document = json.dumps(_MAY)
        arn: str = self.iam.create_policy(PolicyName=self.name, PolicyDocument=document)["Policy"]["Arn"]
        return arn

    def naming(self, *arns: str) -> str:
        """Return a key policy that names the account and these."""
        whom = {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", *arns]}
        statement = {"Effect": "Allow", "Principal": whom, "Action": "kms:*", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def disable_key(s: Scene) -> Case:
    """Disable the key."""
    return s.case(s.user(may=True), lambda: s.kms.disable_key(KeyId=s.key), {"DisabledException"})


def schedule_key_deletion(s: Scene) -> Case:
    """Let the key end."""
    return s.case(s.user(may=True), lambda: s.kms.schedule_key_deletion(KeyId=s.key), {"KMSInvalidStateException"})


def put_key_policy(s: Scene) -> Case:
    """Leave the user out of the key policy."""
    who = s.user()
    s.kms.put_key_policy(KeyId=s.key, Policy=s.naming(s.arn))
    return s.case(who, lambda: s.kms.put_key_policy(KeyId=s.key, Policy=s.naming()))


def revoke_grant(s: Scene) -> Case:
    """End the grant."""
    who = s.user()
    grant = s.kms.create_grant(KeyId=s.key, GranteePrincipal=s.arn, Operations=["Decrypt"])["GrantId"]
    return s.case(who, lambda: s.kms.revoke_grant(KeyId=s.key, GrantId=grant))


def put_user_policy(s: Scene) -> Case:
    """Replace the inline policy, over IAM."""
    who = s.user()
    policy = {"UserName": s.name, "PolicyName": "keys"}
    s.iam.put_user_policy(**policy, PolicyDocument=json.dumps(_MAY))
    return s.case(who, lambda: s.iam.put_user_policy(**policy, PolicyDocument=json.dumps(_NOTHING)))


def delete_user_policy(s: Scene) -> Case:
    """Remove the inline policy."""
    who = s.user()
    policy = {"UserName": s.name, "PolicyName": "keys"}
    s.iam.put_user_policy(**policy, PolicyDocument=json.dumps(_MAY))
    return s.case(who, lambda: s.iam.delete_user_policy(**policy))


def command_line(s: Scene) -> Case:
    """Replace the policy by `fuin user policy`, in a process of its own."""
    return s.case(s.user(may=True), lambda: s.server.set_policy(s.name, _NOTHING))


def detach_user_policy(s: Scene) -> Case:
    """Detach the managed policy."""
    who, arn = s.user(), s.managed()
    s.iam.attach_user_policy(UserName=s.name, PolicyArn=arn)
    return s.case(who, lambda: s.iam.detach_user_policy(UserName=s.name, PolicyArn=arn))


def set_default_policy_version(s: Scene) -> Case:
    """Give the managed policy another version."""
    who, arn = s.user(), s.managed()
    s.iam.attach_user_policy(UserName=s.name, PolicyArn=arn)
    made = s.iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(_NOTHING))["PolicyVersion"]
    version = made["VersionId"]
    return s.case(who, lambda: s.iam.set_default_policy_version(PolicyArn=arn, VersionId=version))


def put_boundary(s: Scene) -> Case:
    """Set a boundary that does not hold the right."""
    who = s.user(may=True)
    document = json.dumps(_NOTHING)
    arn = s.iam.create_policy(PolicyName=f"{s.name}-limit", PolicyDocument=document)["Policy"]["Arn"]
    return s.case(who, lambda: s.iam.put_user_permissions_boundary(UserName=s.name, PermissionsBoundary=arn))


def remove_user_from_group(s: Scene) -> Case:
    """Take the user out of the group that has the right."""
    who = s.user()
    s.iam.create_group(GroupName=s.name)
    s.iam.put_group_policy(GroupName=s.name, PolicyName="keys", PolicyDocument=json.dumps(_MAY))
    s.iam.add_user_to_group(GroupName=s.name, UserName=s.name)
    return s.case(who, lambda: s.iam.remove_user_from_group(GroupName=s.name, UserName=s.name))


def deactivate_access_key(s: Scene) -> Case:
    """Switch the access key off."""
    who = s.user(may=True)
    key = {"UserName": s.name, "AccessKeyId": who.access_key_id}
    return s.case(who, lambda: s.iam.update_access_key(**key, Status="Inactive"), _INVALID)


def delete_access_key(s: Scene) -> Case:
    """Delete the access key."""
    who = s.user(may=True)
    key = {"UserName": s.name, "AccessKeyId": who.access_key_id}
    return s.case(who, lambda: s.iam.delete_access_key(**key), _INVALID)


def _session(s: Scene) -> tuple[User, str]:
    """Return the credentials of a session of a role that has the right, and its token."""
    trust = {"Effect": "Allow", "Principal": {"AWS": s.arn}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    user = s.user()
    role = s.iam.create_role(RoleName=s.name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    s.iam.put_role_policy(RoleName=s.name, PolicyName="keys", PolicyDocument=json.dumps(_MAY))
    given = s.server.client("sts", user).assume_role(RoleArn=role, RoleSessionName="load")["Credentials"]
    return User("session", given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"]


def delete_role_policy(s: Scene) -> Case:
    """Take the right from a role whose session is in use."""
    who, token = _session(s)
    remove = {"RoleName": s.name, "PolicyName": "keys"}
    return Case(who, s.use, lambda: s.iam.delete_role_policy(**remove), _DENIED, token=token)


def deny_older_sessions(s: Scene) -> Case:
    """End a role's sessions as AWS's console does: a policy that denies those that began before now."""
    who, token = _session(s)
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2100-01-01T00:00:00Z"}}}  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    put = {"RoleName": s.name, "PolicyName": "AWSRevokeOlderSessions", "PolicyDocument": document}
    return Case(who, s.use, lambda: s.iam.put_role_policy(**put), _DENIED, token=token)


def delete_bucket_policy(s: Scene) -> Case:
    """Remove the bucket policy that lets the user read."""
    who, s3 = s.user(), s.server.client("s3")
    s3.create_bucket(Bucket=s.name)
    s3.put_object(Bucket=s.name, Key="a", Body=b"x")
    statement = {"Effect": "Allow", "Principal": {"AWS": s.arn}, "Action": "s3:GetObject",
                 "Resource": f"arn:aws:s3:::{s.name}/*"}  # fmt: skip
    s3.put_bucket_policy(Bucket=s.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def read(client: Any) -> None:
        client.get_object(Bucket=s.name, Key="a")["Body"].read()

    return Case(who, read, lambda: s3.delete_bucket_policy(Bucket=s.name), {"AccessDenied"}, "s3")


_WAYS = (
    disable_key, schedule_key_deletion, put_key_policy, revoke_grant, put_user_policy, delete_user_policy, command_line,
    detach_user_policy, set_default_policy_version, put_boundary, remove_user_from_group, deactivate_access_key,
    delete_access_key, delete_role_policy, deny_older_sessions, delete_bucket_policy,
)  # fmt: skip


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__)
def test_longest_time_a_right_outlives_its_end(
    server: Server, unique: Callable[[str], str], way: Callable[[Scene], Case]
) -> None:
    """Under load nothing that is asked after the call has returned is allowed, by any worker: zero seconds."""
    case = way(Scene(server, unique("ann")))
    clients = _clients(server, case)
    for client in clients:
        case.use(client)  # at once, in every worker
    allowed, refused, ended = _under_load(case, clients)
    lasted = max(0.0, max(allowed) - ended)
    assert lasted == 0.0, f"the right still worked {lasted * 1000:.1f} ms later"
    assert refused == case.codes
    for client in clients:
        client.close()


def _clients(server: Server, case: Case) -> list[Any]:
    """Return clients that send each request once, each over a connection of its own."""
    session = boto3.session.Session(
        case.who.access_key_id, case.who.secret_access_key, case.token, region_name=REGION
    )  # fmt: skip
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return [session.client(case.service, endpoint_url=server.url, config=config) for _ in range(_CLIENTS)]


def _under_load(case: Case, clients: list[Any]) -> tuple[list[float], set[str], float]:
    """Use the right with all clients at once and take it away meanwhile.

    Return when the allowed requests began, the codes of the refused ones, and when the right had ended.
    """
    allowed: list[float] = []
    refused: set[str] = set()
    done = threading.Event()
    threads = [threading.Thread(target=_use, args=(case, client, allowed, refused, done)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        time.sleep(_BEFORE)
        case.revoke()
        ended = time.perf_counter()
        time.sleep(_AFTER)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return allowed, refused, ended


def _use(case: Case, client: Any, allowed: list[float], refused: set[str], done: threading.Event) -> None:
    """Use the right until stopped; note when each request began that was allowed, and how others were refused."""
    while not done.is_set():
        began = time.perf_counter()
        try:
            case.use(client)
        except ClientError as error:
            refused.add(error.response["Error"]["Code"])
        else:
            allowed.append(began)
