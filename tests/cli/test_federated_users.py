"""What `fuin explain`, `fuin who-can` and `fuin simulate` tell of federated users."""

import json
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from tests.cli.test_explain import evaluations, explained, refused
from tests.cli.test_who_can import arn_of, asked, made
from tests.support.policies import allow
from tests.support.server import ACCOUNT, REGION, Server, User


def federated(server: Server, user: User, name: str, policy: dict[str, Any] | None = None) -> Any:
    """Return a client of KMS with a federated user's credentials."""
    given = {} if policy is None else {"Policy": json.dumps(policy)}
    keys = server.client("sts", user).get_federation_token(Name=name, **given)["Credentials"]
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    return session.client("kms", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1}))


def test_explained_with_the_user_s_policies(server: Server, unique: Callable[[str], str]) -> None:
    """The explanation names its user, the user's policies, the session policy, and the change that would help."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    user = made(server, unique("carol"), allow("sts:GetFederationToken", "kms:Encrypt"))
    kms = federated(server, user, "bob", allow("kms:DescribeKey"))
    request = refused(kms.encrypt, KeyId=key, Plaintext=b"x")
    text = explained(server, request)
    kms.close()
    assert f"arn:aws:sts::{ACCOUNT}:federated-user/bob" in text
    assert arn_of(user) in text
    assert f'policy "inline" of user {user.name}' in text
    assert "With the policies of that time, which are still in force: refused" in text
    (found,) = evaluations(server, request)
    assert [change["policy"] for change in found["changes"][0]] == ["session policy 1"]
    assert found["changes"][1][0]["policy"] == "key policy"
    assert found["changes"][1][0]["statement"]["Principal"] == {"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"}


def test_root_s_federated_users_are_explained(server: Server) -> None:
    """Their rights are the root's, within the session policy."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    kms = federated(server, server.root, "bob", allow("kms:DescribeKey"))
    (found,) = evaluations(server, refused(kms.encrypt, KeyId=key, Plaintext=b"x"))
    kms.close()
    assert f"rights of the root of account {ACCOUNT}" in [policy["policy"] for policy in found["policies"]]
    assert found["allowedNow"] is False


def test_who_can_names_them(server: Server, unique: Callable[[str], str]) -> None:
    """A federated user named in a key policy can, whichever user asked for it; another account's key needs more."""
    name = unique("bob")
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/{name}"
    foreign = f"arn:aws:sts::999988887777:federated-user/{name}"
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Encrypt", "Resource": "*"},
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    key = server.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    rows = asked(server, "kms:Encrypt", key)
    assert rows[arn]["verdict"] == "can"
    assert foreign not in rows
    done = server.fuin(
        "simulate", "--principal", arn, "--action", "kms:Encrypt", "--resource", key, "--data", str(server.data)
    )
    assert "ALLOWED" in done.stdout
