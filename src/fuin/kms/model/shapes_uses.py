"""The inputs and outputs of operations: the cryptographic operations.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from fuin.kms.model import shapes_parts, shapes_types
from fuin.kms.model.shape import Input, Output


class EncryptInput(Input, frozen=True):
    """The input of Encrypt."""

    required = ("KeyId", "Plaintext")
    hidden = ("Plaintext",)

    KeyId: shapes_types.KeyIdType | None = None
    Plaintext: shapes_types.PlaintextType | None = None
    EncryptionContext: dict[str, str] | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    EncryptionAlgorithm: shapes_types.EncryptionAlgorithmSpec | None = None
    DryRun: bool | None = None


class EncryptOutput(Output, frozen=True):
    """The output of Encrypt."""

    hidden = ("CiphertextBlob",)

    CiphertextBlob: bytes | None = None
    KeyId: str | None = None
    EncryptionAlgorithm: str | None = None


class DecryptInput(Input, frozen=True):
    """The input of Decrypt."""

    hidden = ("CiphertextBlob",)

    CiphertextBlob: shapes_types.CiphertextType | None = None
    EncryptionContext: dict[str, str] | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    KeyId: shapes_types.KeyIdType | None = None
    EncryptionAlgorithm: shapes_types.EncryptionAlgorithmSpec | None = None
    Recipient: shapes_parts.RecipientInfo | None = None
    DryRun: bool | None = None
    DryRunModifiers: list[shapes_types.DryRunModifierType] | None = None


class DecryptOutput(Output, frozen=True):
    """The output of Decrypt."""

    hidden = ("Plaintext", "CiphertextForRecipient")

    KeyId: str | None = None
    Plaintext: bytes | None = None
    EncryptionAlgorithm: str | None = None
    CiphertextForRecipient: bytes | None = None
    KeyMaterialId: str | None = None


class ReEncryptInput(Input, frozen=True):
    """The input of ReEncrypt."""

    required = ("DestinationKeyId",)
    hidden = ("CiphertextBlob",)

    CiphertextBlob: shapes_types.CiphertextType | None = None
    SourceEncryptionContext: dict[str, str] | None = None
    SourceKeyId: shapes_types.KeyIdType | None = None
    DestinationKeyId: shapes_types.KeyIdType | None = None
    DestinationEncryptionContext: dict[str, str] | None = None
    SourceEncryptionAlgorithm: shapes_types.EncryptionAlgorithmSpec | None = None
    DestinationEncryptionAlgorithm: shapes_types.EncryptionAlgorithmSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None
    DryRunModifiers: list[shapes_types.DryRunModifierType] | None = None


class ReEncryptOutput(Output, frozen=True):
    """The output of ReEncrypt."""

    hidden = ("CiphertextBlob",)

    CiphertextBlob: bytes | None = None
    SourceKeyId: str | None = None
    KeyId: str | None = None
    SourceEncryptionAlgorithm: str | None = None
    DestinationEncryptionAlgorithm: str | None = None
    SourceKeyMaterialId: str | None = None
    DestinationKeyMaterialId: str | None = None


class GenerateDataKeyInput(Input, frozen=True):
    """The input of GenerateDataKey."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    EncryptionContext: dict[str, str] | None = None
    NumberOfBytes: shapes_types.NumberOfBytesType | None = None
    KeySpec: shapes_types.DataKeySpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    Recipient: shapes_parts.RecipientInfo | None = None
    DryRun: bool | None = None


class GenerateDataKeyOutput(Output, frozen=True):
    """The output of GenerateDataKey."""

    hidden = ("CiphertextBlob", "Plaintext", "CiphertextForRecipient")

    CiphertextBlob: bytes | None = None
    Plaintext: bytes | None = None
    KeyId: str | None = None
    CiphertextForRecipient: bytes | None = None
    KeyMaterialId: str | None = None


class GenerateDataKeyWithoutPlaintextInput(Input, frozen=True):
    """The input of GenerateDataKeyWithoutPlaintext."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    EncryptionContext: dict[str, str] | None = None
    KeySpec: shapes_types.DataKeySpec | None = None
    NumberOfBytes: shapes_types.NumberOfBytesType | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class GenerateDataKeyWithoutPlaintextOutput(Output, frozen=True):
    """The output of GenerateDataKeyWithoutPlaintext."""

    hidden = ("CiphertextBlob",)

    CiphertextBlob: bytes | None = None
    KeyId: str | None = None
    KeyMaterialId: str | None = None


class GenerateDataKeyPairInput(Input, frozen=True):
    """The input of GenerateDataKeyPair."""

    required = ("KeyId", "KeyPairSpec")

    EncryptionContext: dict[str, str] | None = None
    KeyId: shapes_types.KeyIdType | None = None
    KeyPairSpec: shapes_types.DataKeyPairSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    Recipient: shapes_parts.RecipientInfo | None = None
    DryRun: bool | None = None


class GenerateDataKeyPairOutput(Output, frozen=True):
    """The output of GenerateDataKeyPair."""

    hidden = ("PrivateKeyCiphertextBlob", "PrivateKeyPlaintext", "PublicKey", "CiphertextForRecipient")

    PrivateKeyCiphertextBlob: bytes | None = None
    PrivateKeyPlaintext: bytes | None = None
    PublicKey: bytes | None = None
    KeyId: str | None = None
    KeyPairSpec: str | None = None
    CiphertextForRecipient: bytes | None = None
    KeyMaterialId: str | None = None


class GenerateDataKeyPairWithoutPlaintextInput(Input, frozen=True):
    """The input of GenerateDataKeyPairWithoutPlaintext."""

    required = ("KeyId", "KeyPairSpec")

    EncryptionContext: dict[str, str] | None = None
    KeyId: shapes_types.KeyIdType | None = None
    KeyPairSpec: shapes_types.DataKeyPairSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class GenerateDataKeyPairWithoutPlaintextOutput(Output, frozen=True):
    """The output of GenerateDataKeyPairWithoutPlaintext."""

    hidden = ("PrivateKeyCiphertextBlob", "PublicKey")

    PrivateKeyCiphertextBlob: bytes | None = None
    PublicKey: bytes | None = None
    KeyId: str | None = None
    KeyPairSpec: str | None = None
    KeyMaterialId: str | None = None


class GenerateRandomInput(Input, frozen=True):
    """The input of GenerateRandom."""

    NumberOfBytes: shapes_types.NumberOfBytesType | None = None
    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None
    Recipient: shapes_parts.RecipientInfo | None = None


class GenerateRandomOutput(Output, frozen=True):
    """The output of GenerateRandom."""

    hidden = ("Plaintext", "CiphertextForRecipient")

    Plaintext: bytes | None = None
    CiphertextForRecipient: bytes | None = None


class SignInput(Input, frozen=True):
    """The input of Sign."""

    required = ("KeyId", "Message", "SigningAlgorithm")
    hidden = ("Message",)

    KeyId: shapes_types.KeyIdType | None = None
    Message: shapes_types.PlaintextType | None = None
    MessageType: shapes_types.MessageType | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    SigningAlgorithm: shapes_types.SigningAlgorithmSpec | None = None
    DryRun: bool | None = None


class SignOutput(Output, frozen=True):
    """The output of Sign."""

    hidden = ("Signature",)

    KeyId: str | None = None
    Signature: bytes | None = None
    SigningAlgorithm: str | None = None


class VerifyInput(Input, frozen=True):
    """The input of Verify."""

    required = ("KeyId", "Message", "Signature", "SigningAlgorithm")
    hidden = ("Message", "Signature")

    KeyId: shapes_types.KeyIdType | None = None
    Message: shapes_types.PlaintextType | None = None
    MessageType: shapes_types.MessageType | None = None
    Signature: shapes_types.CiphertextType | None = None
    SigningAlgorithm: shapes_types.SigningAlgorithmSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class VerifyOutput(Output, frozen=True):
    """The output of Verify."""

    KeyId: str | None = None
    SignatureValid: bool | None = None
    SigningAlgorithm: str | None = None


class GenerateMacInput(Input, frozen=True):
    """The input of GenerateMac."""

    required = ("Message", "KeyId", "MacAlgorithm")
    hidden = ("Message",)

    Message: shapes_types.PlaintextType | None = None
    KeyId: shapes_types.KeyIdType | None = None
    MacAlgorithm: shapes_types.MacAlgorithmSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class GenerateMacOutput(Output, frozen=True):
    """The output of GenerateMac."""

    hidden = ("Mac",)

    Mac: bytes | None = None
    MacAlgorithm: str | None = None
    KeyId: str | None = None


class VerifyMacInput(Input, frozen=True):
    """The input of VerifyMac."""

    required = ("Message", "KeyId", "MacAlgorithm", "Mac")
    hidden = ("Message", "Mac")

    Message: shapes_types.PlaintextType | None = None
    KeyId: shapes_types.KeyIdType | None = None
    MacAlgorithm: shapes_types.MacAlgorithmSpec | None = None
    Mac: shapes_types.CiphertextType | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class VerifyMacOutput(Output, frozen=True):
    """The output of VerifyMac."""

    KeyId: str | None = None
    MacValid: bool | None = None
    MacAlgorithm: str | None = None


class GetPublicKeyInput(Input, frozen=True):
    """The input of GetPublicKey."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None


class GetPublicKeyOutput(Output, frozen=True):
    """The output of GetPublicKey."""

    hidden = ("PublicKey",)

    KeyId: str | None = None
    PublicKey: bytes | None = None
    CustomerMasterKeySpec: str | None = None
    KeySpec: str | None = None
    KeyUsage: str | None = None
    EncryptionAlgorithms: list[str] | None = None
    SigningAlgorithms: list[str] | None = None
    KeyAgreementAlgorithms: list[str] | None = None
    EncapsulationAlgorithms: list[str] | None = None


class DeriveSharedSecretInput(Input, frozen=True):
    """The input of DeriveSharedSecret."""

    required = ("KeyId", "KeyAgreementAlgorithm", "PublicKey")
    hidden = ("PublicKey",)

    KeyId: shapes_types.KeyIdType | None = None
    KeyAgreementAlgorithm: shapes_types.KeyAgreementAlgorithmSpec | None = None
    PublicKey: shapes_types.PublicKeyType | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None
    Recipient: shapes_parts.RecipientInfo | None = None


class DeriveSharedSecretOutput(Output, frozen=True):
    """The output of DeriveSharedSecret."""

    hidden = ("SharedSecret", "CiphertextForRecipient")

    KeyId: str | None = None
    SharedSecret: bytes | None = None
    CiphertextForRecipient: bytes | None = None
    KeyAgreementAlgorithm: str | None = None
    KeyOrigin: str | None = None


class EncapsulateInput(Input, frozen=True):
    """The input of Encapsulate."""

    required = ("KeyId", "EncapsulationAlgorithm")

    KeyId: shapes_types.KeyIdType | None = None
    EncapsulationAlgorithm: shapes_types.EncapsulationAlgorithmSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class EncapsulateOutput(Output, frozen=True):
    """The output of Encapsulate."""

    hidden = ("SharedSecret", "SharedSecretCiphertextBlob")

    KeyId: str | None = None
    SharedSecret: bytes | None = None
    SharedSecretCiphertextBlob: bytes | None = None
    EncapsulationAlgorithm: str | None = None


class DecapsulateInput(Input, frozen=True):
    """The input of Decapsulate."""

    required = ("KeyId", "SharedSecretCiphertextBlob", "EncapsulationAlgorithm")
    hidden = ("SharedSecretCiphertextBlob",)

    KeyId: shapes_types.KeyIdType | None = None
    SharedSecretCiphertextBlob: shapes_types.CiphertextType | None = None
    EncapsulationAlgorithm: shapes_types.EncapsulationAlgorithmSpec | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    DryRun: bool | None = None


class DecapsulateOutput(Output, frozen=True):
    """The output of Decapsulate."""

    hidden = ("SharedSecret",)

    KeyId: str | None = None
    SharedSecret: bytes | None = None
    EncapsulationAlgorithm: str | None = None
