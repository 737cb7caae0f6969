"""The types of members that have constraints, each by the name of its shape.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from typing import Annotated

from fuin.kms.model.shape import Length, OneOf, Pattern, Range, Sensitive

AccountIdType = Annotated[str, Length(12, 12), Pattern(r"[0-9]{12}")]
AlgorithmSpec = Annotated[
    str,
    OneOf(
        (
            "RSAES_PKCS1_V1_5",
            "RSAES_OAEP_SHA_1",
            "RSAES_OAEP_SHA_256",
            "RSA_AES_KEY_WRAP_SHA_1",
            "RSA_AES_KEY_WRAP_SHA_256",
            "SM2PKE",
        )
    ),
]
AliasNameType = Annotated[str, Length(1, 256), Pattern(r"^[a-zA-Z0-9:/_-]+$")]
AttestationDocumentType = Annotated[bytes, Length(1, 262144)]
BackingKeyIdType = Annotated[str, Length(64, 64), Pattern(r"^[a-f0-9]+$")]
CiphertextType = Annotated[bytes, Length(1, 6144)]
CloudHsmClusterIdType = Annotated[str, Length(19, 24), Pattern(r"cluster-[2-7a-zA-Z]{11,16}")]
CustomKeyStoreIdType = Annotated[str, Length(1, 64)]
CustomKeyStoreNameType = Annotated[str, Length(1, 256)]
CustomKeyStoreType = Annotated[str, OneOf(("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"))]
CustomerMasterKeySpec = Annotated[
    str,
    OneOf(
        (
            "RSA_2048",
            "RSA_3072",
            "RSA_4096",
            "ECC_NIST_P256",
            "ECC_NIST_P384",
            "ECC_NIST_P521",
            "ECC_SECG_P256K1",
            "SYMMETRIC_DEFAULT",
            "HMAC_224",
            "HMAC_256",
            "HMAC_384",
            "HMAC_512",
            "SM2",
        )
    ),
]
DataKeyPairSpec = Annotated[
    str,
    OneOf(
        (
            "RSA_2048",
            "RSA_3072",
            "RSA_4096",
            "ECC_NIST_P256",
            "ECC_NIST_P384",
            "ECC_NIST_P521",
            "ECC_SECG_P256K1",
            "SM2",
            "ECC_NIST_EDWARDS25519",
            "ML_KEM_512",
            "ML_KEM_768",
            "ML_KEM_1024",
        )
    ),
]
DataKeySpec = Annotated[
    str,
    OneOf(
        ("AES_256", "AES_128"),
        shown=(
            "RSA_2048",
            "RSA_3072",
            "RSA_4096",
            "ECC_NIST_P256",
            "ECC_NIST_P384",
            "ECC_NIST_P521",
            "ECC_SECG_P256K1",
            "ECC_NIST_EDWARDS25519",
            "SYMMETRIC_DEFAULT",
            "HMAC_224",
            "HMAC_256",
            "HMAC_384",
            "HMAC_512",
            "SM2",
            "ML_DSA_44",
            "ML_DSA_65",
            "ML_DSA_87",
            "ML_KEM_512",
            "ML_KEM_768",
            "ML_KEM_1024",
        ),
    ),
]
DescriptionType = Annotated[str, Length(0, 8192)]
DryRunModifierType = Annotated[str, OneOf(("IGNORE_CIPHERTEXT",))]
EncapsulationAlgorithmSpec = Annotated[str, OneOf(("ML_KEM",))]
EncryptionAlgorithmSpec = Annotated[
    str, OneOf(("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", "SYMMETRIC_DEFAULT"))
]
ExpirationModelType = Annotated[str, OneOf(("KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"))]
GrantConstraintSourceArnType = Annotated[
    str, Length(20, 512), Pattern(r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$")
]
GrantIdType = Annotated[str, Length(1, 128)]
GrantNameType = Annotated[str, Length(1, 256), Pattern(r"^[a-zA-Z0-9:/_-]+$")]
GrantOperation = Annotated[
    str,
    OneOf(
        (
            "Decrypt",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
            "Sign",
            "Verify",
            "GetPublicKey",
            "CreateGrant",
            "RetireGrant",
            "DescribeKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateMac",
            "VerifyMac",
            "DeriveSharedSecret",
            "Encapsulate",
            "Decapsulate",
        )
    ),
]
GrantTokenType = Annotated[str, Length(1, 8192)]
ImportType = Annotated[str, OneOf(("NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"))]
IncludeKeyMaterial = Annotated[str, OneOf(("ALL_KEY_MATERIAL", "ROTATIONS_ONLY"))]
KeyAgreementAlgorithmSpec = Annotated[str, OneOf(("ECDH",))]
KeyEncryptionMechanism = Annotated[str, OneOf(("RSAES_OAEP_SHA_256",))]
KeyIdType = Annotated[str, Length(1, 2048), Pattern(r"^\p{ASCII}+$")]
KeyMaterialDescriptionType = Annotated[str, Length(0, 256), Pattern(r"^[a-zA-Z0-9:/_\s.-]+$")]
KeySpec = Annotated[
    str,
    OneOf(
        (
            "RSA_2048",
            "RSA_3072",
            "RSA_4096",
            "ECC_NIST_P256",
            "ECC_NIST_P384",
            "ECC_NIST_P521",
            "ECC_SECG_P256K1",
            "ECC_NIST_EDWARDS25519",
            "SYMMETRIC_DEFAULT",
            "HMAC_224",
            "HMAC_256",
            "HMAC_384",
            "HMAC_512",
            "SM2",
            "ML_DSA_44",
            "ML_DSA_65",
            "ML_DSA_87",
            "ML_KEM_512",
            "ML_KEM_768",
            "ML_KEM_1024",
        )
    ),
]
KeyStorePasswordType = Annotated[str, Length(7, 32), Sensitive()]
KeyUsageType = Annotated[
    str, OneOf(("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"))
]
LimitType = Annotated[int, Range(1, 1000)]
MacAlgorithmSpec = Annotated[str, OneOf(("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"))]
MarkerType = Annotated[str, Length(1, 1024), Pattern(r"[\u0020-\u00FF]*")]
MessageType = Annotated[str, OneOf(("RAW", "DIGEST", "EXTERNAL_MU"))]
NumberOfBytesType = Annotated[int, Range(1, 1024)]
OriginType = Annotated[str, OneOf(("AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"))]
PendingWindowInDaysType = Annotated[int, Range(1, 365)]
PlaintextType = Annotated[bytes, Length(1, 4096), Sensitive()]
PolicyNameType = Annotated[str, Length(1, 128), Pattern(r"[\w]+")]
PolicyType = Annotated[str, Length(1, 131072), Pattern(r"[\u0009\u000A\u000D\u0020-\u00FF]+")]
PrincipalIdType = Annotated[str, Length(1, 256), Pattern(r"^[\w+=,.@:/-]+$")]
PublicKeyType = Annotated[bytes, Length(1, 8192)]
RegionType = Annotated[str, Length(1, 32), Pattern(r"^([a-z]+-){2,3}\d+$")]
ResourceOwnerType = Annotated[str, OneOf(("SELF", "OTHER_ACCOUNTS_VIA_RAM"))]
RotationPeriodInDaysType = Annotated[int, Range(90, 2560)]
ServicePrincipalType = Annotated[
    str, Length(1, 128), Pattern(r"^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$")
]
SigningAlgorithmSpec = Annotated[
    str,
    OneOf(
        (
            "RSASSA_PSS_SHA_256",
            "RSASSA_PSS_SHA_384",
            "RSASSA_PSS_SHA_512",
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RSASSA_PKCS1_V1_5_SHA_384",
            "RSASSA_PKCS1_V1_5_SHA_512",
            "ECDSA_SHA_256",
            "ECDSA_SHA_384",
            "ECDSA_SHA_512",
            "SM2DSA",
            "ML_DSA_SHAKE_256",
            "ED25519_SHA_512",
            "ED25519_PH_SHA_512",
            "SYMMETRIC_DEFAULT",
        ),
        shown=(
            "RSASSA_PSS_SHA_256",
            "RSASSA_PSS_SHA_384",
            "RSASSA_PSS_SHA_512",
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RSASSA_PKCS1_V1_5_SHA_384",
            "RSASSA_PKCS1_V1_5_SHA_512",
            "ECDSA_SHA_256",
            "ECDSA_SHA_384",
            "ECDSA_SHA_512",
            "ED25519_SHA_512",
            "ED25519_PH_SHA_512",
            "SM2DSA",
            "ML_DSA_SHAKE_256",
        ),
    ),
]
TagKeyType = Annotated[str, Length(1, 128)]
TagValueType = Annotated[str, Length(0, 256)]
TrustAnchorCertificateType = Annotated[str, Length(1, 5000)]
WrappingKeySpec = Annotated[str, OneOf(("RSA_2048", "RSA_3072", "RSA_4096", "SM2"))]
XksKeyIdType = Annotated[str, Length(1, 128), Pattern(r"^[a-zA-Z0-9-_.]+$")]
XksProxyAuthenticationAccessKeyIdType = Annotated[str, Length(20, 30), Pattern(r"^[A-Z2-7]+$"), Sensitive()]
XksProxyAuthenticationRawSecretAccessKeyType = Annotated[
    str, Length(43, 64), Pattern(r"^[a-zA-Z0-9\/+=]+$"), Sensitive()
]
XksProxyConnectivityType = Annotated[str, OneOf(("PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"))]
XksProxyUriEndpointType = Annotated[str, Length(10, 128), Pattern(r"^https://[a-zA-Z0-9.-]+$")]
XksProxyUriPathType = Annotated[
    str, Length(10, 128), Pattern(r"^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$")
]
XksProxyVpcEndpointServiceNameType = Annotated[
    str, Length(20, 64), Pattern(r"^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$")
]
GrantTokenList = Annotated[list[GrantTokenType], Length(0, 10)]
ResourceOwnersList = Annotated[list[ResourceOwnerType], Length(1, 2)]
