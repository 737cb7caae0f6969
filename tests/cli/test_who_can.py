"""`fuin who-can`: what it says of each principal is what the server does, while it runs and while it does not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ServerFactory
from tests.support.policies import allow
from tests.support.server import ACCOUNT, REGION, Server, User

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}


def asked(server: Server, action: str, target: str) -> dict[str, Any]:
    """Return what `who-can --all --json` says of each principal, by the end of its ARN."""
    done = server.fuin("who-can", action, target, "--all", "--json", "--data", str(server.data))
    return {row["principal"]: row for row in json.loads(done.stdout)["principals"]}


def told(server: Server, *arguments: str) -> str:
    """Return what `who-can` prints."""
    return server.fuin("who-can", *arguments, "--data", str(server.data)).stdout


def arn_of(user: User) -> str:
    """Return a user's ARN."""
    return f"arn:aws:iam::{ACCOUNT}:user/{user.name}"


def via_s3(*actions: str, resource: str = "*") -> dict[str, Any]:
    """Return a policy that allows actions through the object store only."""
    policy = allow(*actions, resource=resource)
    policy["Statement"][0]["Condition"] = VIA_S3 | {}  # a copy: a test adds to it
    return policy


def made(server: Server, name: str, policy: dict[str, Any] | None = None) -> User:
    """Add a user with an access key over IAM, which takes less time than the command."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return User(name, key["AccessKeyId"], key["SecretAccessKey"])


def may(server: Server, user: User, key: str) -> bool:
    """Return whether a user may use the key directly, by trying."""
    kms = server.new_client("kms", user, retry=False)
    try:
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    except kms.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    finally:
        kms.close()
    return True


def test_everyone_who_can_can_and_nobody_else(server: Server, unique: Callable[[str], str]) -> None:
    """Users by policy, by group, by grant, through S3 only, and without any right: each as the server answers."""
    kms, iam = server.client("kms"), server.client("iam")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    users = {
        "policy": made(server, unique("policy"), allow("kms:GenerateDataKey", resource=key)),
        "nothing": made(server, unique("nothing"), allow("kms:Decrypt", resource=key)),
        "through": made(server, unique("through"), via_s3("kms:GenerateDataKey", resource=key)),
        "group": made(server, unique("group")),
        "granted": made(server, unique("granted")),
        "denied": made(server, unique("denied"), allow("kms:*")),
    }
    group = unique("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=users["group"].name)
    iam.put_group_policy(
        GroupName=group, PolicyName="keys", PolicyDocument=json.dumps(allow("kms:Gener*", resource=key))
    )
    kms.create_grant(KeyId=key, GranteePrincipal=arn_of(users["granted"]), Operations=["GenerateDataKey"])
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Deny",
            "Principal": {"AWS": arn_of(users["denied"])},
            "Action": "kms:GenerateDataKey",
            "Resource": "*",
        }
    )
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    rows = asked(server, "kms:GenerateDataKey", key)
    verdicts = {name: rows[arn_of(user)]["verdict"] for name, user in users.items()}
    assert verdicts == {
        "policy": "can", "nothing": "cannot", "through": "can if", "group": "can", "granted": "can", "denied": "cannot",
    }  # fmt: skip
    for name, user in users.items():
        assert may(server, user, key) == (verdicts[name] == "can"), name
    assert rows[ROOT]["verdict"] == "can"
    (way,) = rows[arn_of(users["group"])]["rights"][0]["ways"]
    assert any(f'policy "keys" of group {group}' in reason for reason in way["by"])
    (way,) = rows[arn_of(users["through"])]["rights"][0]["ways"]
    assert way["if"][0]["conditions"] == [f"StringEquals kms:ViaService s3.{REGION}.amazonaws.com"]


def test_an_object_needs_both_rights(server: Server, unique: Callable[[str], str]) -> None:
    """Through S3 the condition on kms:ViaService is no open question; without the key's right nobody reads."""
    s3, bucket = server.client("s3"), unique("both")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    objects = f"arn:aws:s3:::{bucket}/*"
    reads = via_s3("kms:Decrypt", resource=key)
    reads["Statement"].append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects})
    both = made(server, unique("both"), reads)
    half = made(server, unique("half"), allow("s3:GetObject", resource=objects))
    rows = asked(server, "s3:GetObject", f"s3://{bucket}/a.txt")
    assert rows[arn_of(both)]["verdict"] == "can"
    assert rows[arn_of(half)]["verdict"] == "cannot"
    first, second = rows[arn_of(half)]["rights"]
    assert (first["action"], bool(first["ways"])) == ("s3:GetObject", True)
    assert second["action"] == "kms:Decrypt"
    assert "no identity-based policy allows kms:Decrypt" in " ".join(second["because"])
    assert server.client("s3", both).get_object(Bucket=bucket, Key="a.txt")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("s3", half, retry=False).get_object(Bucket=bucket, Key="a.txt")
    text = told(server, "s3:GetObject", f"s3://{bucket}/a.txt")
    assert f"{arn_of(both)}  CAN\n  s3:GetObject\n" in text
    assert f"kms:Decrypt on {key}" in text
    assert arn_of(half) not in text


def test_an_object_with_a_bucket_key(server: Server, unique: Callable[[str], str]) -> None:
    """The condition on its context is met by the bucket's ARN, and by the object's where there is no bucket key."""
    s3, bucket = server.client("s3"), unique("keyed")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    for name, flag in (("with", True), ("without", False)):
        given = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": flag}
        s3.put_object(Bucket=bucket, Key=name, Body=b"x", **given)
    readers = {}
    for name, arn in (("of-bucket", f"arn:aws:s3:::{bucket}"), ("of-object", f"arn:aws:s3:::{bucket}/*")):
        policy = via_s3("kms:Decrypt", resource=key)
        policy["Statement"][0]["Condition"] |= {"StringLike": {"kms:EncryptionContext:aws:s3:arn": arn}}
        policy["Statement"].append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
        readers[name] = made(server, unique(name), policy)
    for name, verdicts in (("with", ["can", "cannot"]), ("without", ["cannot", "can"])):
        rows = asked(server, "s3:GetObject", f"s3://{bucket}/{name}")
        assert [rows[arn_of(reader)]["verdict"] for reader in readers.values()] == verdicts
        for reader, verdict in zip(readers.values(), verdicts, strict=True):
            client = server.client("s3", reader, retry=False)
            if verdict == "can":
                assert client.get_object(Bucket=bucket, Key=name)["Body"].read() == b"x"
            else:
                with pytest.raises(ClientError, match="AccessDenied"):
                    client.get_object(Bucket=bucket, Key=name)


def test_roles_and_strangers_are_asked_as_well(server: Server, unique: Callable[[str], str]) -> None:
    """A role of this server, and unsigned callers where a key policy names everybody under a condition."""
    kms, iam, role = server.client("kms"), server.client("iam"), unique("reader")
    trust = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    stranger = "999988887777"
    statements = [
        {"Sid": "Owner", "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"kms:CallerAccount": stranger}}},
    ]  # fmt: skip
    key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))["KeyMetadata"]["Arn"]
    rows = asked(server, "kms:Decrypt", key)
    assert rows[made]["verdict"] == "can"
    assert rows["*"]["verdict"] == "cannot"  # who signs nothing


def test_it_works_without_the_server(new_server: ServerFactory) -> None:
    """Anyone who may read the data folder gets the answer from it; it includes a key's state."""
    server = new_server().start()
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/papers", TargetKeyId=key)
    before = told(server, "kms:Decrypt", "alias/papers")
    server.stop()
    assert told(server, "kms:Decrypt", "alias/papers") == before
    assert f"{ROOT}  CAN" in before
    server.start()
    server.client("kms").disable_key(KeyId=key)
    server.stop()
    assert "the key is Disabled: nobody can use it now" in told(server, "kms:Decrypt", key)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("alias/none", "there is no key alias/none"),
        ("00000000-0000-0000-0000-000000000000", "there is no key"),
        ("s3://no-such-bucket/a", "there is no bucket no-such-bucket"),
        ("arn:aws:iam::123456789012:user/x", "is not the ARN of a key"),
    ],
)
def test_what_is_not_there_is_an_error(server: Server, target: str, says: str) -> None:
    """One line, and status 1."""
    action = "s3:GetObject" if target.startswith("s3:") else "kms:Decrypt"
    done = server.fuin("who-can", action, target, "--data", str(server.data), check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert says in done.stderr


def test_one_session_of_a_role(server: Server, unique: Callable[[str], str]) -> None:
    """A session that a key policy names, or spares from a Deny, has a row of its own, beside the role's."""
    name, iam = unique("app"), server.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    night, day = (f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}" for session in ("night", "day"))
    everything = {"Action": "kms:*", "Resource": "*"}
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, **everything},
        {"Effect": "Deny", "NotPrincipal": {"AWS": [ROOT, role, night]}, "Action": "kms:Decrypt", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": day}, "Action": "kms:Encrypt", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    key = server.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    decrypt, encrypt = (asked(server, action, key) for action in ("kms:Decrypt", "kms:Encrypt"))
    assert [decrypt[arn]["verdict"] for arn in (role, night, day)] == ["cannot", "can", "cannot"]
    assert [encrypt[arn]["verdict"] for arn in (role, night, day)] == ["cannot", "cannot", "can"]


def test_all_buckets_by_the_policy_of_aws_s_guide(server: Server, unique: Callable[[str], str]) -> None:
    """S3 user guide, "Controlling access to a bucket with user policies": buckets are listed by arn:aws:s3:::*."""
    policy = allow("s3:ListAllMyBuckets", "s3:GetBucketLocation", resource="arn:aws:s3:::*")
    user, other = made(server, unique("lists"), policy), made(server, unique("none"), allow("kms:*"))
    server.client("s3", user, retry=False).list_buckets()
    with pytest.raises(ClientError, match="is not authorized to perform: s3:ListAllMyBuckets because no identity"):
        server.client("s3", other, retry=False).list_buckets()
    verdicts = asked(server, "s3:ListAllMyBuckets", "*")
    assert [verdicts[arn_of(one)]["verdict"] for one in (user, other)] == ["can", "cannot"]


def test_actions_that_nobody_asks_for_are_refused(server: Server, unique: Callable[[str], str]) -> None:
    """A typo would be answered by kms:*, and a key's right without a key by half of what decides."""
    key, bucket = server.client("kms").create_key()["KeyMetadata"]["Arn"], unique("named")
    server.client("s3").create_bucket(Bucket=bucket)
    for action, target, why in (
        ("kms:Decrpyt", key, "there is no action kms:Decrpyt"),
        ("s3:HeadObject", f"s3://{bucket}/a", "that operation needs s3:GetObject"),
        ("kms:Decrypt", f"s3://{bucket}/a", "kms:Decrypt is not asked for of s3://"),
        ("s3:GetObject", key, "s3:GetObject is not asked for of arn:aws:kms:"),
        ("s3:GetObject", f"{bucket}/a", f"not asked for of {bucket}/a: name s3://BUCKET or s3://BUCKET/KEY"),
        ("Decrypt", key, "Decrypt is not an action on keys or buckets"),
        ("kms:Decrypt", "*", "kms:Decrypt is asked for of a key"),
        ("kms:ListKeys", key, "kms:ListKeys is on no particular resource"),
    ):
        done = server.fuin("who-can", action, target, "--data", str(server.data), check=False)
        assert (done.returncode, why in done.stderr) == (1, True), done


def test_an_action_may_be_written_in_any_case(server: Server, unique: Callable[[str], str]) -> None:
    """As in policies; a grant's operations are found all the same."""
    kms, user = server.client("kms"), made(server, unique("granted"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_grant(KeyId=key, GranteePrincipal=arn_of(user), Operations=["Decrypt"])
    assert asked(server, "KMS:decrypt", key)[arn_of(user)]["verdict"] == "can"
