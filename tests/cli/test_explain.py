"""`fuin explain`: every decision evaluated anew, and the change it names really helps."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.cli.test_who_can import VIA_S3, arn_of, made
from tests.support.policies import allow
from tests.support.server import ACCOUNT, REGION, Server

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def refused(call: Callable[..., object], **given: Any) -> str:
    """Return the request id of a refused call."""
    with pytest.raises(ClientError) as error:
        call(**given)
    return str(error.value.response["ResponseMetadata"]["RequestId"])


def explained(server: Server, request: str) -> str:
    """Return what `fuin explain` prints, on one line."""
    return " ".join(server.fuin("explain", request, "--data", str(server.data)).stdout.split())


def evaluations(server: Server, request: str) -> list[dict[str, Any]]:
    """Return the evaluations of a request's decisions."""
    entries = json.loads(server.fuin("explain", request, "--json", "--data", str(server.data)).stdout)
    found: list[dict[str, Any]] = entries[-1]["evaluations"]
    return found


def test_the_named_change_helps(server: Server, unique: Callable[[str], str]) -> None:
    """With the exact statement added, the refused request is allowed."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    user = made(server, unique("helped"), allow("kms:Encrypt", resource=key))
    kms = server.client("kms", user, retry=False)
    request = refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256")
    (found,) = evaluations(server, request)
    assert (found["allowed"], found["allowedNow"], found["samePolicies"]) == (False, False, True)
    (change,) = found["changes"][0]
    assert change["policy"] == f'policy "inline" of user {user.name}'
    document = json.dumps({"Version": "2012-10-17", "Statement": change["statement"]})
    server.client("iam").put_user_policy(UserName=user.name, PolicyName="inline", PolicyDocument=document)
    assert len(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]) == 32
    text = explained(server, request)
    assert "Policies have changed since, and 1 of that time are no longer in force." in text
    assert "With today's policies: allowed" in text
    assert "Smallest change" not in text


def test_a_failed_condition_shows_its_values(server: Server, unique: Callable[[str], str]) -> None:
    """What the policy wants, what the request had; and a policy that has nothing to do with it is one line."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    policy = allow("kms:Decrypt", "kms:GenerateDataKey", resource=key)
    policy["Statement"][0] |= {"Condition": {"StringEquals": {"kms:EncryptionContext:project": "a"}}}
    policy["Statement"].append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    user = made(server, unique("condition"), policy)
    kms = server.client("kms", user, retry=False)
    given = {"KeyId": key, "KeySpec": "AES_256"}
    text = explained(server, refused(kms.generate_data_key, **given, EncryptionContext={"project": "b"}))
    assert "StringEquals kms:EncryptionContext:project a fails: kms:EncryptionContext:project was b" in text
    assert "1 statement is not on kms:GenerateDataKey" in text
    wanted = "let the request meet StringEquals kms:EncryptionContext:project a (in the request it is b)"
    assert f'{wanted}, as statement "Allowed" of the policy "inline" of user {user.name} wants' in text
    text = explained(server, refused(kms.generate_data_key, **given))
    assert "fails: the request has no kms:EncryptionContext:project" in text


def test_both_decisions_of_an_object_are_evaluated(server: Server, unique: Callable[[str], str]) -> None:
    """The right to the object was there, the one to the key was not, and the change is for S3 only."""
    s3, bucket = server.client("s3"), unique("object")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    user = made(server, unique("half"), allow("s3:GetObject"))
    request = refused(server.client("s3", user, retry=False).get_object, Bucket=bucket, Key="a")
    first, second = evaluations(server, request)
    assert (first["action"], first["allowed"]) == ("s3:GetObject", True)
    assert (second["action"], second["allowed"]) == ("kms:Decrypt", False)
    (change,) = second["changes"][0]
    assert change["statement"] == {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key, "Condition": VIA_S3}


def test_a_denial_is_told_before_anything_else(server: Server, unique: Callable[[str], str]) -> None:
    """An Allow would not help, and the statement that denies is named."""
    kms = server.client("kms")
    user = made(server, unique("denied"), allow("kms:*"))
    whom = {"AWS": arn_of(user)}
    statements = [
        {"Sid": "Owner", "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Never", "Effect": "Deny", "Principal": whom, "Action": "kms:Decrypt", "Resource": "*"},
    ]
    key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    text = explained(server, refused(server.client("kms", user, retry=False).decrypt, CiphertextBlob=blob))
    assert 'statement "Never", Deny: MATCHES, names the caller' in text
    assert 'remove the Deny in statement "Never" of the key policy, or narrow it' in text


def test_who_is_gone_cannot_be_evaluated(server: Server, unique: Callable[[str], str]) -> None:
    """The reasons of the record stay; nothing is made up."""
    user, iam = made(server, unique("gone")), server.client("iam")
    request = refused(server.client("kms", user, retry=False).list_keys)
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)
    iam.delete_user(UserName=user.name)
    text = explained(server, request)
    assert f"It cannot be evaluated again: {arn_of(user)} no longer exists." in text
    assert "REFUSED, because no identity-based policy allows kms:ListKeys" in text


def test_the_caller_learns_nothing_of_this(server: Server, unique: Callable[[str], str]) -> None:
    """A stranger's refusal says nothing of the key, while the record says whether it was there."""
    other = server.add_account("310987654321")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    kms = server.client("kms", other, retry=False)
    texts = []
    for arn in (key, key[:-12] + "000000000000"):
        with pytest.raises(ClientError) as error:
            kms.decrypt(CiphertextBlob=b"x" * 160, KeyId=arn)
        texts.append(error.value.response["Error"]["Message"].replace(arn, "KEY"))
    assert texts[0] == texts[1]
    assert "statement" not in texts[0]


def test_who_may_retire_a_grant_is_evaluated(server: Server, unique: Callable[[str], str]) -> None:
    """The record explains a grant that is gone, and says what a refused caller would need."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    ann, bob = made(server, unique("retires")), made(server, unique("stays"))
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal=arn_of(bob), RetiringPrincipal=arn_of(ann), Operations=["Decrypt"], Name="hers"
    )
    given = {"KeyId": key, "GrantId": grant["GrantId"]}
    request = refused(server.client("kms", bob, retry=False).retire_grant, **given)
    (found,) = evaluations(server, request)
    assert (found["allowed"], found["allowedNow"], found["samePolicies"]) == (False, False, True)
    ((change,),) = found["changes"]
    least = {"Effect": "Allow", "Action": "kms:RetireGrant", "Resource": key}
    assert (change["policy"], change["statement"]) == (f"new policy of user {bob.name}", least)
    text = explained(server, request)
    assert f'grant {grant["GrantId"]} "hers": MATCHES, may be retired by the caller\'s account' in text
    request = server.client("kms", ann).retire_grant(**given)["ResponseMetadata"]["RequestId"]
    (found,) = evaluations(server, request)
    assert (found["allowed"], found["allowedNow"]) == (True, True)
    assert f'grant {grant["GrantId"]} "hers": MATCHES, may be retired by the caller' in explained(server, request)
    document = json.dumps({"Version": "2012-10-17", "Statement": least})
    server.client("iam").put_user_policy(UserName=bob.name, PolicyName="p", PolicyDocument=document)
    with pytest.raises(ClientError, match="NotFoundException"):  # it is gone, but the right is there
        server.client("kms", bob, retry=False).retire_grant(**given)


def test_a_bucket_that_was_not_there(server: Server, unique: Callable[[str], str]) -> None:
    """The right existed, the bucket did not, and the explanation says so."""
    user = made(server, unique("nowhere"), allow("s3:GetObject"))
    request = refused(server.client("s3", user, retry=False).get_object, Bucket=unique("nowhere"), Key="a")
    (found,) = evaluations(server, request)
    assert (found["allowed"], found["allowedNow"], found["samePolicies"]) == (True, True, True)


def test_what_was_not_looked_at_is_not_told_as_absent(server: Server, unique: Callable[[str], str]) -> None:
    """The record has no address, since nobody asked for it: so nobody says that the request had none."""
    policy = allow("kms:ListKeys")
    local = {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*", "Sid": "Local"}
    policy["Statement"].append(local | {"Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}})
    user = made(server, unique("open"), policy)
    request = server.client("kms", user).list_keys()["ResponseMetadata"]["RequestId"]
    text = explained(server, request)
    assert (
        'statement "Local", Allow: was not evaluated, or did not exist then; IpAddress aws:SourceIp 127.0.0.0/8' in text
    )
    assert "the request has no" not in text
    (found,) = evaluations(server, request)
    assert [item["matches"] for item in found["policies"][0]["statements"]] == [True, None]
    del policy["Statement"][0]
    server.client("iam").put_user_policy(UserName=user.name, PolicyName="inline", PolicyDocument=json.dumps(policy))
    assert "With today's policies, as far as the record says what the request had:" in explained(server, request)


def test_a_grant_that_has_gone(server: Server, unique: Callable[[str], str]) -> None:
    """The policies are the same, and yet it is refused now: that is said."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    user = made(server, unique("granted"))
    grant = kms.create_grant(KeyId=key, GranteePrincipal=arn_of(user), Operations=["Encrypt"])["GrantId"]
    answer = server.client("kms", user).encrypt(KeyId=key, Plaintext=b"x")
    kms.revoke_grant(KeyId=key, GrantId=grant)
    text = explained(server, answer["ResponseMetadata"]["RequestId"])
    assert "The policies of that time are still in force, but something else has changed, such as a grant" in text
    assert "Now: refused" in text


def test_a_session_s_policies_of_what_was_allowed(server: Server, unique: Callable[[str], str]) -> None:
    """The record holds no texts of them, but knows that they existed: no policy is reported as gone."""
    user, name = made(server, unique("session"), allow("sts:GetFederationToken", "kms:ListKeys")), unique("bob")
    policy = json.dumps(allow("kms:ListKeys"))
    keys = server.client("sts", user).get_federation_token(Name=name, Policy=policy)["Credentials"]
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    kms = session.client("kms", endpoint_url=server.url)
    text = explained(server, kms.list_keys()["ResponseMetadata"]["RequestId"])
    kms.close()
    assert "With the policies of that time, which are still in force: allowed" in text
    assert "the session's policies: the record does not hold their texts" in text


def test_each_use_has_its_own_context(server: Server, unique: Callable[[str], str]) -> None:
    """Re-encrypting has two, and a grant's constraint on one is not held against the other."""
    kms = server.client("kms")
    key, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    user = made(server, unique("twice"))
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"of": "a"})["CiphertextBlob"]
    for one, operation, context in ((key, "ReEncryptFrom", {"of": "a"}), (other, "ReEncryptTo", {"of": "b"})):
        kms.create_grant(
            KeyId=one, GranteePrincipal=arn_of(user), Operations=[operation],
            Constraints={"EncryptionContextEquals": context},
        )  # fmt: skip
    answer = server.client("kms", user).re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext={"of": "a"}, DestinationKeyId=other,
        DestinationEncryptionContext={"of": "b"},
    )  # fmt: skip
    found = evaluations(server, answer["ResponseMetadata"]["RequestId"])
    assert {one["action"]: one["allowedNow"] for one in found} == {"kms:ReEncryptFrom": True, "kms:ReEncryptTo": True}
