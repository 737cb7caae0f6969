"""More ways by which a right ends: tags, aliases, groups, roles and what sessions were begun with; none outlives it."""

import json
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.server.test_revocation import Case, Scene, _clients, _session
from tests.support.load import use_while_revoked
from tests.support.policies import allow
from tests.support.server import ACCOUNT, REGION, Server, User

_DENIED, _INVALID = {"AccessDeniedException"}, {"UnrecognizedClientException"}
_BLUE = {"Key": "team", "Value": "blue"}
_IF_BLUE = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _may(condition: dict[str, Any] | None = None, action: str = "kms:Decrypt") -> str:
    more = {"Condition": condition} if condition else {}
    return _document({"Effect": "Allow", "Action": action, "Resource": "*", **more})


def _with(s: Scene, condition: dict[str, Any]) -> User:
    """Add the user, who may under a condition."""
    who = s.user()
    s.iam.put_user_policy(UserName=s.name, PolicyName="keys", PolicyDocument=_may(condition))
    return who


def retire_grant(s: Scene) -> Case:
    """Retire the grant."""
    who = s.user()
    grant = s.kms.create_grant(KeyId=s.key, GranteePrincipal=s.arn, Operations=["Decrypt"])["GrantToken"]
    return s.case(who, lambda: s.kms.retire_grant(GrantToken=grant))


def delete_alias(s: Scene) -> Case:
    """Take the name away by which the policy knows the key."""
    name = f"alias/{s.name}"
    who = _with(s, {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}})
    s.kms.create_alias(AliasName=name, TargetKeyId=s.key)
    return s.case(who, lambda: s.kms.delete_alias(AliasName=name))


def update_alias(s: Scene) -> Case:
    """Give the name to another key."""
    name, other = f"alias/{s.name}", s.kms.create_key()["KeyMetadata"]["KeyId"]
    who = _with(s, {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}})
    s.kms.create_alias(AliasName=name, TargetKeyId=s.key)
    return s.case(who, lambda: s.kms.update_alias(AliasName=name, TargetKeyId=other))


def create_alias(s: Scene) -> Case:
    """Give the key a name that keeps it from the user: this is no addition that takes nothing."""
    who = s.user(may=True)
    deny = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/closed-*"}}}  # fmt: skip
    s.iam.put_user_policy(UserName=s.name, PolicyName="closed", PolicyDocument=_document(deny))
    return s.case(who, lambda: s.kms.create_alias(AliasName=f"alias/closed-{s.name}", TargetKeyId=s.key))


def untag_resource(s: Scene) -> Case:
    """Take the key's tag away."""
    who = _with(s, {"StringEquals": {"aws:ResourceTag/team": "blue"}})
    s.kms.tag_resource(KeyId=s.key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    return s.case(who, lambda: s.kms.untag_resource(KeyId=s.key, TagKeys=["team"]))


def tag_resource(s: Scene) -> Case:
    """Give the key's tag another value."""
    who = _with(s, {"StringEquals": {"aws:ResourceTag/team": "blue"}})
    s.kms.tag_resource(KeyId=s.key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    return s.case(who, lambda: s.kms.tag_resource(KeyId=s.key, Tags=[{"TagKey": "team", "TagValue": "red"}]))


def untag_user(s: Scene) -> Case:
    """Take the user's tag away."""
    who = _with(s, _IF_BLUE)
    s.iam.tag_user(UserName=s.name, Tags=[_BLUE])
    return s.case(who, lambda: s.iam.untag_user(UserName=s.name, TagKeys=["team"]))


def rename_user(s: Scene) -> Case:
    """Give the user another name than that which its policy wants."""
    who = _with(s, {"StringEquals": {"aws:username": s.name}})
    return s.case(who, lambda: s.iam.update_user(UserName=s.name, NewUserName=f"{s.name}-new"))


def _group(s: Scene) -> User:
    who = s.user()
    s.iam.create_group(GroupName=s.name)
    s.iam.add_user_to_group(GroupName=s.name, UserName=s.name)
    return who


def delete_group_policy(s: Scene) -> Case:
    """Remove the group's inline policy."""
    who, policy = _group(s), {"GroupName": s.name, "PolicyName": "keys"}
    s.iam.put_group_policy(**policy, PolicyDocument=_may())
    return s.case(who, lambda: s.iam.delete_group_policy(**policy))


def detach_group_policy(s: Scene) -> Case:
    """Detach the group's managed policy."""
    who, given = _group(s), {"GroupName": s.name, "PolicyArn": s.managed()}
    s.iam.attach_group_policy(**given)
    return s.case(who, lambda: s.iam.detach_group_policy(**given))


def create_policy_version(s: Scene) -> Case:
    """Make a new version of the managed policy the one that holds."""
    who, arn = s.user(), s.managed()
    s.iam.attach_user_policy(UserName=s.name, PolicyArn=arn)
    new = {"PolicyArn": arn, "PolicyDocument": json.dumps(allow("kms:ListKeys")), "SetAsDefault": True}
    return s.case(who, lambda: s.iam.create_policy_version(**new))


def detach_role_policy(s: Scene) -> Case:
    """Detach the managed policy from a role whose session is in use."""
    (who, token), arn = _session(s), s.managed()
    s.iam.attach_role_policy(RoleName=s.name, PolicyArn=arn)
    s.iam.delete_role_policy(RoleName=s.name, PolicyName="keys")
    return Case(who, s.use, lambda: s.iam.detach_role_policy(RoleName=s.name, PolicyArn=arn), _DENIED, token=token)


def put_role_boundary(s: Scene) -> Case:
    """Bound a role whose session is in use."""
    (who, token), document = _session(s), json.dumps(allow("kms:ListKeys"))
    arn = s.iam.create_policy(PolicyName=f"{s.name}-limit", PolicyDocument=document)["Policy"]["Arn"]
    put = {"RoleName": s.name, "PermissionsBoundary": arn}
    return Case(who, s.use, lambda: s.iam.put_role_permissions_boundary(**put), _DENIED, token=token)


def untag_role(s: Scene) -> Case:
    """Take the tag of a role away whose session is in use."""
    who, token = _session(s)
    s.iam.tag_role(RoleName=s.name, Tags=[_BLUE])
    s.iam.put_role_policy(RoleName=s.name, PolicyName="keys", PolicyDocument=_may(_IF_BLUE))
    return Case(who, s.use, lambda: s.iam.untag_role(RoleName=s.name, TagKeys=["team"]), _DENIED, token=token)


def delete_role(s: Scene) -> Case:
    """Delete a role whose session is in use; the key policy names it, so that it needs no policy."""
    who, token = _session(s)
    role = f"arn:aws:iam::{ACCOUNT}:role/{s.name}"
    s.kms.put_key_policy(KeyId=s.key, Policy=s.naming(role))
    s.iam.delete_role_policy(RoleName=s.name, PolicyName="keys")
    return Case(who, s.use, lambda: s.iam.delete_role(RoleName=s.name), _INVALID, token=token)


def _passed(s: Scene) -> tuple[User, str, str]:
    """Return a session that a managed policy limits, its token, and the policy's ARN."""
    _session(s)  # the role, and a user who may assume it
    arn = s.managed()
    user = s.iam.create_access_key(UserName=s.name)["AccessKey"]
    sts = s.server.client("sts", User(s.name, user["AccessKeyId"], user["SecretAccessKey"]))
    role = f"arn:aws:iam::{ACCOUNT}:role/{s.name}"
    given = sts.assume_role(RoleArn=role, RoleSessionName="limited", PolicyArns=[{"arn": arn}])["Credentials"]
    return User("session", given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"], arn


def change_session_policy(s: Scene) -> Case:
    """Give the managed policy that limits a session another version."""
    who, token, arn = _passed(s)
    new = {"PolicyArn": arn, "PolicyDocument": json.dumps(allow("kms:ListKeys")), "SetAsDefault": True}
    return Case(who, s.use, lambda: s.iam.create_policy_version(**new), _DENIED, token=token)


def delete_session_policy(s: Scene) -> Case:
    """Delete the managed policy that limits a session, which then gives nothing instead of everything."""
    who, token, arn = _passed(s)
    return Case(who, s.use, lambda: s.iam.delete_policy(PolicyArn=arn), _DENIED, token=token)


def update_assume_role_policy(s: Scene) -> Case:
    """Trust the user no more: no session begins, while those that there are go on."""
    who, _ = _session(s)
    who = User(s.name, *_new_key(s))
    role = f"arn:aws:iam::{ACCOUNT}:role/{s.name}"
    nobody = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}

    def begin(client: Any) -> None:
        client.assume_role(RoleArn=role, RoleSessionName="load")

    def revoke() -> None:
        s.iam.update_assume_role_policy(RoleName=s.name, PolicyDocument=_document(nobody))

    return Case(who, begin, revoke, {"AccessDenied"}, "sts")


def _new_key(s: Scene) -> tuple[str, str]:
    key = s.iam.create_access_key(UserName=s.name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def federated_user(s: Scene) -> Case:
    """Take the right from the user whose federated user's credentials are in use."""
    who, policy = s.user(), {"UserName": s.name, "PolicyName": "keys"}
    both = allow("kms:Decrypt", "sts:GetFederationToken")
    s.iam.put_user_policy(**policy, PolicyDocument=json.dumps(both))
    given = s.server.client("sts", who).get_federation_token(Name="bob", Policy=_may())["Credentials"]
    session = User("bob", given["AccessKeyId"], given["SecretAccessKey"])
    return Case(session, s.use, lambda: s.iam.delete_user_policy(**policy), _DENIED, token=given["SessionToken"])


def key_of_an_object(s: Scene) -> Case:
    """Take the right to the key of an object that is read, while the right to the object stays."""
    who, s3 = s.user(), s.server.client("s3")
    s3.create_bucket(Bucket=s.name)
    s3.put_object(Bucket=s.name, Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=s.key)
    policy = {"UserName": s.name, "PolicyName": "keys"}
    s.iam.put_user_policy(UserName=s.name, PolicyName="objects", PolicyDocument=_may(action="s3:GetObject"))
    s.iam.put_user_policy(**policy, PolicyDocument=_may())

    def read(client: Any) -> None:
        client.get_object(Bucket=s.name, Key="a")["Body"].read()

    return Case(who, read, lambda: s.iam.delete_user_policy(**policy), {"AccessDenied"}, "s3")


def parts_of_an_upload(s: Scene) -> Case:
    """Take the right to the key from somebody whose multipart upload is under way."""
    who, s3 = s.user(), s.server.client("s3")
    s3.create_bucket(Bucket=s.name)
    policy = {"UserName": s.name, "PolicyName": "keys"}
    s.iam.put_user_policy(UserName=s.name, PolicyName="objects", PolicyDocument=_may(action="s3:PutObject"))
    s.iam.put_user_policy(**policy, PolicyDocument=json.dumps(allow("kms:Decrypt", "kms:GenerateDataKey")))
    own = s.server.client("s3", who)
    upload = own.create_multipart_upload(
        Bucket=s.name, Key="a", ServerSideEncryption="aws:kms", SSEKMSKeyId=s.key
    )["UploadId"]  # fmt: skip

    def write(client: Any) -> None:
        client.upload_part(Bucket=s.name, Key="a", UploadId=upload, PartNumber=1, Body=b"x")

    return Case(who, write, lambda: s.iam.delete_user_policy(**policy), {"AccessDenied"}, "s3")


def presigned_url(s: Scene) -> Case:
    """Take the right from the signer of a URL that others use."""
    who, s3 = s.user(), s.server.client("s3")
    s3.create_bucket(Bucket=s.name)
    s3.put_object(Bucket=s.name, Key="a", Body=b"x")
    policy = {"UserName": s.name, "PolicyName": "objects"}
    s.iam.put_user_policy(**policy, PolicyDocument=_may(action="s3:GetObject"))
    session = boto3.session.Session(who.access_key_id, who.secret_access_key, region_name=REGION)
    own = session.client("s3", endpoint_url=s.server.url, config=Config(signature_version="s3v4"))
    url = own.generate_presigned_url("get_object", {"Bucket": s.name, "Key": "a"})
    own.close()

    def read(_: Any) -> None:
        try:
            with urllib.request.urlopen(url) as answer:
                answer.read()
        except HTTPError as error:
            with error:
                raise ClientError({"Error": {"Code": str(error.code)}}, "GET") from None

    return Case(who, read, lambda: s.iam.delete_user_policy(**policy), {"403"}, "s3")


_WAYS = (
    retire_grant, delete_alias, update_alias, create_alias, untag_resource, tag_resource, untag_user, rename_user,
    delete_group_policy, detach_group_policy, create_policy_version, detach_role_policy, put_role_boundary, untag_role,
    delete_role, change_session_policy, delete_session_policy, update_assume_role_policy, federated_user,
    key_of_an_object, parts_of_an_upload, presigned_url,
)  # fmt: skip


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__)
def test_longest_time_a_right_outlives_its_end(
    server: Server, unique: Callable[[str], str], way: Callable[[Scene], Case]
) -> None:
    """Under load nothing that is asked after the call has returned is allowed, by any worker: zero seconds."""
    case = way(Scene(server, unique("eve")))
    clients = _clients(server, case)
    for client in clients:
        case.use(client)
    outcome = use_while_revoked([partial(case.use, client) for client in clients], case.revoke)
    assert outcome.lasted == 0.0, f"the right still worked {outcome.lasted * 1000:.1f} ms later"
    assert outcome.refused == case.codes
    for client in clients:
        client.close()


def test_sessions_that_there_are_outlive_a_change_of_trust(server: Server, unique: Callable[[str], str]) -> None:
    """As on AWS, a principal that is no longer trusted keeps its earlier sessions; a role's other rights end them."""
    scene = Scene(server, unique("trust"))
    who, token = _session(scene)
    nobody = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    scene.iam.update_assume_role_policy(RoleName=scene.name, PolicyDocument=_document(nobody))
    session = boto3.session.Session(who.access_key_id, who.secret_access_key, token, region_name=REGION)
    client = session.client("kms", endpoint_url=server.url)
    scene.use(client)
    client.close()
