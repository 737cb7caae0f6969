"""What names a user or role that has ended gives nobody anything, a new one of the same name least of all."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.identity.test_roles import trusting
from tests.support.place import ACCOUNT, Place, error_of
from tests.support.server import User

Names = Callable[[str], str]
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "*", "Resource": "*"}


def naming(name: object, **more: Any) -> str:
    """Return a policy that leaves everything to the account, and allows everything to the principals of a name."""
    statement = {"Effect": "Allow", "Principal": {"AWS": name}, "Action": "kms:*", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [ROOT, statement]})


def again(place: Place, iam: Any, user: User) -> User:
    """Delete a user and return a new one of the same name."""
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)
    iam.delete_user(UserName=user.name)
    return place.new_user(name=user.name)


def test_key_policy_shows_the_id_of_who_has_ended(place: Place, iam: Any) -> None:
    """A key policy that names a deleted user names its unique id; the next user of the name may not use the key."""
    kms, user = place.service("kms"), place.new_user()
    arn, user_id = f"arn:aws:iam::{ACCOUNT}:user/{user.name}", iam.get_user(UserName=user.name)["User"]["UserId"]
    condition = {"Condition": {"StringNotEquals": {"aws:PrincipalArn": [f"{arn}/x", "x"]}}}
    key = kms.create_key(Policy=naming([arn, f"arn:aws:iam::{ACCOUNT}:root"], **condition))["KeyMetadata"]["KeyId"]
    place.service("kms", user).encrypt(KeyId=key, Plaintext=b"x")
    successor = again(place, iam, user)
    statement = json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"][1]
    assert statement["Principal"]["AWS"][0] == user_id
    assert statement["Condition"] == condition["Condition"]
    with pytest.raises(ClientError) as refused:
        place.service("kms", successor).encrypt(KeyId=key, Plaintext=b"x")
    assert error_of(refused.value)[1] == "AccessDeniedException"
    with pytest.raises(ClientError) as refused:  # as in AWS, what is shown is not taken back
        kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"])
    assert error_of(refused.value)[1] == "MalformedPolicyDocumentException"


@pytest.mark.parametrize("number", ["1e400", "-0", "1.10", "123456789012345678901234567890.5", "9" * 40])
def test_the_rest_of_a_policy_stays_as_it_is(place: Place, iam: Any, number: str) -> None:
    """Numbers that no machine's arithmetic holds survive the end of a user beside them, and the key can be used."""
    kms, user = place.service("kms"), place.new_user()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    condition = {"StringEquals": {"aws:PrincipalTag/limit": "NUMBER"}}
    policy = json.loads(naming(f"arn:aws:iam::{ACCOUNT}:user/{user.name}"))
    policy["Statement"].append({**deny, "Condition": condition})
    key = kms.create_key(Policy=json.dumps(policy).replace('"NUMBER"', number))["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    again(place, iam, user)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kept = json.loads(kms.get_key_policy(KeyId=key)["Policy"], parse_float=Decimal, parse_int=Decimal)
    assert str(kept["Statement"][2]["Condition"]["StringEquals"]["aws:PrincipalTag/limit"]) == str(Decimal(number))


def test_escapes_hide_nobody(place: Place, iam: Any) -> None:
    """JSON can write a name in other ways; it is found all the same."""
    kms, user = place.service("kms"), place.new_user()
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    key = kms.create_key(Policy=naming(arn).replace(":user/", ":\\u0075ser\\/"))["KeyMetadata"]["KeyId"]
    place.service("kms", user).encrypt(KeyId=key, Plaintext=b"x")
    successor = again(place, iam, user)
    with pytest.raises(ClientError):
        place.service("kms", successor).encrypt(KeyId=key, Plaintext=b"x")


def test_grants_to_who_has_ended(place: Place, iam: Any) -> None:
    """A grant to a deleted user is one to its id; nobody has it, and it can be revoked."""
    kms, user = place.service("kms"), place.new_user()
    arn, user_id = f"arn:aws:iam::{ACCOUNT}:user/{user.name}", iam.get_user(UserName=user.name)["User"]["UserId"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = kms.create_grant(KeyId=key, GranteePrincipal=arn, RetiringPrincipal=arn, Operations=["Encrypt"])
    place.service("kms", user).encrypt(KeyId=key, Plaintext=b"x")
    successor = place.service("kms", again(place, iam, user))
    (entry,) = kms.list_grants(KeyId=key)["Grants"]
    assert entry["GranteePrincipal"] == entry["RetiringPrincipal"] == user_id
    for call, members in (
        (successor.encrypt, {"KeyId": key, "Plaintext": b"x"}),
        (successor.retire_grant, {"GrantToken": made["GrantToken"]}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**members)
        assert error_of(refused.value)[1] == "AccessDeniedException"
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])


def test_trust_in_who_has_ended(place: Place, iam: Any, unique: Names) -> None:
    """A role that trusts a deleted user trusts its id."""
    user, role = place.new_user(), unique("trusting")
    user_id = iam.get_user(UserName=user.name)["User"]["UserId"]
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trusting(f"arn:aws:iam::{ACCOUNT}:user/{user.name}"))
    again(place, iam, user)
    (statement,) = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": user_id}


def test_bucket_policy_of_who_has_ended(place: Place, iam: Any, unique: Names) -> None:
    """A bucket policy as well; one that names nobody is refused when put."""
    s3, user, bucket = place.service("s3"), place.new_user(), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    statement = {
        "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}",
    }  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=document)
    place.service("s3", user).list_objects_v2(Bucket=bucket)
    successor = again(place, iam, user)
    with pytest.raises(ClientError) as refused:
        place.service("s3", successor).list_objects_v2(Bucket=bucket)
    assert error_of(refused.value)[1] == "AccessDenied"
    assert '"AIDA' in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_policy(Bucket=bucket, Policy=document.replace(user.name, "nobody-of-this-name"))
    assert error_of(refused.value) == (400, "MalformedPolicy", "Invalid principal in policy")


def test_sessions_of_a_role_that_has_ended(place: Place, iam: Any, unique: Names) -> None:
    """Grants to a role and to one of its sessions name the role's id; a new role of the name has neither."""
    kms, role = place.service("kms"), unique("role")
    role_id = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trusting(ACCOUNT))["Role"]["RoleId"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for arn in (f"arn:aws:iam::{ACCOUNT}:role/{role}", f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/night"):
        kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"])
    iam.delete_role(RoleName=role)
    grantees = {entry["GranteePrincipal"] for entry in kms.list_grants(KeyId=key)["Grants"]}
    assert grantees == {role_id, f"{role_id}:night"}


def test_renamed_user_is_named_by_the_new_name(place: Place, iam: Any, unique: Names) -> None:
    """AWS keeps principals by their ids: what names a user names it still after it was renamed."""
    kms, user, name = place.service("kms"), place.new_user(), unique("renamed")
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    key = kms.create_key(Policy=naming(arn))["KeyMetadata"]["KeyId"]
    kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"])
    iam.update_user(UserName=user.name, NewUserName=name)
    new = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"][1]["Principal"]["AWS"] == new
    assert kms.list_grants(KeyId=key)["Grants"][0]["GranteePrincipal"] == new
    place.service("kms", user).describe_key(KeyId=key)
    successor = place.new_user(name=user.name)
    with pytest.raises(ClientError):
        place.service("kms", successor).describe_key(KeyId=key)
