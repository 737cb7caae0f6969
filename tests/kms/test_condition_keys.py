"""Each condition key of KMS in a real policy: a request that meets the condition is allowed, another is refused."""

import datetime
import json
import os
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from fuin.errors import AccessDenied
from fuin.kms import on_behalf
from tests.kms.asking import refusal
from tests.kms.importing import FOR_EVER, KEY_WRAP, OAEP, brought, soon
from tests.kms.operations import CONTEXT, ROOT, keep
from tests.kms.test_on_behalf import call_of
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place

DIGEST = os.urandom(32)
SERVICE, SOURCE = "rds.amazonaws.com", f"arn:aws:rds:us-east-1:{ACCOUNT}:db:orders"
FAR = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).replace(microsecond=0)
SOON, LATER = f"{time.time() + 7 * 86400:.0f}", FAR + datetime.timedelta(days=60)


class Scene(NamedTuple):
    """Keys of every kind that the cases need; `plain` has neither alias nor tag, `named` both, as the others."""

    root: Any
    plain: str
    named: str
    alias: str
    signer: str
    hmac: str
    agreement: str
    kem: str
    rsa: str
    waiting: str  # for its material
    single: str


@pytest.fixture(scope="module")
def scene(place: Place) -> Scene:
    """Give the keys."""
    kms = place.kms()
    named = keep(kms)
    kms.replicate_key(KeyId=named.id, ReplicaRegion="eu-west-1")

    def new(**kind: str) -> str:
        key_id: str = kms.create_key(**kind)["KeyMetadata"]["KeyId"]
        return key_id

    return Scene(
        kms, new(), named.id, named.alias,
        new(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"), new(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        new(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT"),
        new(KeySpec="ML_KEM_512", KeyUsage="ENCAPSULATE_DECAPSULATE"),
        new(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"), new(Origin="EXTERNAL"), new(),
    )  # fmt: skip


Ask = Callable[[Any, Scene], Any]  # what a user's client asks for


def _describe(which: str) -> Ask:
    return lambda kms, keys: kms.describe_key(KeyId=getattr(keys, which))


def _encrypt(**members: Any) -> Ask:
    return lambda kms, keys: kms.encrypt(KeyId=keys.plain, Plaintext=b"x", **members)


def _rsa(algorithm: str) -> Ask:
    return lambda kms, keys: kms.encrypt(KeyId=keys.rsa, Plaintext=b"x", EncryptionAlgorithm=algorithm)


def _sign(kind: str = "DIGEST") -> Ask:
    algorithm = "ECDSA_SHA_256"
    return lambda kms, keys: kms.sign(KeyId=keys.signer, Message=DIGEST, MessageType=kind, SigningAlgorithm=algorithm)


def _mac(kms: Any, keys: Scene) -> None:
    kms.generate_mac(KeyId=keys.hmac, Message=b"x", MacAlgorithm="HMAC_SHA_256")


def _pair(spec: str) -> Ask:
    return lambda kms, keys: kms.generate_data_key_pair_without_plaintext(KeyId=keys.plain, KeyPairSpec=spec)


def _agree(kms: Any, keys: Scene) -> None:
    public = keys.root.get_public_key(KeyId=keys.agreement)["PublicKey"]
    kms.derive_shared_secret(KeyId=keys.agreement, KeyAgreementAlgorithm="ECDH", PublicKey=public)


def _encapsulate(kms: Any, keys: Scene) -> None:
    kms.encapsulate(KeyId=keys.kem, EncapsulationAlgorithm="ML_KEM")


def _re_encrypt(target: str) -> Ask:
    def ask(kms: Any, keys: Scene) -> None:
        blob = keys.root.encrypt(KeyId=keys.plain, Plaintext=b"x")["CiphertextBlob"]
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=getattr(keys, target))

    return ask


def _parameters(algorithm: str, spec: str = "RSA_2048") -> Ask:
    return lambda kms, keys: kms.get_parameters_for_import(
        KeyId=keys.waiting, WrappingAlgorithm=algorithm, WrappingKeySpec=spec
    )


def _import(**members: Any) -> Ask:
    def ask(kms: Any, keys: Scene) -> None:
        key_id = keys.root.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        kms.import_key_material(**brought(keys.root, key_id, os.urandom(32)), **members)

    return ask


def _grant(*operations: str, **members: Any) -> Ask:
    given = {"Operations": list(operations or ("Encrypt",)), **members}
    if "GranteeServicePrincipal" not in given:
        given["GranteePrincipal"] = given.get("GranteePrincipal", ROOT)
    return lambda kms, keys: kms.create_grant(KeyId=keys.plain, **given)


def _constrained(kind: str) -> Ask:
    return _grant(Constraints={kind: CONTEXT})


def _service_grant(grantee: str = SERVICE, retiring: str = SERVICE, source: str = SOURCE) -> Ask:
    return _grant(
        GranteeServicePrincipal=grantee, RetiringServicePrincipal=retiring, Constraints={"SourceArn": source}
    )  # fmt: skip


def _policy(**members: Any) -> Ask:
    def ask(kms: Any, keys: Scene) -> None:
        document = keys.root.get_key_policy(KeyId=keys.single)["Policy"]
        kms.put_key_policy(KeyId=keys.single, Policy=document, **members)

    return ask


def _rotate(days: int) -> Ask:
    return lambda kms, keys: kms.enable_key_rotation(KeyId=keys.single, RotationPeriodInDays=days)


def _delete(**members: Any) -> Ask:
    def ask(kms: Any, keys: Scene) -> None:
        key_id = keys.root.create_key()["KeyMetadata"]["KeyId"]
        kms.schedule_key_deletion(KeyId=key_id, **members)

    return ask


def _disable(kms: Any, keys: Scene) -> None:
    kms.disable_key(KeyId=keys.root.create_key()["KeyMetadata"]["KeyId"])


def _replicate(region: str) -> Ask:
    return lambda kms, keys: kms.replicate_key(
        KeyId=keys.root.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"], ReplicaRegion=region
    )


def _promote(region: str) -> Ask:
    def ask(kms: Any, keys: Scene) -> None:
        key_id = keys.root.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        keys.root.replicate_key(KeyId=key_id, ReplicaRegion=region)
        kms.update_primary_region(KeyId=key_id, PrimaryRegion=region)

    return ask


def _tag(name: str, value: str = "x") -> Ask:
    return lambda kms, keys: kms.tag_resource(KeyId=keys.single, Tags=[{"TagKey": name, "TagValue": value}])


def _untag(*names: str) -> Ask:
    return lambda kms, keys: kms.untag_resource(KeyId=keys.single, TagKeys=list(names))


def _create(**members: Any) -> Ask:
    return lambda kms, keys: kms.create_key(**members)


ANY, ALL = "ForAnyValue:StringEquals", "ForAllValues:StringEquals"
STRING, LIKE, ARN, BOOL, NULL = "StringEquals", "StringLike", "ArnEquals", "Bool", "Null"

# operator, key, value; what it allows, what not
REQUESTS: tuple[tuple[str, str, Any, Ask, Ask], ...] = (
    (NULL, "kms:BypassPolicyLockoutSafetyCheck", "true", _policy(), _policy(BypassPolicyLockoutSafetyCheck=False)),
    (BOOL, "kms:BypassPolicyLockoutSafetyCheck", "true", _policy(BypassPolicyLockoutSafetyCheck=True), _policy()),
    (STRING, "kms:CustomerMasterKeySpec", "SYMMETRIC_DEFAULT", _describe("plain"), _describe("hmac")),
    (STRING, "kms:CustomerMasterKeyUsage", "SIGN_VERIFY", _describe("signer"), _describe("agreement")),
    (LIKE, "kms:DataKeyPairSpec", "ECC_*", _pair("ECC_NIST_P256"), _pair("RSA_2048")),
    (STRING, "kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256", _rsa("RSAES_OAEP_SHA_256"), _rsa("RSAES_OAEP_SHA_1")),
    (STRING, "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT", _encrypt(), _rsa("RSAES_OAEP_SHA_1")),
    (STRING, "kms:EncryptionContext:PURPOSE", "test", _encrypt(EncryptionContext=CONTEXT),
     _encrypt(EncryptionContext={"Purpose": "other"})),
    (ALL, "kms:EncryptionContextKeys", ["Purpose"], _encrypt(EncryptionContext=CONTEXT),
     _encrypt(EncryptionContext={**CONTEXT, "Stage": "x"})),
    (ANY, "kms:EncryptionContextKeys", ["Purpose"], _encrypt(EncryptionContext={**CONTEXT, "Stage": "x"}), _encrypt()),
    (NULL, "kms:EncryptionContextKeys", "false", _encrypt(EncryptionContext=CONTEXT), _encrypt()),
    (STRING, "kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE", _import(**FOR_EVER),
     _import(ExpirationModel="KEY_MATERIAL_EXPIRES", **soon())),
    (ARN, "kms:GrantConstraintSourceArn", SOURCE, _service_grant(), _service_grant(source=SOURCE + "s")),
    (STRING, "kms:GrantConstraintType", "EncryptionContextEquals", _constrained("EncryptionContextEquals"),
     _constrained("EncryptionContextSubset")),
    (STRING, "kms:EncryptionContext:Purpose", "test", _constrained("EncryptionContextSubset"), _grant()),
    (ANY, "kms:EncryptionContextKeys", ["Purpose"], _constrained("EncryptionContextSubset"), _grant()),
    (ALL, "kms:GrantOperations", ["Encrypt", "ReEncryptTo"], _grant("Encrypt"), _grant("Encrypt", "Decrypt")),
    (ANY, "kms:GrantOperations", ["Decrypt"], _grant("Encrypt", "Decrypt"), _grant("Encrypt")),
    (ARN, "kms:GranteePrincipal", ROOT, _grant(), _grant(GranteePrincipal=ROOT.replace(ACCOUNT, OTHER_ACCOUNT))),
    (STRING, "kms:GranteeServicePrincipal", SERVICE, _service_grant(), _service_grant("s3.amazonaws.com")),
    (STRING, "kms:KeyOrigin", "EXTERNAL", _describe("waiting"), _describe("plain")),
    (STRING, "kms:KeyOrigin", "AWS_KMS", _create(), _create(Origin="EXTERNAL")),
    (STRING, "kms:KeySpec", "SYMMETRIC_DEFAULT", _describe("plain"), _describe("hmac")),
    (STRING, "kms:KeySpec", "SYMMETRIC_DEFAULT", _create(),
     _create(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")),
    (STRING, "kms:KeyUsage", "GENERATE_VERIFY_MAC", _describe("hmac"), _describe("plain")),
    (STRING, "kms:MessageType", "DIGEST", _sign(), _sign("RAW")),
    (BOOL, "kms:MultiRegion", "true", _describe("named"), _describe("plain")),
    (BOOL, "kms:MultiRegion", "false", _create(), _create(MultiRegion=True)),
    (STRING, "kms:MultiRegionKeyType", "PRIMARY", _describe("named"), _describe("plain")),
    (STRING, "kms:PrimaryRegion", "eu-west-1", _promote("eu-west-1"), _promote("eu-west-2")),
    (BOOL, "kms:ReEncryptOnSameKey", "true", _re_encrypt("plain"), _re_encrypt("named")),
    (LIKE, "kms:ReplicaRegion", "eu-*", _replicate("eu-west-1"), _replicate("us-west-2")),
    (STRING, "kms:RetiringServicePrincipal", SERVICE, _service_grant(), _service_grant(retiring="s3.amazonaws.com")),
    (ARN, "kms:RetiringPrincipal", ROOT, _grant(RetiringPrincipal=ROOT), _grant()),
    ("NumericGreaterThan", "kms:RotationPeriodInDays", "180", _rotate(181), _rotate(180)),
    ("NumericEquals", "kms:RotationPeriodInDays", "365",
     lambda kms, keys: kms.enable_key_rotation(KeyId=keys.single), _rotate(364)),
    ("NumericGreaterThan", "kms:ScheduleKeyDeletionPendingWindowInDays", "21", _delete(),
     _delete(PendingWindowInDays=21)),
    ("NumericLessThanEquals", "kms:ValidTo", FAR.timestamp(), _import(ValidTo=FAR), _import(ValidTo=LATER)),
    ("DateLessThanEquals", "kms:ValidTo", FAR.isoformat(), _import(ValidTo=FAR), _import(ValidTo=LATER)),
    (STRING, "kms:WrappingAlgorithm", OAEP, _parameters(OAEP), _parameters(KEY_WRAP)),
    (STRING, "kms:WrappingKeySpec", "RSA_2048", _parameters(OAEP), _parameters(OAEP, "RSA_3072")),
    (STRING, "aws:RequestTag/Stage", "test", _tag("Stage", "test"), _tag("Stage", "live")),
    (ALL, "aws:TagKeys", ["Stage", "Project"], _tag("Stage"), _tag("Owner")),
    (ALL, "aws:TagKeys", ["Stage", "Project"], _untag("Stage", "Project"), _untag("Stage", "Owner")),
    (STRING, "aws:ResourceTag/Project", "Alpha", _describe("named"), _describe("plain")),
    (STRING, "aws:ResourceTag/Stage", "test", _create(Tags=[{"TagKey": "Stage", "TagValue": "test"}]), _create()),
)  # fmt: skip

# operator, key, a value that allows, one that does not; what is asked for
VALUES: tuple[tuple[str, str, Any, Any, Ask], ...] = (
    (STRING, "kms:CallerAccount", ACCOUNT, OTHER_ACCOUNT, _describe("plain")),
    (STRING, "kms:EncapsulationAlgorithm", "ML_KEM", "ML_KEM_2", _encapsulate),
    (BOOL, "kms:GrantIsForAWSResource", "false", "true", _grant()),
    (STRING, "kms:KeyAgreementAlgorithm", "ECDH", "X25519", _agree),
    (STRING, "kms:MacAlgorithm", "HMAC_SHA_256", "HMAC_SHA_512", _mac),
    (STRING, "kms:SigningAlgorithm", "ECDSA_SHA_256", "ECDSA_SHA_384", _sign()),
    ("NumericLessThan", "kms:TrailingDaysWithoutKeyUsage", "1", "0", _disable),
    ("NumericLessThanEquals", "kms:TrailingDaysWithoutKeyUsage", "0", "-1", _delete()),
    (NULL, "kms:RecipientAttestation:PCR0", "true", "false", _encrypt()),
)  # fmt: skip


def allowing(operator: str, key: str, value: Any, effect: str = "Allow") -> dict[str, Any]:
    """Return a policy with one condition on all of KMS."""
    condition = {operator: {key: value}}
    statement = {"Effect": effect, "Action": "kms:*", "Resource": "*", "Condition": condition}
    if effect == "Deny":
        also = [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]
    elif key == "kms:ReplicaRegion":  # ReplicateKey needs the right to create the replica, too
        also = [{"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}]
    else:
        also = []
    return {"Version": "2012-10-17", "Statement": [statement, *also]}


@pytest.mark.parametrize(
    ("operator", "key", "value", "meets", "fails"),
    REQUESTS,
    ids=[f"{number}-{row[0]}-{row[1]}" for number, row in enumerate(REQUESTS)],  # no value: some are times
)
def test_requests(place: Place, scene: Scene, operator: str, key: str, value: Any, meets: Ask, fails: Ask) -> None:
    """A request that meets the condition is allowed, one that does not is refused; a Deny turns it around."""
    kms = place.kms(place.add_user(allowing(operator, key, value)))
    meets(kms, scene)
    assert refusal(fails, kms=kms, keys=scene)[0] == "AccessDeniedException"
    denied = place.kms(place.add_user(allowing(operator, key, value, "Deny")))
    assert refusal(meets, kms=denied, keys=scene)[0] == "AccessDeniedException"


@pytest.mark.parametrize(("operator", "key", "value", "other", "ask"), VALUES)
def test_values(place: Place, scene: Scene, operator: str, key: str, value: Any, other: Any, ask: Ask) -> None:
    """What a request brings meets a condition on that value, and none on another."""
    ask(place.kms(place.add_user(allowing(operator, key, value))), scene)
    kms = place.kms(place.add_user(allowing(operator, key, other)))
    assert refusal(ask, kms=kms, keys=scene)[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [(LIKE, "kms:RequestAlias", "alias/*"), (ANY, "kms:ResourceAliases", None)],
)
def test_aliases(place: Place, scene: Scene, operator: str, key: str, value: str | None) -> None:
    """kms:RequestAlias wants the key to be named by it, kms:ResourceAliases only that the key has it, from now on."""
    kms = place.kms(place.add_user(allowing(operator, key, value or scene.alias)))
    kms.describe_key(KeyId=scene.alias)
    if key == "kms:RequestAlias":
        assert refusal(kms.describe_key, KeyId=scene.named)[0] == "AccessDeniedException"
        assert refusal(kms.delete_alias, AliasName=scene.alias)[0] == "AccessDeniedException"
        return
    kms.describe_key(KeyId=scene.named)
    assert refusal(kms.describe_key, KeyId=scene.plain)[0] == "AccessDeniedException"
    second = f"alias/{secrets.token_hex(6)}"
    scene.root.create_alias(AliasName=second, TargetKeyId=scene.plain)
    also = place.kms(place.add_user(allowing(ANY, key, second)))
    also.describe_key(KeyId=scene.plain)
    scene.root.delete_alias(AliasName=second)
    assert refusal(also.describe_key, KeyId=scene.plain)[0] == "AccessDeniedException"


def test_all_aliases(place: Place, scene: Scene, kms: Any) -> None:
    """ForAllValues wants every alias of the key to fit, and lets a key without aliases in, as AWS warns."""
    user = place.kms(place.add_user(allowing("ForAllValues:StringLike", "kms:ResourceAliases", "alias/fit-*")))
    user.describe_key(KeyId=scene.plain)
    assert refusal(user.describe_key, KeyId=scene.named)[0] == "AccessDeniedException"


def test_key_type_by_region(place: Place, scene: Scene) -> None:
    """kms:MultiRegionKeyType is that of the related key in the Region of the request."""
    user = place.add_user(allowing(STRING, "kms:MultiRegionKeyType", "REPLICA"))
    place.kms(user, "eu-west-1").describe_key(KeyId=scene.named)
    assert refusal(place.kms(user).describe_key, KeyId=scene.named)[0] == "AccessDeniedException"


def test_retirement(place: Place, scene: Scene) -> None:
    """RetireGrant brings the keys of the grant's constraint."""
    user = place.add_user(allowing(STRING, "kms:GrantConstraintType", "EncryptionContextSubset"))
    for kind, allowed in (("EncryptionContextSubset", True), ("EncryptionContextEquals", False)):
        given: dict[str, Any] = {"KeyId": scene.plain, "GranteePrincipal": ROOT, "RetiringPrincipal": ROOT}
        grant = scene.root.create_grant(Operations=["Encrypt"], Constraints={kind: CONTEXT}, **given)
        kms = place.kms(user)
        if allowed:
            kms.retire_grant(GrantToken=grant["GrantToken"])
        else:
            assert refusal(kms.retire_grant, GrantToken=grant["GrantToken"])[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        (STRING, "kms:ViaService", "s3.us-east-1.amazonaws.com"),
        (ANY, "aws:CalledVia", "s3.amazonaws.com"),
        (STRING, "aws:CalledViaFirst", "s3.amazonaws.com"),
        (STRING, "aws:CalledViaLast", "s3.amazonaws.com"),
        (BOOL, "aws:ViaAWSService", "true"),
        (BOOL, "aws:MultiFactorAuthPresent", "false"),
    ],
)
def test_through_the_object_store(place: Place, scene: Scene, operator: str, key: str, value: str) -> None:
    """What the object store asks as the caller is allowed, what the caller asks itself is not."""
    user = place.add_user(allowing(operator, key, value))
    assert place.run(on_behalf.data_key(call_of(place, user), scene.plain, CONTEXT)).plaintext
    kms = place.kms(user)
    refused = refusal(kms.generate_data_key, KeyId=scene.plain, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert refused[0] == "AccessDeniedException"
    denied = place.add_user(allowing(operator, key, value, "Deny"))
    with pytest.raises(AccessDenied):
        place.run(on_behalf.data_key(call_of(place, denied), scene.plain, CONTEXT))


def test_policy_of_a_new_key_under_conditions(kms: Any) -> None:
    """The lock-out check of a new key's policy knows the key: a condition on what it is does not lock out."""
    document = {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*",
            "Condition": {STRING: {"kms:KeySpec": "HMAC_256"}},
        }],
    }  # fmt: skip
    policy = json.dumps(document)
    kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Policy=policy)
    assert refusal(kms.create_key, Policy=policy)[0] == "MalformedPolicyDocumentException"


def test_the_last_use_is_looked_up_for_such_a_condition_only(
    place: Place, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DisableKey asks the keyholder when the key was last used only if a condition asks for it."""
    asked: list[str] = []
    real = place.services.keyholder.last_use

    async def spy(key_id: str, region: str) -> Any:
        asked.append(key_id)
        return await real(key_id, region)

    monkeypatch.setattr(place.services.keyholder, "last_use", spy)
    key_id = new_key()
    place.kms(place.add_user(allowing(BOOL, "kms:MultiRegion", "false"))).disable_key(KeyId=key_id)
    assert asked == []
    rule = allowing("NumericLessThanEquals", "kms:TrailingDaysWithoutKeyUsage", "365", "Deny")
    kms = place.kms(place.add_user(rule))
    assert refusal(kms.disable_key, KeyId=key_id)[0] == "AccessDeniedException"
    assert asked == [key_id]
