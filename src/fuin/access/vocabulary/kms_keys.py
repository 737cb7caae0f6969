"""The rows of KMS's condition keys (kms:…); developer guide, "AWS KMS condition keys" and "AWS KMS permissions"."""

from __future__ import annotations

from fuin.access.vocabulary.key_row import ConditionKey, never

_DATA_KEY_PAIRS = ("kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext")
_RE_ENCRYPT = ("kms:ReEncryptFrom", "kms:ReEncryptTo")
_ENCRYPTING = (
    "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", *_DATA_KEY_PAIRS, "kms:GenerateDataKeyWithoutPlaintext",
    *_RE_ENCRYPT,
)  # fmt: skip
_SIGNING = ("kms:Sign", "kms:Verify")
_MAC = ("kms:GenerateMac", "kms:VerifyMac")
_ENCAPSULATING = ("kms:Decapsulate", "kms:Encapsulate")
_CRYPTOGRAPHIC = (*_ENCRYPTING, *_SIGNING, *_MAC, *_ENCAPSULATING, "kms:DeriveSharedSecret")
# Actions whose resource is a key.
ON_KEYS = (
    *_CRYPTOGRAPHIC,
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:CreateGrant", "kms:DeleteAlias", "kms:DeleteImportedKeyMaterial",
    "kms:DescribeKey", "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation",
    "kms:GetKeyLastUsage", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:GetParametersForImport",
    "kms:GetPublicKey", "kms:ImportKeyMaterial", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations",
    "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:RetireGrant", "kms:RevokeGrant",
    "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias",
    "kms:UpdateKeyDescription", "kms:UpdatePrimaryRegion",
)  # fmt: skip
_WITH_NEW = ("kms:CreateKey", *ON_KEYS)
_KEY_STORES = (
    "kms:ConnectCustomKeyStore", "kms:CreateCustomKeyStore", "kms:DeleteCustomKeyStore", "kms:DescribeCustomKeyStores",
    "kms:DisconnectCustomKeyStore", "kms:UpdateCustomKeyStore",
)  # fmt: skip
_ACCOUNT_ACTIONS = ("kms:GenerateRandom", "kms:ListAliases", "kms:ListKeys")
# What the object store and EC2 ask KMS for.
VIA = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey",
       "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo")  # fmt: skip
_GRANTS = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
_WITH_CONTEXT = (*_ENCRYPTING, "kms:CreateGrant", "kms:RetireGrant")
_ATTESTED = (
    "kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:GenerateRandom",
)  # fmt: skip
_NO_KEY = "where the request names no key that exists"
_NO_CONTEXT = "without an encryption context, and with keys that are not for symmetric encryption"
_NOT_SAID = "when the request does not say it"

ROWS = (
    ConditionKey("kms:BypassPolicyLockoutSafetyCheck", "Bool", ("kms:CreateKey", "kms:PutKeyPolicy"),
                 "the parameter of the request; ReplicateKey's shows in its CreateKey", _NOT_SAID),
    ConditionKey("kms:CallerAccount", "String", (*_WITH_NEW, *_KEY_STORES, *_ACCOUNT_ACTIONS), "the caller's account"),
    ConditionKey("kms:CustomerMasterKeySpec", "String", _WITH_NEW, "as kms:KeySpec; deprecated", _NO_KEY),
    ConditionKey("kms:CustomerMasterKeyUsage", "String", _WITH_NEW, "as kms:KeyUsage; deprecated", _NO_KEY),
    ConditionKey("kms:DataKeyPairSpec", "String", _DATA_KEY_PAIRS, "the spec of the pair, such as `RSA_2048`"),
    ConditionKey("kms:EncapsulationAlgorithm", "String", _ENCAPSULATING, "`ML_KEM`"),
    ConditionKey("kms:EncryptionAlgorithm", "String", _ENCRYPTING, "the algorithm, also where it is the default"),
    ConditionKey("kms:EncryptionContext:NAME", "String", _WITH_CONTEXT,
                 "the value of a pair of the encryption context; of grants, of the constraint", _NO_CONTEXT),
    ConditionKey("kms:EncryptionContextKeys", "String", _WITH_CONTEXT,
                 "the names in the encryption context; of grants, in the constraint", _NO_CONTEXT, many=True),
    ConditionKey("kms:ExpirationModel", "String", ("kms:ImportKeyMaterial",), "the parameter", _NOT_SAID),
    ConditionKey("kms:GrantConstraintSourceArn", "ARN", ("kms:CreateGrant",), "the constraint's SourceArn", _NOT_SAID),
    ConditionKey("kms:GrantConstraintType", "String", ("kms:CreateGrant", "kms:RetireGrant"),
                 "`EncryptionContextEquals` or `EncryptionContextSubset`", "without such a constraint"),
    ConditionKey("kms:GrantIsForAWSResource", "Bool", _GRANTS, "`false`: no service asks for grants"),
    ConditionKey("kms:GrantOperations", "String", ("kms:CreateGrant",), "the grant's operations", many=True),
    ConditionKey("kms:GranteePrincipal", "ARN", ("kms:CreateGrant",), "the parameter", _NOT_SAID),
    ConditionKey("kms:GranteeServicePrincipal", "String", ("kms:CreateGrant",), "the parameter", _NOT_SAID),
    ConditionKey("kms:KeyAgreementAlgorithm", "String", ("kms:DeriveSharedSecret",), "`ECDH`"),
    ConditionKey("kms:KeyOrigin", "String", _WITH_NEW, "`AWS_KMS`, `EXTERNAL`, `EXTERNAL_KEY_STORE`", _NO_KEY),
    ConditionKey("kms:KeySpec", "String", _WITH_NEW, "the key's spec, such as `SYMMETRIC_DEFAULT`", _NO_KEY),
    ConditionKey("kms:KeyUsage", "String", _WITH_NEW, "the key's usage, such as `ENCRYPT_DECRYPT`", _NO_KEY),
    ConditionKey("kms:MacAlgorithm", "String", _MAC, "the algorithm, such as `HMAC_SHA_256`"),
    ConditionKey("kms:MessageType", "String", _SIGNING, "`RAW`, `DIGEST`, `EXTERNAL_MU`; `RAW` where nothing is said"),
    ConditionKey("kms:MultiRegion", "Bool", _WITH_NEW, "whether it is a multi-Region key", _NO_KEY),
    ConditionKey("kms:MultiRegionKeyType", "String", _WITH_NEW, "`PRIMARY` or `REPLICA`", "of single-Region keys"),
    ConditionKey("kms:PolicyName", "String", ("kms:GetKeyPolicy", "kms:PutKeyPolicy"), "`default` unless said"),
    ConditionKey("kms:PrimaryRegion", "String", ("kms:UpdatePrimaryRegion",), "the new primary Region"),
    ConditionKey("kms:ReEncryptOnSameKey", "Bool", _RE_ENCRYPT, "whether source and destination are one key"),
    ConditionKey("kms:ReplicaRegion", "String", ("kms:ReplicateKey",), "the new replica's Region"),
    ConditionKey("kms:RequestAlias", "String", (*_CRYPTOGRAPHIC, "kms:DescribeKey", "kms:GetPublicKey"),
                 "the alias (alias/…) by which the request names the key", "when it names it by id or key ARN"),
    ConditionKey("kms:ResourceAliases", "String", ON_KEYS, "all aliases of the key", "of a key without aliases",
                 many=True),
    ConditionKey("kms:RetiringPrincipal", "ARN", ("kms:CreateGrant",), "the parameter", _NOT_SAID),
    ConditionKey("kms:RetiringServicePrincipal", "String", ("kms:CreateGrant",), "the parameter", _NOT_SAID),
    ConditionKey("kms:RotationPeriodInDays", "Numeric", ("kms:EnableKeyRotation",), "the period; 365 where not said"),
    ConditionKey("kms:ScheduleKeyDeletionPendingWindowInDays", "Numeric", ("kms:ScheduleKeyDeletion",),
                 "the waiting period; 30 where not said"),
    ConditionKey("kms:SigningAlgorithm", "String", _SIGNING, "the algorithm, such as `ECDSA_SHA_256`"),
    ConditionKey("kms:TrailingDaysWithoutKeyUsage", "Numeric", ("kms:DisableKey", "kms:ScheduleKeyDeletion"),
                 "whole days since the last cryptographic use, or since the key was made or uses are known", _NO_KEY),
    ConditionKey("kms:ValidTo", "Date", ("kms:ImportKeyMaterial",), "the parameter, in seconds since 1970", _NOT_SAID),
    ConditionKey("kms:ViaService", "String", VIA, "`s3.REGION.amazonaws.com` when the object store asks, "
                 "`ec2.REGION.amazonaws.com` when EC2 does",
                 "when the caller asks KMS itself"),
    ConditionKey("kms:WrappingAlgorithm", "String", ("kms:GetParametersForImport",), "the parameter"),
    ConditionKey("kms:WrappingKeySpec", "String", ("kms:GetParametersForImport",), "the parameter"),
    never("kms:RecipientAttestation:NAME", "String", "there are no enclaves", actions=_ATTESTED),
)  # fmt: skip
