"""Open a raw stored object with the official AWS Encryption SDK, through whatever KMS the AWS settings name."""

import hashlib
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import aws_encryption_sdk  # noqa: E402
from aws_encryption_sdk import CommitmentPolicy, StrictAwsKmsMasterKeyProvider  # noqa: E402


def main(stored: str, key_arn: str) -> None:
    """Print the plaintext's length and SHA-256, and the encryption context that the message is bound to."""
    client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    provider = StrictAwsKmsMasterKeyProvider(key_ids=[key_arn])
    plaintext, header = client.decrypt(source=Path(stored).read_bytes(), key_provider=provider)
    print(f"opened by aws-encryption-sdk {aws_encryption_sdk.__version__}: {len(plaintext)} bytes")
    print(f"sha256 {hashlib.sha256(plaintext).hexdigest()}")
    print(f"encryption context {header.encryption_context}")


main(*sys.argv[1:3])
