"""Revocation on the real server: what a role loses its sessions lose in all workers, with their next request."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.identity.assuming import allow, trust
from tests.support.server import ACCOUNT, REGION, Server

CLIENTS, ROUNDS = 12, 6


@pytest.fixture
def role(server: Server, unique: Callable[[str], str]) -> str:
    """Give the name of a role that everybody of the account may assume."""
    name = unique("night")
    server.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(ACCOUNT)))
    return name


@pytest.fixture
def clients(server: Server, role: str, unique: Callable[[str], str]) -> Iterator[list[Any]]:
    """Give clients of KMS with one session, each with a connection of its own, which workers take in turn."""
    user = server.add_user(unique("assumer"), allow("sts:AssumeRole"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    keys = server.client("sts", user).assume_role(RoleArn=arn, RoleSessionName="night")["Credentials"]
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=1)
    made = [session.client("kms", endpoint_url=server.url, config=config) for _ in range(CLIENTS)]
    yield made
    for client in made:
        client.close()


def outcome(client: Any) -> str:
    """Return what comes of listing keys: nothing, or the code of the error."""
    try:
        client.list_keys()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_a_lost_policy_and_a_deleted_role(server: Server, role: str, clients: list[Any]) -> None:
    """Twelve connections over two workers, many times: none is allowed after the change has returned."""
    iam = server.client("iam")
    document = json.dumps(allow("kms:ListKeys"))
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS):
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
            assert set(pool.map(outcome, clients)) == {""}
            iam.delete_role_policy(RoleName=role, PolicyName="own")
            assert set(pool.map(outcome, clients)) == {"AccessDeniedException"}
        iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
        assert set(pool.map(outcome, clients)) == {""}
        iam.delete_role_policy(RoleName=role, PolicyName="own")
        iam.delete_role(RoleName=role)
        assert set(pool.map(outcome, clients)) == {"UnrecognizedClientException"}


def test_a_federated_user_ends_with_its_user(server: Server, unique: Callable[[str], str]) -> None:
    """What the user loses its federated users lose, and they end with it, in all workers with the next request."""
    iam, name = server.client("iam"), unique("voucher")
    user = server.add_user(name, allow("sts:GetFederationToken"))
    document = json.dumps(allow("kms:ListKeys"))
    keys = server.client("sts", user).get_federation_token(Name="bob", Policy=document)["Credentials"]
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=1)
    made = [session.client("kms", endpoint_url=server.url, config=config) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS // 2):
            iam.put_user_policy(UserName=name, PolicyName="lists", PolicyDocument=document)
            assert set(pool.map(outcome, made)) == {""}
            iam.delete_user_policy(UserName=name, PolicyName="lists")
            assert set(pool.map(outcome, made)) == {"AccessDeniedException"}
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_access_key(UserName=name, AccessKeyId=user.access_key_id)
        assert set(pool.map(outcome, made)) == {"AccessDeniedException"}
        iam.delete_user(UserName=name)
        assert set(pool.map(outcome, made)) == {"UnrecognizedClientException"}
    for client in made:
        client.close()


def test_sessions_survive_a_restart(new_server: Callable[..., Server]) -> None:
    """Nothing of a session is kept, in no process and no file: after kill -9 of everything it goes on."""
    server = new_server()
    server.start()
    user = server.add_user("alice", allow(["kms:ListKeys"]))
    keys = server.client("sts", user).get_session_token()["Credentials"]
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    for secret in (keys["SecretAccessKey"], keys["SessionToken"]):
        assert not [path for path in server.data.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    server.kill()
    server.start()
    client = session.client("kms", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1}))
    assert outcome(client) == ""
    client.close()
