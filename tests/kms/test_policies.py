"""Key policies over HTTP, with boto3: given back as put, checked when put, in force at once."""

import json
from typing import Any

import pytest

from tests.kms.asking import NewKey, arn_of, refusal
from tests.support.place import ACCOUNT, Place
from tests.support.policies import allow

LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."


def policy_for(principal: str, *actions: str) -> str:
    """Return a key policy that allows one principal some actions."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def test_policy_is_given_back_exactly(kms: Any, new_key: NewKey) -> None:
    """The document keeps its spaces, order and line ends."""
    key_id = new_key()
    statement = f'{{"Action":"kms:*","Resource":"*","Principal":{{"AWS":"{ROOT}"}},"Effect":"Allow"}}'
    document = f'{{\r\n\t"Version" : "2012-10-17", "Id":"ÿ",\n "Statement":[ {statement} ] }}\n'
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=document)
    answer = kms.get_key_policy(KeyId=key_id, PolicyName="default")
    assert (answer["Policy"], answer["PolicyName"]) == (document, "default")
    assert new_key(Policy=document) != key_id


def test_default_policy(kms: Any, new_key: NewKey) -> None:
    """A key made without a policy has AWS's default one, laid out as AWS does."""
    text = kms.get_key_policy(KeyId=new_key())["Policy"]
    assert text.startswith('{\n  "Version" : "2012-10-17",\n  "Id" : "key-default-1",\n  "Statement" : [ {\n')
    (statement,) = json.loads(text)["Statement"]
    assert statement == {
        "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*",
        "Resource": "*",
    }  # fmt: skip


def test_policy_names(kms: Any, new_key: NewKey) -> None:
    """The only name is default."""
    key_id = new_key()
    answer = kms.list_key_policies(KeyId=arn_of(key_id), Limit=1)
    assert (answer["PolicyNames"], answer["Truncated"]) == (["default"], False)
    assert "NextMarker" not in answer
    missing = ("NotFoundException", "No such policy exists")
    assert refusal(kms.get_key_policy, KeyId=key_id, PolicyName="other") == missing
    assert refusal(kms.put_key_policy, KeyId=key_id, PolicyName="other", Policy=policy_for(ROOT, "kms:*")) == missing
    assert refusal(kms.list_key_policies, KeyId=key_id, Marker="x")[0] == "ValidationException"
    assert refusal(kms.get_key_policy, KeyId=key_id, PolicyName="AWS_RAM")[0] == "NotFoundException"
    assert refusal(kms.put_key_policy, KeyId=key_id, PolicyName="AWS_RAM", Policy=policy_for(ROOT, "kms:*")) == (
        "ValidationException",
        "The AWS_RAM policy can only be managed by the RAM service.",
    )


def test_policy_name_as_a_condition(place: Place, kms: Any, new_key: NewKey) -> None:
    """kms:PolicyName is default when the request names none; the lock-out check sees it as well."""
    key_id = new_key()
    statement = allow("kms:GetKeyPolicy", "kms:PutKeyPolicy")
    statement["Statement"][0]["Condition"] = {"StringEquals": {"kms:PolicyName": "default"}}
    client = place.kms(place.add_user(statement))
    document = client.get_key_policy(KeyId=key_id)["Policy"]
    client.put_key_policy(KeyId=key_id, PolicyName="default", Policy=document)
    asked = {"KeyId": key_id, "PolicyName": "AWS_RAM"}
    assert refusal(client.get_key_policy, **asked)[0] == "AccessDeniedException"
    assert refusal(client.put_key_policy, **asked, Policy=document)[0] == "AccessDeniedException"
    narrow = json.loads(policy_for(ROOT, "kms:*"))
    narrow["Statement"][0]["Condition"] = {"StringEquals": {"kms:PolicyName": "default"}}
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(narrow))


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "text",
        '{"Version":"2012-10-17"}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}',
        policy_for(ROOT, "kms:*").replace("Allow", "Maybe"),
        policy_for(ROOT, "kms:*").replace('"Resource"', '"NotResource"'),
        policy_for(ROOT, "kms:*").replace('"Resource"', '"Condition": {"NumericMagic": {"a": "1"}}, "Resource"'),
        "[" * 32_000,
    ],
)
def test_malformed_policies(kms: Any, new_key: NewKey, document: str) -> None:
    """A policy that is not understood in full is never stored, neither by PutKeyPolicy nor by CreateKey."""
    key_id = new_key()
    before = kms.get_key_policy(KeyId=key_id)["Policy"]
    code = "MalformedPolicyDocumentException"
    assert refusal(kms.put_key_policy, KeyId=key_id, Policy=document)[0] == code
    assert refusal(kms.put_key_policy, KeyId=key_id, Policy=document, BypassPolicyLockoutSafetyCheck=True)[0] == code
    assert refusal(kms.create_key, Policy=document)[0] == code
    assert kms.get_key_policy(KeyId=key_id)["Policy"] == before


def test_largest_policy(kms: Any, new_key: NewKey) -> None:
    """A policy may have 32768 bytes, and not one more; beyond 131072 characters the model refuses it."""
    key_id = new_key()
    document = policy_for(ROOT, "kms:*").ljust(32_768)
    kms.put_key_policy(KeyId=key_id, Policy=document)
    assert kms.get_key_policy(KeyId=key_id)["Policy"] == document
    assert refusal(kms.put_key_policy, KeyId=key_id, Policy=document + " ")[0] == "LimitExceededException"
    assert refusal(kms.create_key, Policy=document + " ")[0] == "LimitExceededException"
    assert refusal(kms.put_key_policy, KeyId=key_id, Policy=document.ljust(131_073))[0] == "ValidationException"


def test_lockout_safety_check(place: Place, kms: Any, new_key: NewKey) -> None:
    """A policy that would lock out its author is refused, unless the author insists."""
    key_id = new_key()
    document = policy_for(f"arn:aws:iam::{ACCOUNT}:user/nobody", "kms:*")
    code = "MalformedPolicyDocumentException"
    assert refusal(kms.put_key_policy, KeyId=key_id, Policy=document) == (code, LOCKED_OUT)
    assert refusal(kms.create_key, Policy=document) == (code, LOCKED_OUT)
    kms.put_key_policy(KeyId=key_id, Policy=document, BypassPolicyLockoutSafetyCheck=True)
    assert refusal(kms.get_key_policy, KeyId=key_id)[0] == "AccessDeniedException"
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"
    made = kms.create_key(Policy=document, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]
    assert refusal(kms.describe_key, KeyId=made)[0] == "AccessDeniedException"


def test_bypass_as_a_condition(place: Place, new_key: NewKey) -> None:
    """A policy may forbid to skip the safety check."""
    key_id = new_key()
    policy = allow("kms:PutKeyPolicy", "kms:CreateKey")
    forbidden = {
        "Effect": "Deny",
        "Action": ["kms:PutKeyPolicy", "kms:CreateKey"],
        "Resource": "*",
        "Condition": {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}},
    }
    policy["Statement"].append(forbidden)
    client = place.kms(place.add_user(policy))
    document = policy_for(ROOT, "kms:*")
    asked = {"Policy": document, "BypassPolicyLockoutSafetyCheck": True}
    assert refusal(client.put_key_policy, KeyId=key_id, **asked)[0] == "AccessDeniedException"
    assert refusal(client.create_key, **asked)[0] == "AccessDeniedException"
    client.put_key_policy(KeyId=key_id, Policy=document)
    client.create_key(Policy=document)


def test_new_policy_holds_at_once(place: Place, kms: Any, new_key: NewKey) -> None:
    """When PutKeyPolicy has returned, the next request is decided by the new policy."""
    key_id = new_key()
    user = place.add_user()
    client = place.kms(user)
    named = policy_for(f"arn:aws:iam::{ACCOUNT}:user/{user.name}", "kms:Encrypt")
    both = json.loads(policy_for(ROOT, "kms:*"))
    plain = json.dumps(both)
    both["Statement"] += json.loads(named)["Statement"]
    for _ in range(5):
        kms.put_key_policy(KeyId=key_id, Policy=json.dumps(both))
        client.encrypt(KeyId=key_id, Plaintext=b"x")
        kms.put_key_policy(KeyId=key_id, Policy=plain)
        assert refusal(client.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"


def test_explicit_deny_wins(place: Place, kms: Any, new_key: NewKey) -> None:
    """A deny in the key policy is stronger than anything that allows."""
    key_id = new_key()
    user = place.add_user(allow("kms:*"))
    policy = json.loads(policy_for(ROOT, "kms:*"))
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user.name}"}
    policy["Statement"].append({"Effect": "Deny", "Principal": principal, "Action": "kms:Encrypt", "Resource": "*"})
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    code, message = refusal(place.kms(user).encrypt, KeyId=key_id, Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_policies_need_their_rights(place: Place, new_key: NewKey) -> None:
    """Reading, listing and putting policies are rights of their own."""
    key_id = new_key()
    client = place.kms(place.add_user(allow("kms:Encrypt")))
    assert "kms:GetKeyPolicy" in refusal(client.get_key_policy, KeyId=key_id)[1]
    assert "kms:ListKeyPolicies" in refusal(client.list_key_policies, KeyId=key_id)[1]
    assert "kms:PutKeyPolicy" in refusal(client.put_key_policy, KeyId=key_id, Policy=policy_for(ROOT, "kms:*"))[1]


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:user/not-there",
        f"arn:aws:iam::{ACCOUNT}:role/not-there",
        "999999999999",
        "AIDA" + "A" * 16,
    ],
)
def test_policy_that_names_nobody(kms: Any, new_key: NewKey, principal: str) -> None:
    """A principal that does not exist is refused: somebody could come to have the name later."""
    document = policy_for(principal, "kms:*")
    found = refusal(kms.put_key_policy, KeyId=new_key(), Policy=document, BypassPolicyLockoutSafetyCheck=True)
    text = "Policy contains a statement with one or more invalid principals."
    assert found == ("MalformedPolicyDocumentException", text)
    assert refusal(kms.create_key, Policy=document, BypassPolicyLockoutSafetyCheck=True) == found
