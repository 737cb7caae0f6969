"""`fuin simulate`: what it says beforehand is what the server does afterwards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cli.test_who_can import VIA_S3, arn_of, made
from tests.support.policies import allow
from tests.support.server import ACCOUNT, Server

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def simulated(server: Server, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status and the decisions."""
    done = server.fuin("simulate", "--json", "--data", str(server.data), *arguments, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return done.returncode, found


def test_a_policy_is_tried_before_it_is_put(server: Server, unique: Callable[[str], str], tmp_path: Path) -> None:
    """Refused as things are, allowed with the policy; and so it is once that has been put."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    user = made(server, unique("tried"))
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(allow("kms:GenerateDataKey", resource=key)))
    question = ["--principal", f"user/{user.name}", "--action", "kms:GenerateDataKey", "--resource", key]
    status, (found,) = simulated(server, *question)
    assert (status, found["allowed"]) == (1, False)
    assert found["changes"][0][0]["statement"] == {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key}
    status, (found,) = simulated(server, *question, "--with-policy", str(file))
    assert (status, found["allowed"], found["changes"]) == (0, True, [])
    kms = server.client("kms", user, retry=False)
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    server.client("iam").put_user_policy(UserName=user.name, PolicyName="p", PolicyDocument=file.read_text())
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_a_key_policy_is_tried_before_it_is_put(server: Server, unique: Callable[[str], str], tmp_path: Path) -> None:
    """Another policy of the resource decides as if it were there; grants that are there count."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    user = made(server, unique("keyed"), allow("kms:Decrypt", "kms:Encrypt"))
    kms.create_grant(KeyId=key, GranteePrincipal=arn_of(user), Operations=["Decrypt"])
    file = tmp_path / "policy.json"
    nobody = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:Put*", "Resource": "*"}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": nobody}))
    both = ["--principal", arn_of(user), "--action", "kms:Decrypt", "--action", "kms:Encrypt", "--resource", key]
    status, found = simulated(server, *both)
    assert (status, [one["allowed"] for one in found]) == (0, [True, True])
    status, found = simulated(server, *both, "--resource-policy", str(file))
    assert (status, [one["allowed"] for one in found]) == (1, [True, False])
    assert found[0]["grants"][0]["matches"]


def test_context_keys_decide(server: Server, unique: Callable[[str], str]) -> None:
    """What is not given is absent; through S3, the object store's request brings its own."""
    s3, bucket = server.client("s3"), unique("context")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    policy = allow("kms:Decrypt", resource=key)
    policy["Statement"][0]["Condition"] = VIA_S3
    policy["Statement"].append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
    user = made(server, unique("context"), policy)
    who = ["--principal", f"user/{user.name}"]
    assert simulated(server, *who, "--action", "kms:Decrypt", "--resource", key)[0] == 1
    given = ["--context", "kms:ViaService=s3.us-east-1.amazonaws.com"]
    status, found = simulated(server, *who, "--action", "kms:Decrypt", "--resource", key, *given)
    assert status == 0, found
    status, found = simulated(server, *who, "--action", "s3:GetObject", "--resource", f"s3://{bucket}/a")
    assert (status, [one["action"] for one in found]) == (0, ["s3:GetObject", "kms:Decrypt"])


def test_people_read_the_evaluation(server: Server, unique: Callable[[str], str]) -> None:
    """The same lines as of `fuin explain`, with the change that would help."""
    user = made(server, unique("read"), allow("kms:ListKeys"))
    question = ["--principal", f"user/{user.name}", "--action", "kms:ListAliases", "--data", str(server.data)]
    text = server.fuin("simulate", *question, check=False).stdout
    assert text.startswith("kms:ListAliases on *: REFUSED\n")
    assert (
        f'add kms:ListAliases to the Action of statement "Allowed" of the policy "inline" of user {user.name}' in text
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--principal", "user/none", "--action", "kms:ListKeys"], "the principal user/none does not exist"),
        (["--principal", "root", "--action", "kms:Decrypt", "--resource", "alias/none"], "there is no key alias/none"),
        (["--principal", "root", "--action", "kms:ListKeys", "--context", "novalue"], "--context takes KEY=VALUE"),
    ],
)
def test_what_is_not_there_is_an_error(server: Server, arguments: list[str], says: str) -> None:
    """One line, and status 1."""
    done = server.fuin("simulate", *arguments, "--data", str(server.data), check=False)
    assert (done.returncode, says in done.stderr, done.stdout) == (1, True, "")
