"""`fuin policy lint`, and the warnings that a put policy leaves in the log and the record."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.test_who_can import made
from tests.support.policies import allow
from tests.support.server import ACCOUNT, Server

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def record_of(server: Server, response: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of the last record of a request."""
    request = response["ResponseMetadata"]["RequestId"]
    facts: dict[str, Any] = json.loads(
        server.fuin("explain", request, "--json", "--data", str(server.data)).stdout
    )[-1]["facts"]  # fmt: skip
    return facts


def test_lint_names_mistakes_and_exits_with_1(server: Server, tmp_path: Path) -> None:
    """Each finding with a page that explains it; a good policy is none, and status 0."""
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_text(json.dumps(allow("kms:Encrypt", "s3:HeadObject")))
    good.write_text(json.dumps(allow("s3:GetObject", resource="arn:aws:s3:::papers/*")))
    done = server.fuin("policy", "lint", str(bad), check=False)
    assert done.returncode == 1
    assert "[encrypt-is-not-for-objects]" in done.stdout
    assert "there is no action s3:HeadObject: that operation needs s3:GetObject" in done.stdout
    assert done.stdout.count("https://docs.aws.amazon.com/") == 2
    assert server.fuin("policy", "lint", str(good)).stdout == "no likely mistakes in this identity policy\n"


def test_lint_knows_a_key_policy_by_its_principals(server: Server, tmp_path: Path) -> None:
    """What is attached to what need not be said, and can be."""
    file = tmp_path / "key.json"
    statement = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:Decrypt", "Resource": "*"}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    found = json.loads(server.fuin("policy", "lint", str(file), "--json", check=False).stdout)
    assert found["kind"] == "key"
    assert [finding["check"] for finding in found["findings"]] == ["key-policy-locks-out"]
    done = server.fuin("policy", "lint", str(file), "--kind", "user", check=False)
    assert (done.returncode, "should not specify a principal" in done.stderr) == (1, True)


def trusting(action: str, whom: object = None) -> dict[str, Any]:
    """Return a trust policy."""
    statement = {"Effect": "Allow", "Principal": whom or {"AWS": ROOT}, "Action": action}
    return {"Version": "2012-10-17", "Statement": statement}


def test_putting_a_policy_leaves_the_warnings(server: Server, unique: Callable[[str], str]) -> None:
    """In the server's log and in the record of the request, which succeeds all the same."""
    kms, iam, s3 = server.client("kms"), server.client("iam"), server.client("s3")
    user, bucket = made(server, unique("warned")), unique("warned")
    encrypts = json.dumps(allow("kms:Encrypt"))
    put = iam.put_user_policy(UserName=user.name, PolicyName="inline", PolicyDocument=encrypts)
    assert any("[encrypt-is-not-for-objects]" in line for line in record_of(server, put)["policyWarnings"])
    put = iam.create_policy(PolicyName=unique("warned"), PolicyDocument=encrypts)
    assert "policyWarnings" in record_of(server, put)
    trust = json.dumps(trusting("sts:AssumeRole"))
    role = unique("warned")
    put = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trusting("sts:AssumeRole", whom="*")))
    assert any("[for-everyone]" in line for line in record_of(server, put)["policyWarnings"])
    put = iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trusting("sts:AsumeRole")))
    assert any("there is no action sts:AsumeRole" in line for line in record_of(server, put)["policyWarnings"])
    put = iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    assert "policyWarnings" not in record_of(server, put)
    put = iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=encrypts)
    assert any("[encrypt-is-not-for-objects]" in line for line in record_of(server, put)["policyWarnings"])
    owner = {"Sid": "Owner", "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    wrong = {**owner, "Sid": "Wrong", "Action": "kms:ReEncrypt"}
    made_key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [owner, wrong]}))
    assert any('"Wrong"' in line for line in record_of(server, made_key)["policyWarnings"])
    s3.create_bucket(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    put = s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": public}))
    assert any("[for-everyone]" in line for line in record_of(server, put)["policyWarnings"])
    log = server.errors.read_text()
    assert f"policy of 'arn:aws:iam::{ACCOUNT}:user/{user.name}'" in log
    assert "[for-everyone]" in log


def test_the_command_warns_as_well(server: Server, unique: Callable[[str], str], tmp_path: Path) -> None:
    """`fuin user policy` says on standard error what it put all the same."""
    user, file = made(server, unique("told")), tmp_path / "policy.json"
    file.write_text(json.dumps(allow("kms:Encrypt")))
    done = server.fuin("user", "policy", user.name, str(file), "--data", str(server.data))
    assert "warning: statement" in done.stderr
    assert "[encrypt-is-not-for-objects]" in done.stderr
