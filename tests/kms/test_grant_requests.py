"""CreateGrant over HTTP with boto3: which requests are refused, and with which error."""

import uuid
from typing import Any

import pytest

from fuin.store.store import Store
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.granting import give, somebody
from tests.support.place import ACCOUNT, REGION, Place
from tests.support.policies import allow

DENIED = "AccessDeniedException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SOURCE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:one"
IT = {"Department": "IT"}
BOTH_MAPS = {"EncryptionContextEquals": {"a": "b"}, "EncryptionContextSubset": {"a": "b"}}
MANY = {str(number): "" for number in range(9)}


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"GranteePrincipal": None}, "ValidationException", "either GranteePrincipal or GranteeServicePrincipal"),
        ({"GranteeServicePrincipal": "rds.amazonaws.com"}, "ValidationException", "but not both"),
        (
            {"RetiringPrincipal": ROOT, "RetiringServicePrincipal": "rds.amazonaws.com"},
            "ValidationException",
            "either RetiringPrincipal or RetiringServicePrincipal",
        ),
        ({"Operations": []}, "ValidationException", "at least one operation"),
        ({"Operations": None}, "ValidationException", "Value null at 'operations'"),
        (
            {"Operations": ["CreateGrant"]},
            "ValidationException",
            "Grants must not contain only the CreateGrant operation.",
        ),
        ({"Operations": ["ScheduleKeyDeletion"]}, "ValidationException", "Member must satisfy enum value set"),
        ({"Operations": ["Sign"]}, "ValidationException", "Operation Sign is not valid in a grant for a key"),
        ({"Constraints": BOTH_MAPS}, "ValidationException", "More than one constraint supplied"),
        ({"Constraints": {"EncryptionContextEquals": MANY}}, "LimitExceededException", "at most 8"),
        ({"Constraints": {"EncryptionContextSubset": {"a": "x" * 385}}}, "LimitExceededException", "at most 384"),
        ({"Constraints": {"EncryptionContextSubset": {"a" * 8193: "x"}}}, "LimitExceededException", "at most 8192"),
        (
            {"Constraints": {"SourceArn": "arn:aws:s3:::bucket-of-mine"}},
            "ValidationException",
            "'constraints.sourceArn'",
        ),
        ({"GranteePrincipal": "ann"}, "InvalidArnException", "Invalid arn ann"),
        ({"GranteePrincipal": "rds.amazonaws.com"}, "InvalidArnException", "Invalid arn"),
        ({"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:group/all"}, "InvalidArnException", "Invalid arn"),
        ({"GranteePrincipal": ACCOUNT}, "InvalidArnException", "Invalid arn"),
        ({"RetiringPrincipal": "arn:aws:iam::1:root"}, "InvalidArnException", "Invalid arn"),
        ({"GranteePrincipal": "*"}, "ValidationException", "'granteePrincipal'"),
        ({"GranteePrincipal": "a" * 257}, "ValidationException", "less than or equal to 256"),
        ({"Name": "a b"}, "ValidationException", "'name'"),
        ({"Name": "n" * 257}, "ValidationException", "less than or equal to 256"),
        ({"GrantTokens": ["x"] * 11}, "ValidationException", "less than or equal to 10"),
        ({"GrantTokens": ["x"]}, "InvalidGrantTokenException", "not valid"),
        ({"KeyId": "alias/none"}, "InvalidArnException", "Key Aliases are not supported for this operation."),
        ({"KeyId": str(uuid.uuid4())}, "NotFoundException", "does not exist"),
    ],
)
def test_grants_that_are_none(kms: Any, new_key: NewKey, change: dict[str, Any], code: str, text: str) -> None:
    """What may not stand in a grant is refused, each with its own error."""
    ask = {"KeyId": new_key(), "GranteePrincipal": ROOT, "Operations": ["Decrypt"], **change}
    given = {name: value for name, value in ask.items() if value is not None}
    found = refusal(kms.create_grant, **given)
    assert found[0] == code
    assert text in found[1]


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:role/path/to/pathed",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/role/session",
        f"arn:aws:sts::{ACCOUNT}:federated-user/ann",
    ],
)
def test_principals_by_name(granting_roles: Any, new_key: NewKey, principal: str) -> None:
    """Roles and sessions are accepted as names."""
    key_id = new_key()
    give(granting_roles, key_id, principal, RetiringPrincipal=principal)
    (entry,) = granting_roles.list_grants(KeyId=key_id)["Grants"]
    assert entry["GranteePrincipal"] == entry["RetiringPrincipal"] == principal


@pytest.fixture(scope="module")
def granting_roles(place: Place) -> Any:
    """Give the root's client; there are roles to grant to."""
    place.add_role("role")
    place.add_role("pathed", "/path/to/")
    return place.kms()


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:user/not-there",
        f"arn:aws:iam::{ACCOUNT}:user/path/ann",
        f"arn:aws:iam::{ACCOUNT}:role/ann",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/not-there/session",
        "arn:aws:iam::999999999999:root",
    ],
)
def test_principals_that_do_not_exist(kms: Any, new_key: NewKey, principal: str) -> None:
    """A grant to or for nobody is refused: somebody could come to have the name later."""
    for ask in ({"GranteePrincipal": principal}, {"GranteePrincipal": ROOT, "RetiringPrincipal": principal}):
        found = refusal(kms.create_grant, KeyId=new_key(), Operations=["Decrypt"], **ask)
        assert found == ("InvalidArnException", f"ARN does not refer to a valid principal: {principal}")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, ["Encrypt", "GetPublicKey"], "GenerateDataKey"),
        ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, ["Sign", "Verify"], "Encrypt"),
        ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}, ["DeriveSharedSecret"], "Sign"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, ["GenerateMac", "VerifyMac"], "GetPublicKey"),
        ({"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}, ["Decapsulate"], "Decrypt"),
        ({}, ["GenerateDataKeyPair"], "GetPublicKey"),
    ],
)
def test_operations_by_the_kind_of_key(
    kms: Any, new_key: NewKey, kind: dict[str, str], good: list[str], bad: str
) -> None:
    """A grant lists operations that its key supports; only symmetric encryption has a context to constrain."""
    key_id = new_key(**kind)
    give(kms, key_id, ROOT, *good, "CreateGrant", "RetireGrant", "DescribeKey")
    ask = {"KeyId": key_id, "GranteePrincipal": ROOT}
    code, message = refusal(kms.create_grant, **ask, Operations=[*good, bad])
    assert code == "ValidationException"
    assert f"Operation {bad} is not valid" in message
    if kind:
        constraints = {"EncryptionContextSubset": IT}
        code, message = refusal(kms.create_grant, **ask, Operations=good, Constraints=constraints)
        assert code == "ValidationException"
        assert "only on symmetric encryption" in message
        give(kms, key_id, ROOT, *good, Constraints={"SourceArn": SOURCE, "EncryptionContextSubset": {}})


def test_empty_maps_of_constraints(place: Place, kms: Any, new_key: NewKey) -> None:
    """Clients that always send both maps mean the one with pairs; Equals alone and empty is the empty context."""
    key_id, ann, bob = new_key(), somebody(place), somebody(place)
    empty: dict[str, str] = {}
    both = {"EncryptionContextEquals": empty, "EncryptionContextSubset": IT}
    give(kms, key_id, ann.arn, "Encrypt", Constraints=both)
    give(kms, key_id, bob.arn, "Encrypt", Constraints={"EncryptionContextEquals": empty})
    ann.kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={**IT, "a": "b"})
    bob.kms.encrypt(KeyId=key_id, Plaintext=b"x")
    assert refusal(bob.kms.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext=IT)[0] == DENIED
    shown = [entry.get("Constraints") for entry in kms.list_grants(KeyId=key_id)["Grants"]]
    assert {"EncryptionContextSubset": IT} in shown
    assert {"EncryptionContextEquals": {}} in shown


def test_create_grant_needs_its_right(place: Place, new_key: NewKey) -> None:
    """CreateGrant is a right on the key; DryRun tries it and creates nothing."""
    key_id = new_key()
    ask = {"KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Decrypt"], "DryRun": True}
    assert refusal(place.kms(place.add_user(allow("kms:Encrypt"))).create_grant, **ask)[0] == DENIED
    may = place.kms(place.add_user(allow("kms:CreateGrant", "kms:ListGrants")))
    assert refusal(may.create_grant, **ask)[0] == "DryRunOperationException"
    assert may.list_grants(KeyId=key_id)["Grants"] == []


def test_key_that_ends_meanwhile(place: Place, kms: Any, new_key: NewKey) -> None:
    """The key's state is looked at again when the grant is written: another worker may have changed it."""
    key_id, commit = new_key(), place.services.store.commit
    ask = {"KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Decrypt"]}

    def meanwhile(statement: str) -> Any:
        async def changed(fn: Any, *how: Any) -> Any:
            def both(conn: Any) -> Any:
                conn.exec_driver_sql(statement, (key_id,))
                return fn(conn)

            return await commit(both, *how)

        return changed

    store: Store = place.services.store
    try:
        store.commit = meanwhile("UPDATE keys SET state = 'PendingDeletion' WHERE key_id = ?")  # type: ignore[method-assign]
        assert refusal(kms.create_grant, **ask) == (
            "KMSInvalidStateException",
            f"{arn_of(key_id)} is pending deletion.",
        )
        store.commit = meanwhile("DELETE FROM keys WHERE key_id = ?")  # type: ignore[method-assign]
        assert refusal(kms.create_grant, **ask)[0] == "NotFoundException"
    finally:
        store.commit = commit  # type: ignore[method-assign]


def test_key_of_a_store_that_is_away(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key whose custom key store is not connected is Unavailable, which grants may be made for, disabled or not."""
    key_id = new_key()
    for state in ("Enabled", "Disabled"):
        place.sql(
            "UPDATE keys SET state = :state, origin = 'EXTERNAL_KEY_STORE', custom_key_store = 'cks-none' "
            "WHERE key_id = :id",
            state=state, id=key_id,
        )  # fmt: skip
        give(kms, key_id, ROOT)
