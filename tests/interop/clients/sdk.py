"""Uses the official AWS Encryption SDK for Python; the endpoint comes from the environment alone.

`python sdk.py roundtrip KEY-ARN FILE` encrypts and decrypts a file's content and fails unless it is equal.
`python sdk.py open KEY-ARN FILE` writes the plaintext of a message to standard output.
"""

import sys
from pathlib import Path

import aws_encryption_sdk
from aws_encryption_sdk import CommitmentPolicy


def main(verb: str, key_arn: str, file: str) -> None:
    """Do one of the two verbs."""
    client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key_arn])
    content = Path(file).read_bytes()
    if verb == "open":
        plaintext, _ = client.decrypt(source=content, key_provider=provider)
        sys.stdout.buffer.write(plaintext)
        return
    context = {"purpose": "interop", "größe": "日本"}
    sealed, _ = client.encrypt(source=content, key_provider=provider, encryption_context=context)
    plaintext, header = client.decrypt(source=sealed, key_provider=provider)
    assert plaintext == content
    assert context.items() <= header.encryption_context.items()
    sys.stdout.write("equal\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
