"""Roles with unchanged clients: `aws sts`, profiles with `role_arn`, chains, credential processes, boto3.

Every client gets its temporary credentials as it does from AWS, and uses them for KMS and S3.
"""

import base64
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3

from tests.support.server import ACCOUNT, AWS, REGION, Server, User, run

pytestmark = pytest.mark.real
Names = Callable[[str], str]
MIB = 1024 * 1024


@dataclass
class Scene:
    """A user who may assume a first role, which may assume a second; the second may use a key and a bucket."""

    server: Server
    user: User
    first: str  # ARNs
    second: str
    key: str
    bucket: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a client finds: the endpoint and the folder's own configuration, no access key."""
        found = self.server.client_environment()
        found = {name: value for name, value in found.items() if not name.startswith(("AWS_ACCESS", "AWS_SECRET"))}
        files = {
            "AWS_CONFIG_FILE": str(self.folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none"),
            "HOME": str(self.folder), "PATH": f"{AWS.parent}:{os.environ['PATH']}",
        }  # fmt: skip
        return found | files | more

    def aws(self, *arguments: str, **more: str) -> Any:
        """Run the real `aws` and return its JSON, or its text where it writes none."""
        done = run([str(AWS), *arguments, "--output", "json"], self.environment(**more))
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def refused(self, *arguments: str, **more: str) -> str:
        """Run the real `aws`, which must fail, and return its standard error."""
        done = run([str(AWS), *arguments], self.environment(**more), check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr


def _role(server: Server, name: str, trusted: str, actions: list[str], resource: Any, **condition: Any) -> str:
    iam = server.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    own = {"Effect": "Allow", "Action": actions, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": trust | condition}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": own})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


@pytest.fixture
def scene(server: Server, tmp_path: Path, unique: Names) -> Scene:
    """Give a scene whose configuration has profiles for everything."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    bucket = unique("night")
    server.client("s3").create_bucket(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    server.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    user = server.add_user(unique("assumer"))
    second_name = unique("second")
    second_arn = f"arn:aws:iam::{ACCOUNT}:role/{second_name}"
    external = {"Condition": {"StringEquals": {"sts:ExternalId": "contract-42"}}}
    first = _role(
        server, unique("first"), f"arn:aws:iam::{ACCOUNT}:user/{user.name}", ["sts:AssumeRole"], second_arn, **external
    )
    second = _role(server, second_name, first, ["kms:*", "s3:*"], "*")
    (tmp_path / "config").write_text(
        f"[profile user]\naws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
        f"[profile first]\nrole_arn = {first}\nsource_profile = user\nexternal_id = contract-42\n"
        "role_session_name = from-profile\nduration_seconds = 900\n"
        f"[profile second]\nrole_arn = {second}\nsource_profile = first\nrole_session_name = chained\n"
        "s3 =\n    signature_version = s3v4\n"
        f"[profile process]\ncredential_process = {tmp_path / 'credentials'}\n"
    )
    wanted = ", ".join(f"{name}: Credentials.{name}" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    program = tmp_path / "credentials"
    program.write_text(
        f"#!/bin/sh\nexec {AWS} sts assume-role --profile first --role-arn {second} --role-session-name chained "
        f"--output json --query '{{Version: `1`, Expiration: Credentials.Expiration, {wanted}}}'\n"
    )
    program.chmod(0o700)
    return Scene(server, user, first, second, key, bucket, tmp_path)


def test_assume_role_by_hand(scene: Scene) -> None:
    """`aws sts assume-role`, its credentials in the environment, the next role, and work with that."""
    call = ["sts", "assume-role", "--role-session-name", "by-hand"]
    said = scene.refused(*call, "--role-arn", scene.first, "--profile", "user")
    assert "AccessDenied" in said, said  # without the external id
    one = scene.aws(*call, "--role-arn", scene.first, "--profile", "user", "--external-id", "contract-42")
    tags = ["--tags", "Key=shift,Value=night", "--duration-seconds", "900"]
    two = scene.aws(*call, "--role-arn", scene.second, *tags, **_variables(one["Credentials"]))
    variables = _variables(two["Credentials"])
    who = scene.aws("sts", "get-caller-identity", **variables)
    assert who["Arn"] == two["AssumedRoleUser"]["Arn"] == _session_arn(scene.second, "by-hand")
    made = scene.aws("kms", "generate-data-key", "--key-id", scene.key, "--key-spec", "AES_256", **variables)
    assert made["KeyId"] == scene.key
    assert "AccessDenied" in scene.refused("iam", "list-users", **variables)


def test_profiles_with_roles(scene: Scene) -> None:
    """A profile names a role and where its credentials come from; the client does the rest, also through a chain."""
    who = scene.aws("sts", "get-caller-identity", "--profile", "first")
    assert who["Arn"] == _session_arn(scene.first, "from-profile")
    who = scene.aws("sts", "get-caller-identity", "--profile", "second")
    assert who["Arn"] == _session_arn(scene.second, "chained")
    letter, sealed = scene.folder / "letter", scene.folder / "sealed"
    letter.write_bytes(b"seal")
    blob = scene.aws("kms", "encrypt", "--key-id", scene.key, "--plaintext", f"fileb://{letter}", "--profile", "second")
    sealed.write_bytes(base64.b64decode(blob["CiphertextBlob"]))
    plain = scene.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", "--profile", "second")
    assert base64.b64decode(plain["Plaintext"]) == b"seal"
    assert "AccessDenied" in scene.refused("kms", "list-keys", "--profile", "first")


def test_the_profile_of_the_page(server: Server, tmp_path: Path, unique: Names) -> None:
    """The configuration that stands in the how-to works as it stands, with a user's key and a role's ARN filled in."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "assume-roles.md").read_text()
    (block,) = re.findall(r"^```ini\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    user, name = server.add_user(unique("alice")), unique("reader")
    arn = _role(server, name, f"arn:aws:iam::{ACCOUNT}:user/{user.name}", ["kms:*"], "*")
    for field, value in (
        ("aws_access_key_id", user.access_key_id),
        ("aws_secret_access_key", user.secret_access_key),
        ("role_arn", arn),
    ):
        block = re.sub(rf"^{field} = .*", f"{field} = {value}", block, flags=re.MULTILINE)
    (tmp_path / "config").write_text(block)
    who = Scene(server, user, arn, "", "", "", tmp_path).aws("sts", "get-caller-identity", "--profile", "reader")
    assert who["Arn"] == _session_arn(arn, "alice-at-night")


def test_objects_through_a_role(scene: Scene) -> None:
    """`aws s3 cp` of a small and a large file (in parts), and a presigned URL, with a chain's credentials."""
    for name, size in (("small", 10_000), ("large", 20 * MIB)):
        content = os.urandom(size)
        (scene.folder / name).write_bytes(content)
        url = f"s3://{scene.bucket}/{name}"
        profile = ["--profile", "second", "--no-progress"]
        scene.aws("s3", "cp", str(scene.folder / name), url, *profile)
        scene.aws("s3", "cp", url, str(scene.folder / "back"), *profile)
        assert (scene.folder / "back").read_bytes() == content
    link = scene.aws("s3", "presign", f"s3://{scene.bucket}/small", "--profile", "second").strip()
    assert "X-Amz-Security-Token=" in link
    assert urllib3.request("GET", link).data == (scene.folder / "small").read_bytes()


def test_credential_process_and_boto3(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 takes the same profiles, and credentials that another program hands over."""
    for name, value in scene.environment().items():
        monkeypatch.setenv(name, value)
    for profile in ("second", "process"):
        session = boto3.session.Session(profile_name=profile, region_name=REGION)
        sts = session.client("sts", endpoint_url=scene.server.url)
        assert sts.get_caller_identity()["Arn"] == _session_arn(scene.second, "chained")
        kms = session.client("kms", endpoint_url=scene.server.url)
        assert kms.describe_key(KeyId=scene.key)["KeyMetadata"]["Arn"] == scene.key
        sts.close()
        kms.close()


def test_session_token_by_hand(scene: Scene) -> None:
    """`aws sts get-session-token` gives the same user temporary credentials, which may not call IAM."""
    keys = scene.aws("sts", "get-session-token", "--duration-seconds", "900", "--profile", "user")["Credentials"]
    who = scene.aws("sts", "get-caller-identity", **_variables(keys))
    assert who["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{scene.user.name}"
    assert "InvalidClientTokenId" in scene.refused("iam", "get-user", **_variables(keys))
    broken = {**keys, "SessionToken": keys["SessionToken"][:-4]}
    assert "UnrecognizedClientException" in scene.refused("kms", "list-keys", **_variables(broken))


def test_federated_user_by_hand(scene: Scene) -> None:
    """`aws sts get-federation-token` with a session policy and tags; what it may, and what it may not."""
    rights = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sts:GetFederationToken", "sts:TagSession"],
         "Resource": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"},
        {"Effect": "Allow", "Action": ["kms:*", "s3:*"], "Resource": "*"},
    ]})  # fmt: skip
    scene.server.client("iam").put_user_policy(UserName=scene.user.name, PolicyName="own", PolicyDocument=rights)
    (scene.folder / "reader.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt", "s3:*"], "Resource": "*",
    }}))  # fmt: skip
    call = ["sts", "get-federation-token", "--profile", "user", "--policy", f"file://{scene.folder / 'reader.json'}"]
    assert "sts:GetFederationToken" in scene.refused(*call, "--name", "eve")
    tags = ["--tags", "Key=team,Value=blue", "--duration-seconds", "900"]
    answer = scene.aws(*call, "--name", "bob", *tags)
    variables = _variables(answer["Credentials"])
    who = scene.aws("sts", "get-caller-identity", **variables)
    assert who["Arn"] == answer["FederatedUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
    assert who["UserId"] == answer["FederatedUser"]["FederatedUserId"] == f"{ACCOUNT}:bob"
    scene.aws("kms", "describe-key", "--key-id", scene.key, **variables)
    assert "no session policy allows" in scene.refused("kms", "list-keys", **variables)
    (scene.folder / "letter").write_bytes(b"letter")
    scene.aws("s3", "cp", str(scene.folder / "letter"), f"s3://{scene.bucket}/letter", **variables)
    scene.aws("s3", "cp", f"s3://{scene.bucket}/letter", str(scene.folder / "back"), **variables)
    assert (scene.folder / "back").read_bytes() == b"letter"
    assert "InvalidClientTokenId" in scene.refused("iam", "list-users", **variables)


def _session_arn(role: str, session: str) -> str:
    return role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + f"/{session}"


def _variables(keys: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }  # fmt: skip
