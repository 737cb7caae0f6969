"""Multi-Region keys over HTTP, with boto3: one server, several Regions."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from fuin import ids
from fuin.kms.model.region_names import kms_regions
from fuin.store.kms import replicas
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.related import IRELAND, ROOT, SYDNEY, described, related
from tests.kms.state_table import import_material
from tests.support.place import ACCOUNT, REGION, Place
from tests.support.policies import allow

KINDS: list[dict[str, str]] = [
    {},
    {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
    {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    {"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"},
    {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
]


def test_answer_of_replication(kms: Any, ireland: Any, primary: str) -> None:
    """A replica is answered as recorded from AWS: Creating, not enabled, no material id, no tags if there are none."""
    assert refusal(ireland.describe_key, KeyId=primary) == (
        "NotFoundException", f"Key '{arn_of(primary, region=IRELAND)}' does not exist",
    )  # fmt: skip
    answer = kms.replicate_key(KeyId=primary, ReplicaRegion=IRELAND)
    assert answer.keys() == {"ReplicaKeyMetadata", "ReplicaPolicy", "ResponseMetadata"}
    told = answer["ReplicaKeyMetadata"]
    created = told.pop("CreationDate")
    assert told == {
        "AWSAccountId": ACCOUNT, "Arn": arn_of(primary, region=IRELAND), "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "", "Enabled": False, "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "KeyId": primary,
        "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "KeyState": "Creating", "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": True, "Origin": "AWS_KMS",
        "MultiRegionConfiguration": {
            "MultiRegionKeyType": "REPLICA",
            "PrimaryKey": {"Arn": arn_of(primary), "Region": REGION},
            "ReplicaKeys": [{"Arn": arn_of(primary, region=IRELAND), "Region": IRELAND}],
        },
    }  # fmt: skip
    assert json.loads(answer["ReplicaPolicy"]) == json.loads(ireland.get_key_policy(KeyId=primary)["Policy"])
    here, there = described(kms, primary), described(ireland, primary)
    assert (there["KeyState"], there["Enabled"], there["CreationDate"]) == ("Enabled", True, created)
    assert there["CurrentKeyMaterialId"] == here["CurrentKeyMaterialId"]


def test_related_keys(place: Place, kms: Any, ireland: Any, primary: str) -> None:
    """Each of the related keys tells what it is, and which are the others."""
    assert primary.startswith("mrk-")
    assert ids.is_key_id(primary)
    assert related(kms, primary) == ("PRIMARY", REGION, [])
    for region in (IRELAND, SYDNEY):
        kms.replicate_key(KeyId=arn_of(primary), ReplicaRegion=region)
    assert related(kms, primary) == ("PRIMARY", REGION, [SYDNEY, IRELAND])
    assert related(ireland, primary) == ("REPLICA", REGION, [SYDNEY, IRELAND])
    assert related(place.kms(region=SYDNEY), primary) == ("REPLICA", REGION, [SYDNEY, IRELAND])


def test_ciphertext_crosses_regions(kms: Any, ireland: Any, pair: str) -> None:
    """What was encrypted in one Region is decrypted in the other, both ways, by the key of the Region that is asked."""
    for here, there, region in ((kms, ireland, IRELAND), (ireland, kms, REGION)):
        blob = here.encrypt(KeyId=pair, Plaintext=b"text", EncryptionContext={"a": "b"})["CiphertextBlob"]
        opened = there.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
        assert (opened["Plaintext"], opened["KeyId"]) == (b"text", arn_of(pair, region=region))
        data_key = here.generate_data_key(KeyId=pair, KeySpec="AES_256")
        assert (
            there.decrypt(CiphertextBlob=data_key["CiphertextBlob"], KeyId=pair)["Plaintext"] == data_key["Plaintext"]
        )


def test_single_region_ciphertext_stays(kms: Any, ireland: Any, new_key: NewKey) -> None:
    """Ciphertext of a key that has no replica there is of no use in another Region."""
    blob = kms.encrypt(KeyId=new_key(), Plaintext=b"x")["CiphertextBlob"]
    assert refusal(ireland.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"


def use(kind: str, here: Any, there: Any, key: str) -> None:
    """Use a key in one Region and what came of it in another."""
    match kind:
        case "ENCRYPT_DECRYPT":
            blob = here.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
            opened = there.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
            assert opened["Plaintext"] == b"x"
        case "SIGN_VERIFY":
            algorithm = here.get_public_key(KeyId=key)["SigningAlgorithms"][0]
            signature = here.sign(KeyId=key, Message=b"m", SigningAlgorithm=algorithm)["Signature"]
            assert there.verify(KeyId=key, Message=b"m", Signature=signature, SigningAlgorithm=algorithm)
        case "GENERATE_VERIFY_MAC":
            mac = here.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
            assert there.verify_mac(KeyId=key, Message=b"m", Mac=mac, MacAlgorithm="HMAC_SHA_256")["MacValid"]
        case "KEY_AGREEMENT":
            peer = here.generate_data_key_pair_without_plaintext(
                KeyId=here.create_key()["KeyMetadata"]["KeyId"], KeyPairSpec="ECC_NIST_P256"
            )["PublicKey"]
            asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
            assert (
                here.derive_shared_secret(**asked)["SharedSecret"]
                == there.derive_shared_secret(**asked)["SharedSecret"]
            )
        case "ENCAPSULATE_DECAPSULATE":
            made = here.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
            blob = made["SharedSecretCiphertextBlob"]
            opened = there.decapsulate(KeyId=key, SharedSecretCiphertextBlob=blob, EncapsulationAlgorithm="ML_KEM")
            assert opened["SharedSecret"] == made["SharedSecret"]


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind["KeySpec"] + "-" + kind["KeyUsage"])
def test_every_kind_of_key(kms: Any, ireland: Any, new_key: NewKey, kind: dict[str, str]) -> None:
    """Keys of every kind can be multi-Region: the replica has the same material, spec and usage."""
    key = new_key(MultiRegion=True, **kind)
    kms.replicate_key(KeyId=key, ReplicaRegion=IRELAND)
    there = described(ireland, key)
    assert (there["KeySpec"], there["KeyUsage"]) == (kind["KeySpec"], kind["KeyUsage"])
    use(kind["KeyUsage"], kms, ireland, key)
    use(kind["KeyUsage"], ireland, kms, key)


def test_replica_has_older_material(kms: Any, ireland: Any, primary: str) -> None:
    """A replica of a rotated key opens what its primary key encrypted before, and shares its schedule."""
    old = kms.encrypt(KeyId=primary, Plaintext=b"old")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=primary)
    kms.enable_key_rotation(KeyId=primary, RotationPeriodInDays=100)
    kms.replicate_key(KeyId=primary, ReplicaRegion=IRELAND)
    assert ireland.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"
    assert ireland.get_key_rotation_status(KeyId=primary)["RotationPeriodInDays"] == 100
    rotations = kms.list_key_rotations(KeyId=primary, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert ireland.list_key_rotations(KeyId=primary, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"] == rotations
    new = ireland.encrypt(KeyId=primary, Plaintext=b"new")
    assert new["CiphertextBlob"] != old
    assert kms.decrypt(CiphertextBlob=new["CiphertextBlob"])["Plaintext"] == b"new"


def test_replica_waits_for_imported_material(kms: Any, ireland: Any, new_key: NewKey) -> None:
    """A replica of a key with imported material has none, and waits for it."""
    key = new_key(MultiRegion=True, Origin="EXTERNAL")
    assert refusal(kms.replicate_key, KeyId=key, ReplicaRegion=IRELAND) == (
        "KMSInvalidStateException", f"{arn_of(key)} is pending import.",
    )  # fmt: skip
    import_material(kms, key)
    told = kms.replicate_key(KeyId=key, ReplicaRegion=IRELAND)["ReplicaKeyMetadata"]
    assert (told["KeyState"], told["Origin"]) == ("Creating", "EXTERNAL")
    there = described(ireland, key)
    assert (there["KeyState"], there["Enabled"]) == ("PendingImport", False)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refusal(ireland.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"


def test_own_properties(place: Place, kms: Any, ireland: Any, primary: str) -> None:
    """Description, tags, policy, aliases and state are each Region's own."""
    policy = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}],
    })  # fmt: skip
    kms.update_key_description(KeyId=primary, Description="here")
    answer = kms.replicate_key(
        KeyId=primary, ReplicaRegion=IRELAND, Description="there", Policy=policy,
        Tags=[{"TagKey": "a", "TagValue": "1"}],
    )  # fmt: skip
    assert (answer["ReplicaPolicy"], answer["ReplicaTags"]) == (policy, [{"TagKey": "a", "TagValue": "1"}])
    assert described(kms, primary)["Description"] == "here"
    assert described(ireland, primary)["Description"] == "there"
    assert kms.list_resource_tags(KeyId=primary)["Tags"] == []
    assert ireland.list_resource_tags(KeyId=primary)["Tags"] == answer["ReplicaTags"]
    assert kms.get_key_policy(KeyId=primary)["Policy"] != policy
    name = f"alias/{primary}"
    ireland.create_alias(AliasName=name, TargetKeyId=primary)
    assert refusal(kms.describe_key, KeyId=name)[0] == "NotFoundException"
    ireland.disable_key(KeyId=primary)
    assert described(kms, primary)["KeyState"] == "Enabled"
    kms.encrypt(KeyId=primary, Plaintext=b"x")
    assert refusal(ireland.encrypt, KeyId=primary, Plaintext=b"x")[0] == "DisabledException"
    grant = kms.create_grant(KeyId=primary, GranteePrincipal=ROOT, Operations=["Decrypt"])["GrantId"]
    assert [each["GrantId"] for each in kms.list_grants(KeyId=primary)["Grants"]] == [grant]
    assert ireland.list_grants(KeyId=primary)["Grants"] == []


def test_what_cannot_be_replicated(kms: Any, ireland: Any, pair: str, new_key: NewKey) -> None:
    """Single-Region keys and replicas are no primary keys; a Region has one of the related keys; texts as recorded."""
    single = new_key()
    assert refusal(kms.replicate_key, KeyId=single, ReplicaRegion=IRELAND) == (
        "UnsupportedOperationException", f"{arn_of(single)} is not a multi-region primary key.",
    )  # fmt: skip
    assert refusal(ireland.replicate_key, KeyId=pair, ReplicaRegion=IRELAND) == (
        "UnsupportedOperationException", f"{arn_of(pair, region=IRELAND)} is not a multi-region primary key.",
    )  # fmt: skip
    for region in (IRELAND, REGION):
        assert refusal(kms.replicate_key, KeyId=pair, ReplicaRegion=region) == (
            "AlreadyExistsException", f"The key {arn_of(pair, region=region)} already exists",
        )  # fmt: skip
    for region in ("cn-north-1", "us-gov-west-1", "xx-nowhere-1"):
        code, message = refusal(kms.replicate_key, KeyId=pair, ReplicaRegion=region)
        assert (code, message) == ("UnsupportedOperationException", f"The Region {region} is not supported.")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"ReplicaRegion": "x"}, "ValidationException"),
        ({"ReplicaRegion": ""}, "ValidationException"),
        ({}, "ValidationException"),
        ({"ReplicaRegion": IRELAND, "Policy": "{"}, "MalformedPolicyDocumentException"),
        ({"ReplicaRegion": IRELAND, "Policy": "{" * 32_769}, "LimitExceededException"),
        ({"ReplicaRegion": IRELAND, "Tags": [{"TagKey": "aws:a", "TagValue": ""}]}, "TagException"),
        ({"ReplicaRegion": IRELAND, "Description": "d" * 8193}, "ValidationException"),
    ],
)
def test_bad_input(kms: Any, ireland: Any, primary: str, members: dict[str, Any], code: str) -> None:
    """What is no Region, policy, tag or description is refused, and no replica is made."""
    assert refusal(kms.replicate_key, KeyId=primary, **members)[0] == code
    assert refusal(ireland.describe_key, KeyId=primary)[0] == "NotFoundException"


def test_unknown_keys(kms: Any) -> None:
    """A key that does not exist, and one of another Region, cannot be replicated; aliases are not taken."""
    missing = str(uuid.uuid4())
    asked: list[tuple[Callable[..., Any], str]] = [
        (kms.replicate_key, "ReplicaRegion"), (kms.update_primary_region, "PrimaryRegion"),
    ]  # fmt: skip
    for call, region in asked:
        assert refusal(call, KeyId=missing, **{region: IRELAND})[1] == f"Key '{arn_of(missing)}' does not exist"
        elsewhere = arn_of(missing, region=SYDNEY)
        assert refusal(call, KeyId=elsewhere, **{region: IRELAND}) == ("NotFoundException", f"Invalid arn {SYDNEY}")
        assert refusal(call, KeyId="alias/x", **{region: IRELAND})[0] == "InvalidArnException"
        assert refusal(call, KeyId="arn:aws:s3:::b", **{region: IRELAND})[0] == "InvalidArnException"


def test_replication_needs_two_rights(place: Place, kms: Any, primary: str) -> None:
    """ReplicateKey needs its right on the primary key, and CreateKey and TagResource in the replica's Region."""
    tags = [{"TagKey": "a", "TagValue": "1"}]
    asked = {"KeyId": primary, "ReplicaRegion": IRELAND, "Tags": tags}
    user = place.add_user(allow("kms:CreateKey"))
    client = place.kms(user)
    assert "kms:ReplicateKey" in refusal(client.replicate_key, **asked)[1]
    place.set_policy(user, allow("kms:ReplicateKey"))
    assert "kms:CreateKey" in refusal(client.replicate_key, **asked)[1]
    place.set_policy(user, allow("kms:ReplicateKey", "kms:CreateKey"))
    assert "kms:TagResource" in refusal(client.replicate_key, **asked)[1]
    place.set_policy(user, allow("kms:ReplicateKey", "kms:CreateKey", "kms:TagResource"))
    client.replicate_key(**asked)


def with_condition(action: str, operator: str, name: str, value: str, *others: str) -> dict[str, Any]:
    """Return a policy that allows an action under one condition, and others without."""
    document = allow(action)
    document["Statement"][0]["Condition"] = {operator: {name: value}}
    document["Statement"] += [{"Effect": "Allow", "Action": other, "Resource": "*"} for other in others]
    return document


@pytest.mark.parametrize(
    ("action", "operator", "name", "value"),
    [
        ("kms:ReplicateKey", "StringEquals", "kms:ReplicaRegion", IRELAND),
        ("kms:ReplicateKey", "StringEquals", "kms:MultiRegionKeyType", "PRIMARY"),
        ("kms:ReplicateKey", "Bool", "kms:MultiRegion", "true"),
        ("kms:CreateKey", "StringEquals", "kms:MultiRegionKeyType", "REPLICA"),
        ("kms:CreateKey", "StringEquals", "aws:RequestedRegion", IRELAND),
        ("kms:CreateKey", "StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT"),
    ],
)
def test_conditions(place: Place, primary: str, action: str, operator: str, name: str, value: str) -> None:
    """A policy may ask for the replica's Region and what kind of key is made where."""
    other = next(each for each in ("kms:ReplicateKey", "kms:CreateKey") if each != action)
    user = place.add_user(with_condition(action, operator, name, value, other))
    place.kms(user).replicate_key(KeyId=primary, ReplicaRegion=IRELAND)
    wrong = "false" if value == "true" else "other"
    place.set_policy(user, with_condition(action, operator, name, wrong, other))
    assert action in refusal(place.kms(user).replicate_key, KeyId=primary, ReplicaRegion=SYDNEY)[1]


def test_primary_key_as_a_condition_of_its_creation(place: Place) -> None:
    """kms:MultiRegionKeyType is PRIMARY when a multi-Region key is created, and not there for others."""
    user = place.add_user(with_condition("kms:CreateKey", "StringEquals", "kms:MultiRegionKeyType", "PRIMARY"))
    client = place.kms(user)
    client.create_key(MultiRegion=True)
    assert refusal(client.create_key)[0] == "AccessDeniedException"


def test_replica_region_lets_nobody_out(place: Place, kms: Any, primary: str) -> None:
    """The lockout check asks about the replica's policy, unless the caller insists."""
    nobody = json.dumps({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"{ROOT[:-4]}user/nobody"}, "Action": "kms:*", "Resource": "*"}
        ],
    })  # fmt: skip
    asked = {"KeyId": primary, "ReplicaRegion": IRELAND, "Policy": nobody}
    assert refusal(kms.replicate_key, **asked)[0] == "MalformedPolicyDocumentException"
    kms.replicate_key(**asked, BypassPolicyLockoutSafetyCheck=True)
    assert refusal(place.kms(region=IRELAND).describe_key, KeyId=primary)[0] == "AccessDeniedException"


def test_primary_region_moves(kms: Any, ireland: Any, pair: str) -> None:
    """UpdatePrimaryRegion makes the replica the primary key: that one can be replicated now, the other not any more."""
    blob = kms.encrypt(KeyId=pair, Plaintext=b"x")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=pair)
    assert "KeyId" not in kms.update_primary_region(KeyId=arn_of(pair), PrimaryRegion=IRELAND)
    assert related(kms, pair) == ("REPLICA", IRELAND, [REGION])
    assert related(ireland, pair) == ("PRIMARY", IRELAND, [REGION])
    assert {described(client, pair)["KeyState"] for client in (kms, ireland)} == {"Enabled"}
    assert refusal(kms.replicate_key, KeyId=pair, ReplicaRegion=SYDNEY)[0] == "UnsupportedOperationException"
    ireland.replicate_key(KeyId=pair, ReplicaRegion=SYDNEY)
    assert refusal(kms.disable_key_rotation, KeyId=pair)[0] == "UnsupportedOperationException"
    ireland.disable_key_rotation(KeyId=pair)
    assert kms.get_key_rotation_status(KeyId=pair)["KeyRotationEnabled"] is False
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    ireland.update_primary_region(KeyId=pair, PrimaryRegion=REGION)
    assert related(kms, pair) == ("PRIMARY", REGION, [SYDNEY, IRELAND])


def test_primary_region_that_cannot_be(kms: Any, ireland: Any, pair: str, new_key: NewKey) -> None:
    """The new primary Region has a replica, the old one has the primary key, and both are enabled."""
    assert refusal(kms.update_primary_region, KeyId=pair, PrimaryRegion=SYDNEY) == (
        "NotFoundException", f"Key '{arn_of(pair, region=SYDNEY)}' does not exist",
    )  # fmt: skip
    assert refusal(kms.update_primary_region, KeyId=pair, PrimaryRegion=REGION)[0] == "UnsupportedOperationException"
    for client, key, region in ((ireland, pair, IRELAND), (kms, new_key(), REGION)):
        assert refusal(client.update_primary_region, KeyId=key, PrimaryRegion=REGION) == (
            "UnsupportedOperationException", f"{arn_of(key, region=region)} is not a multi-region primary key.",
        )  # fmt: skip
    ireland.disable_key(KeyId=pair)
    assert refusal(kms.update_primary_region, KeyId=pair, PrimaryRegion=IRELAND) == (
        "DisabledException", f"{arn_of(pair, region=IRELAND)} is disabled.",
    )  # fmt: skip
    assert refusal(kms.update_primary_region, KeyId=pair, PrimaryRegion="x")[0] == "ValidationException"


def test_primary_region_needs_its_right_twice(place: Place, kms: Any, pair: str) -> None:
    """UpdatePrimaryRegion is a right on both keys, each in its Region, and kms:PrimaryRegion is a condition of it."""
    asked = {"KeyId": pair, "PrimaryRegion": IRELAND}
    user = place.add_user(allow("kms:UpdatePrimaryRegion", resource=[arn_of(pair)]))
    client = place.kms(user)
    assert arn_of(pair, region=IRELAND) in refusal(client.update_primary_region, **asked)[1]
    place.set_policy(user, allow("kms:UpdatePrimaryRegion", resource=[arn_of(pair, region=IRELAND)]))
    assert arn_of(pair) in refusal(client.update_primary_region, **asked)[1]
    place.set_policy(user, with_condition("kms:UpdatePrimaryRegion", "StringEquals", "kms:PrimaryRegion", SYDNEY))
    assert refusal(client.update_primary_region, **asked)[0] == "AccessDeniedException"
    place.set_policy(user, with_condition("kms:UpdatePrimaryRegion", "StringEquals", "kms:PrimaryRegion", IRELAND))
    client.update_primary_region(**asked)


RACES = {
    "disabled": ("UPDATE keys SET state = 'Disabled' WHERE key_id = ?", "DisabledException"),
    "ends": ("UPDATE keys SET state = 'PendingDeletion' WHERE key_id = ?", "KMSInvalidStateException"),
    "no primary": ("UPDATE keys SET primary_region = 'sa-east-1' WHERE key_id = ?", "UnsupportedOperationException"),
    "gone": ("DELETE FROM keys WHERE key_id = ?", "NotFoundException"),
}


@pytest.mark.parametrize("name", RACES)
def test_what_another_worker_changes_meanwhile(kms: Any, pair: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction looks at the keys once more, and what has changed since is told as AWS tells it."""
    statement, code = RACES[name]

    def late(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(conn: Connection, *given: Any) -> Any:
            conn.exec_driver_sql(statement, (pair,))
            return change(conn, *given)

        return changed

    monkeypatch.setattr(replicas, "insert_replica", late(replicas.insert_replica))
    monkeypatch.setattr(replicas, "change_primary", late(replicas.change_primary))
    assert refusal(kms.replicate_key, KeyId=pair, ReplicaRegion=SYDNEY)[0] == code
    assert refusal(kms.update_primary_region, KeyId=pair, PrimaryRegion=IRELAND)[0] == code
    assert related(kms, pair) == ("PRIMARY", REGION, [IRELAND])  # a refused change leaves nothing behind


def test_regions_of_aws() -> None:
    """The Regions are botocore's of the partition aws, without endpoints that are none."""
    assert {REGION, IRELAND, SYDNEY} < kms_regions()
    assert all(name.count("-") >= 2 and not name.endswith("fips") for name in kms_regions())
    assert not {name for name in kms_regions() if name.startswith(("cn-", "us-gov"))}


def test_record_of_a_replication(place: Place, kms: Any, primary: str) -> None:
    """The audit record names both keys and both decisions, each with its Region's resource."""
    answer = kms.replicate_key(KeyId=primary, ReplicaRegion=IRELAND)
    records = place.record(answer["ResponseMetadata"]["RequestId"])
    facts = records[-1].draft["facts"]
    assert (facts["kmsKey"], facts["replicaKey"]) == (arn_of(primary), arn_of(primary, region=IRELAND))
    actions = [decision["action"] for decision in records[-1].draft["decisions"]]
    assert actions == ["kms:ReplicateKey", "kms:CreateKey"]
    assert records[0].draft["about"] == "change"
