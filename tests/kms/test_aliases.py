"""Aliases over HTTP, with boto3."""

import datetime
import uuid
from typing import Any

import pytest

from fuin.kms.keys.managed_services import ALIASES, MANAGED
from tests.kms.asking import NewKey, arn_of, refusal
from tests.support.place import ACCOUNT, REGION, Place
from tests.support.policies import allow

NOT_A_PREFIX = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)


def alias_arn(name: str) -> str:
    """Return an alias's ARN."""
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}"


def fresh() -> str:
    """Return an alias name that no other test uses."""
    return f"alias/test/{uuid.uuid4()}"


def test_alias_names_a_key(kms: Any, new_key: NewKey) -> None:
    """An alias stands for its key, by name and by ARN, where AWS takes aliases."""
    key_id, name = new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    for given in (name, alias_arn(name)):
        assert kms.describe_key(KeyId=given)["KeyMetadata"]["KeyId"] == key_id
        blob = kms.encrypt(KeyId=given, Plaintext=b"x")
        assert blob["KeyId"] == arn_of(key_id)


@pytest.mark.parametrize(
    "operation",
    [
        "enable_key", "disable_key", "schedule_key_deletion", "cancel_key_deletion", "get_key_policy",
        "list_key_policies", "list_resource_tags", "get_key_rotation_status", "list_aliases",
    ],
)  # fmt: skip
def test_no_alias_where_a_key_is_asked_for(kms: Any, new_key: NewKey, operation: str) -> None:
    """All but DescribeKey and the uses of a key refuse names, whether they exist or not."""
    name = fresh()
    kms.create_alias(AliasName=name, TargetKeyId=new_key())
    for given in (name, alias_arn(name), "alias/none"):
        assert refusal(getattr(kms, operation), KeyId=given) == (
            "InvalidArnException",
            "Key Aliases are not supported for this operation.",
        )


def test_empty_alias(kms: Any, new_key: NewKey) -> None:
    """The empty name cannot be given, and so it is not there to be moved or to end."""
    members = {"AliasName": "alias/", "TargetKeyId": new_key()}
    assert refusal(kms.create_alias, **members)[0] == "InvalidAliasNameException"
    assert refusal(kms.update_alias, **members)[0] == "NotFoundException"
    assert refusal(kms.delete_alias, AliasName="alias/")[0] == "NotFoundException"


def test_listed_alias(kms: Any, new_key: NewKey) -> None:
    """ListAliases shows name, ARN, key and dates."""
    key_id, name = new_key(), fresh()
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    kms.create_alias(AliasName=name, TargetKeyId=arn_of(key_id))
    (entry,) = kms.list_aliases(KeyId=key_id)["Aliases"]
    created, updated = entry.pop("CreationDate"), entry.pop("LastUpdatedDate")
    assert before < created == updated
    assert entry == {"AliasName": name, "AliasArn": alias_arn(name), "TargetKeyId": key_id}


def test_alias_moves(kms: Any, new_key: NewKey) -> None:
    """UpdateAlias points the name at another key, at once, and notes when."""
    old, new, name = new_key(), new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=old)
    kms.update_alias(AliasName=name, TargetKeyId=new)
    assert kms.encrypt(KeyId=name, Plaintext=b"x")["KeyId"] == arn_of(new)
    (entry,) = kms.list_aliases(KeyId=new)["Aliases"]
    assert entry["LastUpdatedDate"] > entry["CreationDate"]
    assert kms.list_aliases(KeyId=old)["Aliases"] == []


RSA, EC = {"KeySpec": "RSA_2048"}, {"KeySpec": "ECC_NIST_P256"}
SIGN, HMAC = {"KeyUsage": "SIGN_VERIFY"}, {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ({}, HMAC, False),
        ({}, {**RSA, "KeyUsage": "ENCRYPT_DECRYPT"}, False),
        ({**EC, **SIGN}, {**EC, "KeyUsage": "KEY_AGREEMENT"}, False),
        ({**RSA, **SIGN}, {**EC, **SIGN}, True),
        ({}, {"MultiRegion": True}, True),
    ],
)
def test_alias_stays_with_its_type(
    kms: Any, new_key: NewKey, old: dict[str, Any], new: dict[str, Any], fits: bool
) -> None:
    """UpdateAlias keeps the usage, and whether the key is symmetric; the spec may be another."""
    first, second, name = new_key(**old), new_key(**new), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=first)
    if fits:
        kms.update_alias(AliasName=name, TargetKeyId=second)
    else:
        assert refusal(kms.update_alias, AliasName=name, TargetKeyId=second)[0] == "ValidationException"
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == (second if fits else first)


def test_alias_ends(kms: Any, new_key: NewKey) -> None:
    """DeleteAlias takes the name away, and it may be given again."""
    key_id, name = new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    kms.delete_alias(AliasName=name)
    missing = ("NotFoundException", f"Alias {alias_arn(name)} is not found.")
    assert refusal(kms.describe_key, KeyId=name) == missing
    assert refusal(kms.describe_key, KeyId=alias_arn(name)) == missing
    assert refusal(kms.delete_alias, AliasName=name) == missing
    assert refusal(kms.update_alias, AliasName=name, TargetKeyId=key_id) == missing
    kms.create_alias(AliasName=name, TargetKeyId=key_id)


def test_alias_that_exists(kms: Any, new_key: NewKey) -> None:
    """A name cannot be given twice, not even to the same key."""
    key_id, name = new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    for target in (key_id, new_key()):
        assert refusal(kms.create_alias, AliasName=name, TargetKeyId=target) == (
            "AlreadyExistsException",
            f"An alias with the name {alias_arn(name)} already exists",
        )


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("plain", "ValidationException", NOT_A_PREFIX),
        ("Alias/x", "ValidationException", NOT_A_PREFIX),
        ("alias/a:b", "ValidationException", "alias/a:b contains invalid characters for an alias"),
        ("alias/aws/s3", "NotAuthorizedException", ""),
        ("alias/aws/own", "NotAuthorizedException", ""),
    ],
)
def test_names_that_are_none(kms: Any, new_key: NewKey, name: str, code: str, message: str) -> None:
    """Names without prefix, empty, with colons or AWS's own are refused by all three operations."""
    key_id = new_key()
    assert refusal(kms.create_alias, AliasName=name, TargetKeyId=key_id) == (code, message)
    assert refusal(kms.update_alias, AliasName=name, TargetKeyId=key_id) == (code, message)
    assert refusal(kms.delete_alias, AliasName=name) == (code, message)


def test_targets_that_are_none(place: Place, kms: Any, new_key: NewKey) -> None:
    """An alias names a key of this account and region, never another alias."""
    key_id, name = new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    for target in (name, alias_arn(name)):
        assert refusal(kms.create_alias, AliasName=fresh(), TargetKeyId=target) == (
            "ValidationException",
            "Aliases must refer to keys. Not aliases",
        )
    missing = str(uuid.uuid4())
    for call, alias in ((kms.create_alias, fresh()), (kms.update_alias, name)):
        assert refusal(call, AliasName=alias, TargetKeyId=missing) == (
            "NotFoundException",
            f"Key '{arn_of(missing)}' does not exist",
        )
    other = place.kms(place.other_root)
    assert refusal(other.create_alias, AliasName=fresh(), TargetKeyId=arn_of(key_id))[0] == "AccessDeniedException"


def test_accounts_have_their_own_names(place: Place, kms: Any, new_key: NewKey) -> None:
    """The same name in two accounts and two regions is three aliases."""
    name = fresh()
    kms.create_alias(AliasName=name, TargetKeyId=new_key())
    for client in (place.kms(place.other_root), place.kms(region="eu-west-1")):
        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        assert refusal(client.describe_key, KeyId=name)[0] == "NotFoundException"
        client.create_alias(AliasName=name, TargetKeyId=key_id)
        assert client.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key_id


def test_aliases_have_a_quota(kms: Any, new_key: NewKey) -> None:
    """A key has at most 50 aliases, whether they are made or moved."""
    key_id, other = new_key(), new_key()
    stem = fresh()
    for number in range(50):
        kms.create_alias(AliasName=f"{stem}/{number}", TargetKeyId=key_id)
    assert refusal(kms.create_alias, AliasName=f"{stem}/50", TargetKeyId=key_id)[0] == "LimitExceededException"
    assert refusal(kms.describe_key, KeyId=f"{stem}/50")[0] == "NotFoundException"
    kms.create_alias(AliasName=f"{stem}/50", TargetKeyId=other)
    assert refusal(kms.update_alias, AliasName=f"{stem}/50", TargetKeyId=key_id)[0] == "LimitExceededException"
    assert kms.describe_key(KeyId=f"{stem}/50")["KeyMetadata"]["KeyId"] == other
    kms.update_alias(AliasName=f"{stem}/0", TargetKeyId=key_id)


def test_list_aliases_in_pages(place: Place) -> None:
    """All pages together hold every alias once, by name; a page has at most 100."""
    region = "sa-east-1"
    client = place.kms(region=region)
    keys = [client.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)]
    names = [f"alias/page-{number:03}" for number in range(102)]
    for number, name in enumerate(names):
        place.sql(
            "INSERT INTO aliases VALUES (:account, :region, :name, :key, 1.0, 1.0)",
            account=ACCOUNT,
            region=region,
            name=name,
            key=keys[number % 3],
        )
    seen: list[str] = []
    page = client.list_aliases(Limit=1000)
    assert len(page["Aliases"]) == 100
    while page["Truncated"]:
        seen += [alias["AliasName"] for alias in page["Aliases"]]
        page = client.list_aliases(Limit=30, Marker=page["NextMarker"])
    seen += [alias["AliasName"] for alias in page["Aliases"]]
    assert seen == sorted([*names, *(ALIASES + service for service in MANAGED)])
    assert "NextMarker" not in page
    assert len(client.list_aliases()["Aliases"]) == 50
    assert refusal(client.list_aliases, Marker="x")[0] == "InvalidMarkerException"


def test_list_aliases_of_other_keys(place: Place, kms: Any, new_key: NewKey) -> None:
    """The aliases of a key that does not exist here, or is another account's, cannot be listed."""
    missing = str(uuid.uuid4())
    assert refusal(kms.list_aliases, KeyId=missing) == ("NotFoundException", f"Key '{arn_of(missing)}' does not exist")
    other = place.kms(place.other_root)
    assert refusal(other.list_aliases, KeyId=arn_of(new_key()))[0] == "NotFoundException"


def test_alias_needs_two_rights(place: Place, kms: Any, new_key: NewKey) -> None:
    """Each operation needs its right on the alias and on the key; UpdateAlias on both keys."""
    old, new, name = new_key(), new_key(), fresh()
    user = place.add_user(allow("kms:CreateAlias", resource=[alias_arn(name)]))
    client = place.kms(user)
    assert arn_of(old) in refusal(client.create_alias, AliasName=name, TargetKeyId=old)[1]
    place.set_policy(user, allow("kms:CreateAlias", resource=[arn_of(old)]))
    assert alias_arn(name) in refusal(client.create_alias, AliasName=name, TargetKeyId=old)[1]
    place.set_policy(user, allow("kms:CreateAlias", resource=[alias_arn(name), arn_of(old)]))
    client.create_alias(AliasName=name, TargetKeyId=old)
    place.set_policy(user, allow("kms:UpdateAlias", resource=[alias_arn(name), arn_of(new)]))
    assert arn_of(old) in refusal(client.update_alias, AliasName=name, TargetKeyId=new)[1]
    place.set_policy(user, allow("kms:UpdateAlias", resource=[alias_arn(name), arn_of(old)]))
    assert arn_of(new) in refusal(client.update_alias, AliasName=name, TargetKeyId=new)[1]
    place.set_policy(user, allow("kms:UpdateAlias", resource=[alias_arn(name), arn_of(old), arn_of(new)]))
    client.update_alias(AliasName=name, TargetKeyId=new)
    place.set_policy(user, allow("kms:DeleteAlias", resource=[alias_arn(name)]))
    assert arn_of(new) in refusal(client.delete_alias, AliasName=name)[1]
    place.set_policy(user, allow("kms:DeleteAlias", resource=[alias_arn(name), arn_of(new)]))
    client.delete_alias(AliasName=name)
    kms.create_alias(AliasName=name, TargetKeyId=new)


def test_alias_as_a_condition(place: Place, kms: Any, new_key: NewKey) -> None:
    """A policy may allow the use of a key by one alias only (kms:RequestAlias)."""
    key_id, name = new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    statement = allow("kms:Encrypt")
    statement["Statement"][0]["Condition"] = {"StringEquals": {"kms:RequestAlias": name}}
    client = place.kms(place.add_user(statement))
    client.encrypt(KeyId=name, Plaintext=b"x")
    assert refusal(client.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"


def test_alias_may_leave_a_key_that_ends(kms: Any, new_key: NewKey) -> None:
    """An alias of a key that is pending deletion can be pointed at another key."""
    old, new, name = new_key(), new_key(), fresh()
    kms.create_alias(AliasName=name, TargetKeyId=old)
    kms.schedule_key_deletion(KeyId=old)
    kms.update_alias(AliasName=name, TargetKeyId=new)
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == new
