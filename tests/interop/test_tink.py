"""Tink with its extra `awskms`, in its own environment."""

from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket
from tests.support.server import REPOSITORY, run

pytestmark = pytest.mark.real
PYTHON = REPOSITORY / ".venv-tink" / "bin" / "python"
PROGRAM = Path(__file__).parent / "clients" / "tink_aead.py"


def _tink(place: EncryptedBucket, *arguments: str) -> str:
    return run([str(PYTHON), str(PROGRAM), *arguments], place.server.client_environment()).stdout


def test_tink_encrypts_directly_and_by_envelope(place: EncryptedBucket) -> None:
    """Remote AEAD, envelope AEAD and an encrypted keyset, each bound to its key and its associated data."""
    other = place.server.client("kms").create_key()["KeyMetadata"]["Arn"]
    assert _tink(place, "roundtrip", place.key_arn, other) == "equal\n"


def test_associated_data_is_the_encryption_context(place: EncryptedBucket) -> None:
    """Tink hands associated data over as a context member in hexadecimal, so other clients can open its ciphertext."""
    sealed = bytes.fromhex(_tink(place, "seal", place.key_arn, "text", "report"))
    context = {"associatedData": b"report".hex()}
    answer = place.server.client("kms").decrypt(CiphertextBlob=sealed, EncryptionContext=context)
    assert (answer["Plaintext"], answer["KeyId"]) == (b"text", place.key_arn)
