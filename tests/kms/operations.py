"""Every operation of KMS asked once, with all that its condition keys can say; what they answer does not matter."""

import contextlib
import os
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tests.kms.importing import brought, soon
from tests.support.place import ACCOUNT

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
TAGS = [{"TagKey": "Project", "TagValue": "Alpha"}]
CONTEXT = {"Purpose": "test"}
DIGEST = os.urandom(32)


class Kept(NamedTuple):
    """A multi-Region key with a tag, and the alias that names it."""

    id: str
    alias: str


def keep(kms: Any, **kind: Any) -> Kept:
    """Make a key that has every condition key of a key."""
    key_id: str = kms.create_key(MultiRegion=True, Tags=TAGS, BypassPolicyLockoutSafetyCheck=False, **kind)[
        "KeyMetadata"
    ]["KeyId"]
    alias = f"alias/{secrets.token_hex(6)}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    return Kept(key_id, alias)


def ask_all(kms: Any) -> None:
    """Ask for every operation as the root of the account."""
    key = keep(kms)
    _ask(kms.list_keys, kms.list_aliases, kms.describe_custom_key_stores)
    _ask(lambda: kms.generate_random(NumberOfBytes=8), lambda: kms.list_retirable_grants(RetiringPrincipal=ROOT))
    _use(kms, key)
    _use_others(kms)
    _administer(kms, key)
    _grant(kms, key)
    _import(kms)
    _key_stores(kms)
    _regions(kms, key)
    _end(kms, key)


def _ask(*calls: Callable[[], Any]) -> None:
    for call in calls:
        with contextlib.suppress(ClientError):
            call()


def _use(kms: Any, key: Kept) -> None:
    named: dict[str, Any] = {"KeyId": key.alias, "EncryptionContext": CONTEXT}
    blob = kms.encrypt(Plaintext=b"x", **named)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, **named)
    kms.generate_data_key(KeySpec="AES_256", **named)
    kms.generate_data_key_without_plaintext(KeySpec="AES_256", **named)
    kms.generate_data_key_pair(KeyPairSpec="ECC_NIST_P256", **named)
    kms.generate_data_key_pair_without_plaintext(KeyPairSpec="ECC_NIST_P256", **named)
    kms.re_encrypt(
        CiphertextBlob=blob, SourceKeyId=key.alias, SourceEncryptionContext=CONTEXT,
        DestinationKeyId=key.alias, DestinationEncryptionContext=CONTEXT,
    )  # fmt: skip


def _use_others(kms: Any) -> None:
    signer = keep(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    signed: dict[str, Any] = {
        "KeyId": signer.alias, "Message": DIGEST, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256",
    }  # fmt: skip
    kms.verify(Signature=kms.sign(**signed)["Signature"], **signed)
    kms.get_public_key(KeyId=signer.alias)
    hmac = keep(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    mac: dict[str, Any] = {"KeyId": hmac.alias, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}
    kms.verify_mac(Mac=kms.generate_mac(**mac)["Mac"], **mac)
    agreement = keep(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    public = kms.get_public_key(KeyId=agreement.id)["PublicKey"]
    kms.derive_shared_secret(KeyId=agreement.alias, KeyAgreementAlgorithm="ECDH", PublicKey=public)
    kem = keep(kms, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    named = {"KeyId": kem.alias, "EncapsulationAlgorithm": "ML_KEM"}
    kms.decapsulate(SharedSecretCiphertextBlob=kms.encapsulate(**named)["SharedSecretCiphertextBlob"], **named)


def _administer(kms: Any, key: Kept) -> None:
    other = f"{key.alias}-other"
    policy = kms.get_key_policy(KeyId=key.id)["Policy"]
    kms.put_key_policy(KeyId=key.id, Policy=policy, BypassPolicyLockoutSafetyCheck=False)
    kms.create_alias(AliasName=other, TargetKeyId=key.id)
    kms.update_alias(AliasName=other, TargetKeyId=key.id)
    kms.delete_alias(AliasName=other)
    kms.describe_key(KeyId=key.alias)
    kms.tag_resource(KeyId=key.id, Tags=[{"TagKey": "Stage", "TagValue": "test"}])
    kms.untag_resource(KeyId=key.id, TagKeys=["Stage"])
    kms.update_key_description(KeyId=key.id, Description="d")
    reads = (kms.list_key_policies, kms.list_resource_tags, kms.get_key_last_usage, kms.get_key_rotation_status)
    rotation = (kms.enable_key_rotation, kms.list_key_rotations, kms.disable_key_rotation, kms.rotate_key_on_demand)
    _ask(*(partial(call, KeyId=key.id) for call in (*reads, *rotation, kms.disable_key, kms.enable_key)))


def _grant(kms: Any, key: Kept) -> None:
    given: dict[str, Any] = {"KeyId": key.id, "Operations": ["Decrypt", "RetireGrant"]}
    constrained = {"EncryptionContextEquals": CONTEXT}
    grants = [
        kms.create_grant(GranteePrincipal=ROOT, RetiringPrincipal=ROOT, Constraints=constrained, **given)["GrantId"]
        for _ in range(2)
    ]
    source = {"SourceArn": f"arn:aws:rds:us-east-1:{ACCOUNT}:db:orders"}
    service = "s3.amazonaws.com"
    kms.create_grant(
        GranteeServicePrincipal=service, RetiringServicePrincipal=service, Constraints=source, **given
    )  # fmt: skip
    kms.list_grants(KeyId=key.id)
    kms.retire_grant(KeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key.id}", GrantId=grants[0])
    kms.revoke_grant(KeyId=key.id, GrantId=grants[1])


def _import(kms: Any) -> None:
    key = keep(kms, Origin="EXTERNAL")
    given = brought(kms, key.id, os.urandom(32))
    kms.import_key_material(ExpirationModel="KEY_MATERIAL_EXPIRES", **soon(), **given)
    kms.delete_imported_key_material(KeyId=key.id)


def _key_stores(kms: Any) -> None:
    named = {"CustomKeyStoreId": "cks-1234567890abcdef0"}
    cluster = {"CloudHsmClusterId": "cluster-2a23b4cdefg", "KeyStorePassword": "kmsPswd", "TrustAnchorCertificate": "x"}
    _ask(
        lambda: kms.create_custom_key_store(CustomKeyStoreName=secrets.token_hex(4), **cluster),
        lambda: kms.connect_custom_key_store(**named),
        lambda: kms.disconnect_custom_key_store(**named),
        lambda: kms.update_custom_key_store(**named),
        lambda: kms.delete_custom_key_store(**named),
    )


def _regions(kms: Any, key: Kept) -> None:
    kms.replicate_key(KeyId=key.id, ReplicaRegion="eu-west-1", Tags=TAGS, BypassPolicyLockoutSafetyCheck=False)
    _ask(lambda: kms.update_primary_region(KeyId=key.id, PrimaryRegion="eu-west-2"))


def _end(kms: Any, key: Kept) -> None:
    kms.schedule_key_deletion(KeyId=key.id, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key.id)
