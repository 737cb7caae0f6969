"""AWS's table of key states, as its page has it, and one call for each operation on a key.

Source of TABLE: AWS KMS developer guide, "Key states of AWS KMS keys" (its last edition in the public repository of the
guide, December 2022), with the footnotes' numbers. Operations that are newer than that edition stand below it, in the
row of their kind: uses of a key like Sign; RotateKeyOnDemand of a key pending import as recorded from AWS. One cell
is not the page's: GetPublicKey of a disabled key works on AWS, as measured in September 2026 (floci-io/floci, pull
request 3968).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.place import ACCOUNT, Place

ELSEWHERE = "eu-west-1"

# OK; X and a footnote: refused; ? and a footnote: refused for some keys; -: no key of that kind is ever in that state.
COLUMNS = ("Enabled", "Disabled", "PendingDeletion", "PendingImport", "Unavailable", "Creating", "Updating")
TABLE = """
CancelKeyDeletion                    X4  X4  OK  X4  X4   X4   X4
CreateAlias                          OK  OK  X3  OK  OK   OK   OK
CreateGrant                          OK  X1  X3  X5  OK   X14  OK
Decrypt                              OK  X1  X3  X5  X11  X14  OK
DeleteAlias                          OK  OK  OK  OK  OK   OK   OK
DeleteImportedKeyMaterial            OK  OK  OK  OK  -    X14  X15
DescribeKey                          OK  OK  OK  OK  OK   OK   OK
DisableKey                           OK  OK  X3  X5  OK   X14  X15
DisableKeyRotation                   ?7  X1  X3  X6  X7   X14  ?7
EnableKey                            OK  OK  X3  X5  OK   X14  X15
EnableKeyRotation                    ?7  X1  X3  X6  X7   X14  ?7
Encrypt                              OK  X1  X3  X5  X11  X14  OK
GenerateDataKey                      OK  X1  X3  X5  X11  X14  OK
GenerateDataKeyPair                  OK  X1  X3  X5  X11  X14  OK
GenerateDataKeyPairWithoutPlaintext  OK  X1  X3  X5  X11  X14  OK
GenerateDataKeyWithoutPlaintext      OK  X1  X3  X5  X11  X14  OK
GenerateMac                          OK  X1  X3  X5  -    X14  OK
GetKeyPolicy                         OK  OK  OK  OK  OK   OK   OK
GetKeyRotationStatus                 ?7  ?7  ?7  X6  X7   ?7   ?7
GetParametersForImport               ?9  ?9  X8  OK  X9   X14  X15
GetPublicKey                         OK  OK  X3  X5  -    X14  OK
ImportKeyMaterial                    ?9  ?9  X8  OK  X9   X14  OK
ListAliases                          OK  OK  OK  OK  OK   OK   OK
ListGrants                           OK  OK  OK  OK  OK   OK   OK
ListKeyPolicies                      OK  OK  OK  OK  OK   OK   OK
ListResourceTags                     OK  OK  OK  OK  OK   OK   OK
PutKeyPolicy                         OK  OK  OK  OK  OK   OK   OK
ReEncrypt                            OK  X1  X3  X5  X11  X14  OK
ReplicateKey                         OK  X1  X3  X5  -    X14  X15
RetireGrant                          OK  OK  OK  OK  OK   OK   OK
RevokeGrant                          OK  OK  OK  OK  OK   OK   OK
ScheduleKeyDeletion                  OK  OK  X3  OK  OK   OK   X15
Sign                                 OK  X1  X3  X5  -    X14  OK
TagResource                          OK  OK  X3  OK  OK   OK   OK
UntagResource                        OK  OK  X3  OK  OK   OK   OK
UpdateAlias                          OK  OK  X3  OK  OK   OK   OK
UpdateKeyDescription                 OK  OK  X3  OK  OK   OK   OK
UpdatePrimaryRegion                  OK  X1  X3  X5  -    X14  OK
Verify                               OK  X1  X3  X5  -    X14  OK
VerifyMac                            OK  X1  X3  X5  -    X14  OK

Decapsulate                          OK  X1  X3  X5  -    X14  OK
DeriveSharedSecret                   OK  X1  X3  X5  -    X14  OK
Encapsulate                          OK  X1  X3  X5  -    X14  OK
GetKeyLastUsage                      OK  OK  OK  OK  OK   OK   OK
ListKeyRotations                     ?7  ?7  ?7  OK  X7   ?7   ?7
RotateKeyOnDemand                    OK  X1  X3  X5  X7   X14  OK
"""
CELLS: dict[str, dict[str, str]] = {
    words[0]: dict(zip(COLUMNS, words[1:], strict=True)) for line in TABLE.splitlines() if (words := line.split())
}
for _cells in CELLS.values():
    _cells["PendingReplicaDeletion"] = _cells["PendingDeletion"]  # one column on AWS's page

_INVALID, _UNSUPPORTED = "KMSInvalidStateException", "UnsupportedOperationException"
# The footnotes: code, and text after the key's ARN; None where AWS's page has no text.
FOOTNOTES: dict[str, tuple[str, str | None]] = {
    "1": ("DisabledException", "is disabled."),
    "3": (_INVALID, "is pending deletion."),
    "4": (_INVALID, "is not pending deletion."),
    "5": (_INVALID, "is pending import."),
    "6": (_UNSUPPORTED, "origin is EXTERNAL which is not valid for this operation."),
    "7": (_UNSUPPORTED, None),
    "8": (_INVALID, "is pending deletion."),
    "9": (_UNSUPPORTED, None),
    "11": (_INVALID, None),  # an external key store is told by a text of its own
    "14": (_INVALID, "is creating."),
    "15": (_INVALID, "is updating."),
}
NOT_ON_A_KEY = {
    "ConnectCustomKeyStore", "CreateCustomKeyStore", "CreateKey", "DeleteCustomKeyStore", "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore", "GenerateRandom", "ListKeys", "ListRetirableGrants", "UpdateCustomKeyStore",
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A key in some state; `made` is what the row's `prepare` made while the key was still as it was created."""

    place: Place
    kms: Any
    key: str
    made: Any

    @property
    def arn(self) -> str:
        """Return the key's ARN."""
        return f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{self.key}"


class Row(NamedTuple):
    """What is asked of a key, what CreateKey is given to make it, and what is prepared before its state changes."""

    call: Callable[[Subject], Any]
    kind: Mapping[str, Any] = {}
    prepare: Callable[[Any, str], Any] = lambda kms, key: None


AGREEMENT = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}
IMPORTED = {"Origin": "EXTERNAL"}
KEM = {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}
MAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
MULTI_REGION = {"MultiRegion": True}
SIGNER = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
_PEER = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)  # fmt: skip
_SIGNED = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
_MACED = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
_WRAPPING = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}


def _blob(kms: Any, key: str) -> Any:
    return kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def _alias(kms: Any, key: str) -> str:
    name = f"alias/state-{key}"
    kms.create_alias(AliasName=name, TargetKeyId=key)
    return name


def _grant(kms: Any, key: str) -> Any:
    grantee = f"arn:aws:iam::{ACCOUNT}:root"
    return kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=["Decrypt"])["GrantId"]


def _parameters(kms: Any, key: str) -> dict[str, Any]:
    """Return what ImportKeyMaterial takes to import fresh material."""
    answer = kms.get_parameters_for_import(KeyId=key, **_WRAPPING)
    public = serialization.load_der_public_key(answer["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    encrypted = public.encrypt(key.encode()[:32], oaep)
    return {
        "ImportToken": answer["ImportToken"], "EncryptedKeyMaterial": encrypted,
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }  # fmt: skip


def import_material(kms: Any, key: str) -> None:
    """Import material into a key that waits for it."""
    kms.import_key_material(KeyId=key, **_parameters(kms, key))


def _replica(kms: Any, key: str) -> None:
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)


CALLS: dict[str, Row] = {
    "CancelKeyDeletion": Row(lambda s: s.kms.cancel_key_deletion(KeyId=s.key)),
    "CreateAlias": Row(lambda s: s.kms.create_alias(AliasName=f"alias/state-new-{s.key}", TargetKeyId=s.key)),
    "CreateGrant": Row(lambda s: _grant(s.kms, s.key)),
    "Decapsulate": Row(
        lambda s: s.kms.decapsulate(KeyId=s.key, SharedSecretCiphertextBlob=s.made, EncapsulationAlgorithm="ML_KEM"),
        KEM,
        lambda kms, key: kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")["SharedSecretCiphertextBlob"],
    ),
    "Decrypt": Row(lambda s: s.kms.decrypt(CiphertextBlob=s.made), {}, _blob),
    "DeleteAlias": Row(lambda s: s.kms.delete_alias(AliasName=s.made), {}, _alias),
    "DeleteImportedKeyMaterial": Row(
        lambda s: s.kms.delete_imported_key_material(KeyId=s.key), IMPORTED, import_material
    ),
    "DeriveSharedSecret": Row(
        lambda s: s.kms.derive_shared_secret(KeyId=s.key, KeyAgreementAlgorithm="ECDH", PublicKey=_PEER), AGREEMENT
    ),
    "DescribeKey": Row(lambda s: s.kms.describe_key(KeyId=s.key)),
    "DisableKey": Row(lambda s: s.kms.disable_key(KeyId=s.key)),
    "DisableKeyRotation": Row(lambda s: s.kms.disable_key_rotation(KeyId=s.key)),
    "EnableKey": Row(lambda s: s.kms.enable_key(KeyId=s.key)),
    "EnableKeyRotation": Row(lambda s: s.kms.enable_key_rotation(KeyId=s.key)),
    "Encapsulate": Row(lambda s: s.kms.encapsulate(KeyId=s.key, EncapsulationAlgorithm="ML_KEM"), KEM),
    "Encrypt": Row(lambda s: s.kms.encrypt(KeyId=s.key, Plaintext=b"x")),
    "GenerateDataKey": Row(lambda s: s.kms.generate_data_key(KeyId=s.key, KeySpec="AES_256")),
    "GenerateDataKeyPair": Row(lambda s: s.kms.generate_data_key_pair(KeyId=s.key, KeyPairSpec="ECC_NIST_P256")),
    "GenerateDataKeyPairWithoutPlaintext": Row(
        lambda s: s.kms.generate_data_key_pair_without_plaintext(KeyId=s.key, KeyPairSpec="ECC_NIST_P256")
    ),
    "GenerateDataKeyWithoutPlaintext": Row(
        lambda s: s.kms.generate_data_key_without_plaintext(KeyId=s.key, KeySpec="AES_256")
    ),
    "GenerateMac": Row(lambda s: s.kms.generate_mac(KeyId=s.key, **_MACED), MAC),
    "GetKeyLastUsage": Row(lambda s: s.kms.get_key_last_usage(KeyId=s.key)),
    "GetKeyPolicy": Row(lambda s: s.kms.get_key_policy(KeyId=s.key)),
    "GetKeyRotationStatus": Row(lambda s: s.kms.get_key_rotation_status(KeyId=s.key)),
    "GetParametersForImport": Row(lambda s: s.kms.get_parameters_for_import(KeyId=s.key, **_WRAPPING), IMPORTED),
    "GetPublicKey": Row(lambda s: s.kms.get_public_key(KeyId=s.key), SIGNER),
    "ImportKeyMaterial": Row(lambda s: s.kms.import_key_material(KeyId=s.key, **s.made), IMPORTED, _parameters),
    "ListAliases": Row(lambda s: s.kms.list_aliases(KeyId=s.key)),
    "ListGrants": Row(lambda s: s.kms.list_grants(KeyId=s.key)),
    "ListKeyPolicies": Row(lambda s: s.kms.list_key_policies(KeyId=s.key)),
    "ListKeyRotations": Row(lambda s: s.kms.list_key_rotations(KeyId=s.key)),
    "ListResourceTags": Row(lambda s: s.kms.list_resource_tags(KeyId=s.key)),
    "PutKeyPolicy": Row(
        lambda s: s.kms.put_key_policy(KeyId=s.key, Policy=s.kms.get_key_policy(KeyId=s.key)["Policy"])
    ),
    "ReEncrypt": Row(lambda s: s.kms.re_encrypt(CiphertextBlob=s.made, DestinationKeyId=s.key), {}, _blob),
    "ReplicateKey": Row(lambda s: s.kms.replicate_key(KeyId=s.key, ReplicaRegion=ELSEWHERE), MULTI_REGION),
    "RetireGrant": Row(lambda s: s.kms.retire_grant(KeyId=s.arn, GrantId=s.made), {}, _grant),
    "RevokeGrant": Row(lambda s: s.kms.revoke_grant(KeyId=s.key, GrantId=s.made), {}, _grant),
    "RotateKeyOnDemand": Row(lambda s: s.kms.rotate_key_on_demand(KeyId=s.key)),
    "ScheduleKeyDeletion": Row(lambda s: s.kms.schedule_key_deletion(KeyId=s.key)),
    "Sign": Row(lambda s: s.kms.sign(KeyId=s.key, **_SIGNED), SIGNER),
    "TagResource": Row(lambda s: s.kms.tag_resource(KeyId=s.key, Tags=[{"TagKey": "a", "TagValue": ""}])),
    "UntagResource": Row(lambda s: s.kms.untag_resource(KeyId=s.key, TagKeys=["a"])),
    "UpdateAlias": Row(
        lambda s: s.kms.update_alias(AliasName=s.made, TargetKeyId=s.key),
        {},
        lambda kms, key: _alias(kms, kms.create_key()["KeyMetadata"]["KeyId"]),
    ),
    "UpdateKeyDescription": Row(lambda s: s.kms.update_key_description(KeyId=s.key, Description="new")),
    "UpdatePrimaryRegion": Row(
        lambda s: s.kms.update_primary_region(KeyId=s.key, PrimaryRegion=ELSEWHERE), MULTI_REGION, _replica
    ),
    "Verify": Row(
        lambda s: s.kms.verify(KeyId=s.key, Signature=s.made, **_SIGNED),
        SIGNER,
        lambda kms, key: kms.sign(KeyId=key, **_SIGNED)["Signature"],
    ),
    "VerifyMac": Row(
        lambda s: s.kms.verify_mac(KeyId=s.key, Mac=s.made, **_MACED),
        MAC,
        lambda kms, key: kms.generate_mac(KeyId=key, **_MACED)["Mac"],
    ),
}  # fmt: skip
