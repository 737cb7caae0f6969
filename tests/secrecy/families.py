"""The key service beyond the daily operations: all kinds of keys, import, rotation, Regions, grants, key stores."""

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from fuin.keyholder.backends.software.kinds.encodings import spki
from tests.kms.importing import bring, fresh
from tests.kms.kinds import KINDS
from tests.secrecy.exercise import Exercise
from tests.support.server import ACCOUNT

# One key spec of each kind: the search through the processes' memory takes its time for each needle.
CHOSEN = ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519", "HMAC_256", "ML_DSA_44", "ML_KEM_512")


def all_kinds(kms: Any, exercise: Exercise, symmetric: str) -> None:
    """Make and use a key of each kind, and fail with each."""
    for spec, usage in KINDS:
        if spec not in CHOSEN:
            continue
        key_id: str = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        exercise.refused(kms.generate_data_key, KeyId=key_id, KeySpec="AES_256")
        if usage != "GENERATE_VERIFY_MAC":
            kms.get_public_key(KeyId=key_id)
        {
            "ENCRYPT_DECRYPT": _encrypt, "SIGN_VERIFY": _sign, "GENERATE_VERIFY_MAC": _authenticate,
            "KEY_AGREEMENT": _agree, "ENCAPSULATE_DECAPSULATE": _encapsulate,
        }[usage](kms, exercise, key_id, KINDS[spec, usage])  # fmt: skip
    for spec in ("RSA_2048", "ECC_NIST_P256", "ML_KEM_512"):
        kms.generate_data_key_pair(KeyId=symmetric, KeyPairSpec=spec)
        kms.generate_data_key_pair_without_plaintext(KeyId=symmetric, KeyPairSpec=spec)


def _encrypt(kms: Any, exercise: Exercise, key_id: str, algorithms: tuple[str, ...]) -> None:
    for algorithm in algorithms:
        sealed = kms.encrypt(KeyId=key_id, Plaintext=b"small", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
        kms.decrypt(KeyId=key_id, CiphertextBlob=sealed, EncryptionAlgorithm=algorithm)
        exercise.refused(kms.decrypt, KeyId=key_id, CiphertextBlob=sealed[::-1], EncryptionAlgorithm=algorithm)


def _sign(kms: Any, exercise: Exercise, key_id: str, algorithms: tuple[str, ...]) -> None:
    for algorithm in algorithms:
        message = {"Message": b"message"}
        if algorithm == "ED25519_PH_SHA_512":
            message = {"Message": hashlib.sha512(b"message").digest(), "MessageType": "DIGEST"}  # type: ignore[dict-item]
        given = {"KeyId": key_id, "SigningAlgorithm": algorithm} | message
        signature = kms.sign(**given)["Signature"]
        kms.verify(**given, Signature=signature)
        exercise.refused(kms.verify, **given, Signature=signature[::-1])


def _authenticate(kms: Any, exercise: Exercise, key_id: str, algorithms: tuple[str, ...]) -> None:
    given = {"KeyId": key_id, "MacAlgorithm": algorithms[0], "Message": b"message"}
    mac = kms.generate_mac(**given)["Mac"]
    kms.verify_mac(**given, Mac=mac)
    exercise.refused(kms.verify_mac, **given, Mac=mac[::-1])


def _agree(kms: Any, exercise: Exercise, key_id: str, algorithms: tuple[str, ...]) -> None:
    peer = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    kms.derive_shared_secret(KeyId=key_id, KeyAgreementAlgorithm=algorithms[0], PublicKey=peer)
    exercise.refused(
        kms.derive_shared_secret, KeyId=key_id, KeyAgreementAlgorithm=algorithms[0], PublicKey=peer[:-1]
    )  # fmt: skip


def _encapsulate(kms: Any, exercise: Exercise, key_id: str, algorithms: tuple[str, ...]) -> None:
    given = {"KeyId": key_id, "EncapsulationAlgorithm": algorithms[0]}
    ciphertext = kms.encapsulate(**given)["SharedSecretCiphertextBlob"]
    kms.decapsulate(**given, SharedSecretCiphertextBlob=ciphertext)
    exercise.refused(kms.decapsulate, **given, SharedSecretCiphertextBlob=ciphertext[1:])


def life_of_keys(kms: Any, exercise: Exercise, key_id: str) -> None:
    """Rotate, import, replicate and grant, and ask for key stores that there are not."""
    refused = exercise.refused
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    kms.disable_key_rotation(KeyId=key_id)
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"before")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key_id)
    kms.decrypt(CiphertextBlob=sealed)
    kms.list_key_rotations(KeyId=key_id)
    kms.get_key_last_usage(KeyId=key_id)
    _import(kms, exercise)
    _regions(kms)
    principal = f"arn:aws:iam::{ACCOUNT}:user/writer"
    granted = {
        "KeyId": key_id,
        "GranteePrincipal": principal,
        "RetiringPrincipal": principal,
        "Operations": ["Decrypt"],
    }
    grants = [kms.create_grant(**granted, Name=name) for name in ("one", "two")]
    kms.list_grants(KeyId=key_id)
    kms.list_retirable_grants(RetiringPrincipal=principal)
    kms.retire_grant(GrantToken=grants[0]["GrantToken"])
    kms.revoke_grant(KeyId=key_id, GrantId=grants[1]["GrantId"])
    kms.describe_custom_key_stores()
    refused(kms.create_custom_key_store, CustomKeyStoreName="none", CustomKeyStoreType="AWS_CLOUDHSM")
    store = {"CustomKeyStoreId": "cks-1234567890abcdef0"}
    for call in (kms.connect_custom_key_store, kms.disconnect_custom_key_store, kms.delete_custom_key_store):
        refused(call, **store)
    refused(kms.update_custom_key_store, **store, NewCustomKeyStoreName="other")


def _import(kms: Any, exercise: Exercise) -> None:
    """Import material into two keys, and delete it from one again."""
    for keep in (True, False):
        key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        bring(kms, key_id, fresh())
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
        exercise.refused(bring, kms=kms, key_id=key_id, material=fresh()[1:])
        if not keep:
            kms.delete_imported_key_material(KeyId=key_id)


def _regions(kms: Any) -> None:
    """Replicate a key, and make the replica its primary."""
    key_id = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
