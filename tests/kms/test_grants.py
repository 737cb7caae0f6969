"""CreateGrant over HTTP with boto3: what may be asked for, what a grant then allows, and to whom."""

import json
import secrets
import time
from typing import Any

import pytest
from botocore import xform_name

from fuin.access.principal import Principal
from fuin.gate.call import Call
from fuin.kms import on_behalf
from tests.kms.asking import UNSEEN, NewKey, arn_of, refusal
from tests.kms.granting import give, somebody
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, REGION, Place
from tests.support.policies import allow

DENIED = "AccessDeniedException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SOURCE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:one"
IT = {"Department": "IT"}


def conditioned(action: str, operator: str, key: str, value: Any) -> dict[str, Any]:
    """Return an identity policy that allows an action under one condition."""
    policy = allow(action)
    policy["Statement"][0]["Condition"] = {operator: {key: value}}
    return policy


def test_a_grant_is_enough(place: Place, kms: Any, new_key: NewKey) -> None:
    """Its grantee, who has no policy at all, may do what it lists, at once, on that key, and nothing else."""
    key_id, other = new_key(), new_key()
    ann, bob = somebody(place), somebody(place)
    assert refusal(ann.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == DENIED
    grant_id = give(kms, key_id, ann.arn, "Encrypt", "DescribeKey")
    assert len(grant_id) == 64
    blob = ann.kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert ann.kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyId"] == key_id
    assert refusal(ann.kms.decrypt, CiphertextBlob=blob)[0] == DENIED
    assert refusal(ann.kms.generate_data_key, KeyId=key_id, KeySpec="AES_256")[0] == DENIED
    assert refusal(ann.kms.encrypt, KeyId=other, Plaintext=b"x")[0] == DENIED
    assert refusal(bob.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == DENIED
    (decision,) = place.record(ann.kms.encrypt(KeyId=key_id, Plaintext=b"x")["ResponseMetadata"]["RequestId"])[
        -1
    ].draft["decisions"]
    assert decision["because"] == [f"grant {grant_id} allows kms:Encrypt"]


OF_KIND: list[tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]] = [
    (
        {},
        [
            ("Encrypt", {"Plaintext": b"x"}),
            ("GenerateDataKey", {"KeySpec": "AES_256"}),
            ("GenerateDataKeyWithoutPlaintext", {"KeySpec": "AES_256"}),
            ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}),
            ("GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "ECC_NIST_P256"}),
            ("DescribeKey", {}),
        ],
    ),
    (
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
        [("Sign", {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}), ("GetPublicKey", {})],
    ),
    (
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        [("GenerateMac", {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"})],
    ),
    (
        {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
        [("Encapsulate", {"EncapsulationAlgorithm": "ML_KEM"}), ("GetPublicKey", {})],
    ),
]


@pytest.mark.parametrize(("kind", "uses"), OF_KIND)
def test_each_operation(
    place: Place, kms: Any, new_key: NewKey, kind: dict[str, str], uses: list[tuple[str, dict[str, Any]]]
) -> None:
    """Each operation that the key supports can be granted by itself, and is then allowed by itself."""
    key_id = new_key(**kind)
    for operation, members in uses:
        ann = somebody(place)
        method = xform_name(operation)
        assert refusal(getattr(ann.kms, method), KeyId=key_id, **members)[0] == DENIED
        give(kms, key_id, ann.arn, operation)
        getattr(ann.kms, method)(KeyId=key_id, **members)


def test_re_encrypt_takes_two(place: Place, kms: Any, new_key: NewKey) -> None:
    """ReEncrypt needs ReEncryptFrom on the old key and ReEncryptTo on the new one, by grants of their own."""
    old, new, ann = new_key(), new_key(), somebody(place)
    blob = kms.encrypt(KeyId=old, Plaintext=b"x")["CiphertextBlob"]
    ask = {"CiphertextBlob": blob, "DestinationKeyId": new}
    give(kms, old, ann.arn, "ReEncryptFrom")
    assert "kms:ReEncryptTo" in refusal(ann.kms.re_encrypt, **ask)[1]
    give(kms, new, ann.arn, "ReEncryptTo")
    blob = ann.kms.re_encrypt(**ask)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"] == arn_of(new)


def test_another_account(place: Place, kms: Any, new_key: NewKey) -> None:
    """A user of another account needs the grant only; what it does not list tells nothing of the key."""
    key_id, eve = new_key(), somebody(place, OTHER_ACCOUNT)
    arn = arn_of(key_id)
    grant_id = give(kms, key_id, eve.arn, "Encrypt", "Decrypt")
    blob = eve.kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    assert eve.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert UNSEEN in refusal(eve.kms.describe_key, KeyId=arn)[1]
    kms.revoke_grant(KeyId=key_id, GrantId=grant_id)
    assert UNSEEN in refusal(eve.kms.decrypt, CiphertextBlob=blob)[1]


def test_an_account_as_grantee(place: Place, kms: Any, new_key: NewKey) -> None:
    """A grant to an account serves its root, and those of its users whose own policy allows."""
    key_id, other = new_key(), place.kms(place.other_root)
    user = place.add_user(account=OTHER_ACCOUNT)
    give(kms, key_id, f"arn:aws:iam::{OTHER_ACCOUNT}:root", "Encrypt")
    ask = {"KeyId": arn_of(key_id), "Plaintext": b"x"}
    other.encrypt(**ask)
    assert "no identity-based policy allows" in refusal(place.kms(user).encrypt, **ask)[1]
    place.set_policy(user, allow("kms:Encrypt"), OTHER_ACCOUNT)
    place.kms(user).encrypt(**ask)


def test_denials_win(place: Place, kms: Any, new_key: NewKey) -> None:
    """An explicit deny in the grantee's policy or in the key's refuses whatever was granted."""
    key_id, ann = new_key(), somebody(place)
    give(kms, key_id, ann.arn, "Encrypt", "Decrypt")
    policy = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    deny = {"Effect": "Deny", "Principal": {"AWS": ann.arn}, "Action": "kms:Decrypt", "Resource": "*"}
    policy["Statement"].append(deny)
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    blob = ann.kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert "explicit deny in a resource-based" in refusal(ann.kms.decrypt, CiphertextBlob=blob)[1]
    own = allow("kms:*")
    own["Statement"][0]["Effect"] = "Deny"
    place.set_policy(ann.user, own)
    assert "explicit deny in an identity-based" in refusal(ann.kms.encrypt, KeyId=key_id, Plaintext=b"x")[1]


@pytest.mark.parametrize(
    ("kind", "context", "allowed"),
    [
        ("EncryptionContextEquals", IT, True),
        ("EncryptionContextEquals", {"department": "IT"}, True),
        ("EncryptionContextEquals", {**IT, "a": "b"}, False),
        ("EncryptionContextEquals", {}, False),
        ("EncryptionContextSubset", {**IT, "a": "b"}, True),
        ("EncryptionContextSubset", {"Department": "it"}, False),
    ],
)
def test_constraints(
    place: Place, kms: Any, new_key: NewKey, kind: str, context: dict[str, str], allowed: bool
) -> None:
    """A constraint is looked at each time: what was allowed with one context is not kept for another."""
    key_id, ann = new_key(), somebody(place)
    give(kms, key_id, ann.arn, "Encrypt", "DescribeKey", Constraints={kind: IT})
    ann.kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=IT)
    ask = {"KeyId": key_id, "Plaintext": b"x", "EncryptionContext": context}
    if allowed:
        ann.kms.encrypt(**ask)
    else:
        assert refusal(ann.kms.encrypt, **ask)[0] == DENIED
        near = place.last_record().draft["decisions"][-1]["because"]
        assert any(f"its constraint {kind} {{Department=IT}} is not met" in text for text in near)
    ann.kms.describe_key(KeyId=key_id)  # which has no context


def test_a_constraint_by_source(place: Place, kms: Any, new_key: NewKey) -> None:
    """A grant on behalf of a resource does not serve a user who asks directly."""
    key_id, ann = new_key(), somebody(place)
    give(kms, key_id, ann.arn, "Encrypt", Constraints={"SourceArn": SOURCE})
    assert refusal(ann.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == DENIED


def test_through_the_object_store(place: Place, kms: Any, new_key: NewKey) -> None:
    """The object store asks for data keys as the caller, so the caller's grants count, constraints too."""
    key_id, ann = new_key(), somebody(place)
    context = {"aws:s3:arn": "arn:aws:s3:::bucket/key"}
    give(kms, key_id, ann.arn, "GenerateDataKey", "Decrypt", Constraints={"EncryptionContextSubset": context})
    principal = Principal("user", ann.arn, ACCOUNT, "AIDA", ann.user.name)
    call = Call(place.services, "request-1", "s3", "PutObject", principal, "AKIA", REGION, time.time())
    made = place.run(on_behalf.data_key(call, key_id, context))
    assert place.run(on_behalf.open_data_key(call, made.blob, context)) == made.plaintext
    with pytest.raises(Exception, match="not authorized"):
        place.run(on_behalf.data_key(call, key_id, {"aws:s3:arn": "arn:aws:s3:::bucket/other"}))


def test_names_make_retries_one(kms: Any, new_key: NewKey) -> None:
    """The same name with the same parameters is the same grant with another token; anything else is another."""
    key_id = new_key()
    ask = {
        "KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Encrypt", "Decrypt"], "Name": "nightly",
        "Constraints": {"EncryptionContextEquals": {"a": "1", "b": "2"}},
    }  # fmt: skip
    first = kms.create_grant(**ask)
    again = kms.create_grant(**{**ask, "Operations": ["Decrypt", "Encrypt", "Decrypt"], "KeyId": arn_of(key_id)})
    assert again["GrantId"] == first["GrantId"]
    assert again["GrantToken"] != first["GrantToken"]
    changes: list[dict[str, Any]] = [
        {"Operations": ["Encrypt"]}, {"RetiringPrincipal": ROOT}, {"Constraints": {}}, {"Name": "other"},
        {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/ann"},
        {"Constraints": {"EncryptionContextSubset": {"a": "1"}}},
    ]  # fmt: skip
    for change in changes:
        assert kms.create_grant(**{**ask, **change})["GrantId"] != first["GrantId"]
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 7
    other = new_key()
    assert kms.create_grant(**{**ask, "KeyId": other})["GrantId"] != first["GrantId"]


def test_without_a_name_each_is_another(kms: Any, new_key: NewKey) -> None:
    """Without a name the same request makes a new grant each time."""
    key_id = new_key()
    assert give(kms, key_id, ROOT) != give(kms, key_id, ROOT)


def test_grants_have_a_quota(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key has at most 50,000 grants; a retry of one that is there is no new one."""
    key_id, ann = new_key(), somebody(place)
    named = give(kms, key_id, ann.arn, Name="first")
    place.sql(
        "INSERT INTO grants (grant_id, key_id, region, account, grantee, operations, created) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49999) "
        "SELECT printf('%064x', i) || :tail, :key, :region, :account, 'arn:aws:iam::1:user/' || i, "
        "'[\"Encrypt\"]', 1.0 FROM n",
        tail=secrets.token_hex(4), key=key_id, region=REGION, account=ACCOUNT,
    )  # fmt: skip
    ask = {"KeyId": key_id, "GranteePrincipal": ann.arn, "Operations": ["Encrypt", "Decrypt"]}
    assert refusal(kms.create_grant, **ask) == ("LimitExceededException", "A key has at most 50,000 grants.")
    assert kms.create_grant(**ask, Name="first")["GrantId"] == named
    ann.kms.encrypt(KeyId=key_id, Plaintext=b"x")


def test_create_grant_cross_account(place: Place, kms: Any, new_key: NewKey) -> None:
    """Whom the key's policy lets may create grants from another account, and is named as who issued them."""
    key_id, other = new_key(), place.kms(place.other_root)
    arn, guest = arn_of(key_id), f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    ask = {"KeyId": arn, "GranteePrincipal": guest, "Operations": ["Encrypt"]}
    assert UNSEEN in refusal(other.create_grant, **ask)[1]
    statement = {"Effect": "Allow", "Principal": {"AWS": [ROOT, guest]}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    grant_id = other.create_grant(**ask)["GrantId"]
    (entry,) = other.list_grants(KeyId=arn)["Grants"]
    assert (entry["KeyId"], entry["IssuingAccount"], entry["GrantId"]) == (arn, guest, grant_id)
    other.revoke_grant(KeyId=arn, GrantId=grant_id)


def test_grants_by_a_grantee(place: Place, kms: Any, new_key: NewKey) -> None:
    """Whoever has CreateGrant by a grant only passes on no more than it has."""
    key_id, ann, bob = new_key(), somebody(place), somebody(place)
    give(kms, key_id, ann.arn, "CreateGrant", "Encrypt", Constraints={"EncryptionContextSubset": IT})
    strict = {"Constraints": {"EncryptionContextEquals": IT}}
    assert refusal(give, kms=ann.kms, key_id=key_id, arn=bob.arn)[0] == DENIED
    for operations, members in ((["Encrypt"], {}), (["Encrypt", "Decrypt"], strict)):
        ask = {"KeyId": key_id, "GranteePrincipal": bob.arn, "Operations": operations, **members}
        code, message = refusal(ann.kms.create_grant, **ask)
        assert code == DENIED
        assert "kms:CreateGrant" in message
    give(ann.kms, key_id, bob.arn, "Encrypt", **strict)
    bob.kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=IT)
    assert refusal(bob.kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == DENIED


@pytest.mark.parametrize(
    ("policy", "ask"),
    [
        (("StringEquals", "kms:GranteePrincipal", f"arn:aws:iam::{ACCOUNT}:user/ann"), {}),
        (("StringEquals", "kms:RetiringPrincipal", ROOT), {"RetiringPrincipal": ROOT}),
        (
            ("StringEquals", "kms:GrantConstraintType", "EncryptionContextEquals"),
            {"Constraints": {"EncryptionContextEquals": IT}},
        ),
        (
            ("StringEquals", "kms:GrantConstraintType", "EncryptionContextSubset"),
            {"Constraints": {"EncryptionContextSubset": IT}},
        ),
        (("StringEquals", "kms:EncryptionContext:Department", "IT"), {"Constraints": {"EncryptionContextSubset": IT}}),
        (("StringEquals", "kms:GrantConstraintSourceArn", SOURCE), {"Constraints": {"SourceArn": SOURCE}}),
        (("Bool", "kms:GrantIsForAWSResource", "false"), {}),
    ],
)
def test_condition_keys(place: Place, new_key: NewKey, policy: tuple[str, str, Any], ask: dict[str, Any]) -> None:
    """A policy may ask what kind of grant is to be created."""
    key_id = new_key()
    client = place.kms(place.add_user(conditioned("kms:CreateGrant", *policy)))
    grantee = f"arn:aws:iam::{ACCOUNT}:user/ann"
    give(client, key_id, grantee, **ask)
    operator, key, value = policy
    negated = {"StringEquals": "StringNotEquals"}.get(operator)
    refused = (
        conditioned("kms:CreateGrant", negated, key, value)
        if negated
        else conditioned("kms:CreateGrant", operator, key, "true")
    )
    other = place.kms(place.add_user(refused))
    assert refusal(give, kms=other, key_id=key_id, arn=grantee, **ask)[0] == DENIED


def test_service_principals(place: Place, kms: Any, new_key: NewKey) -> None:
    """A grant to a service names the resource it is for and who may retire it, and is listed as such."""
    key_id = new_key()
    ask: dict[str, Any] = {"KeyId": key_id, "GranteeServicePrincipal": "rds.amazonaws.com", "Operations": ["Decrypt"]}
    assert "SourceArn" in refusal(kms.create_grant, **ask, RetiringPrincipal=ROOT)[1]
    ask["Constraints"] = {"SourceArn": SOURCE}
    assert "RetiringPrincipal" in refusal(kms.create_grant, **ask)[1]
    kms.create_grant(**ask, RetiringPrincipal=ROOT)
    kms.create_grant(**ask, RetiringServicePrincipal="rds.amazonaws.com")
    for entry in kms.list_grants(KeyId=key_id)["Grants"]:
        assert entry["GranteeServicePrincipal"] == "rds.amazonaws.com"
        assert entry["Constraints"] == {"SourceArn": SOURCE}
        assert "GranteePrincipal" not in entry
