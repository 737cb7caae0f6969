"""The official AWS Encryption SDK, through Fuin's KMS."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket, payload, write
from tests.support.server import run

pytestmark = pytest.mark.real
PROGRAM = Path(__file__).parent / "clients" / "sdk.py"


def test_sdk_encrypts_and_decrypts(place: EncryptedBucket, tmp_path: Path) -> None:
    """A round trip of the SDK works with GenerateDataKey and Decrypt of this server."""
    write(tmp_path / "plain", 100_000)
    arguments = [sys.executable, str(PROGRAM), "roundtrip", place.key_arn, str(tmp_path / "plain")]
    assert run(arguments, place.server.client_environment()).stdout == "equal\n"


@pytest.mark.parametrize("size", [0, 5, 262_144, 1_000_000])
def test_sdk_opens_a_raw_stored_object(place: EncryptedBucket, tmp_path: Path, size: int) -> None:
    """A file under blobs/, and a small object's row, is a message that the SDK opens; its plaintext is the object."""
    content = payload(size)
    place.server.client("s3").put_object(Bucket=place.bucket, Key="raw", Body=content)
    [stored] = place.stored("raw")
    (tmp_path / "raw").write_bytes(stored)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "open", place.key_arn, str(tmp_path / "raw")],
        env=place.server.client_environment(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == content


def test_sdk_refuses_a_changed_object(place: EncryptedBucket, tmp_path: Path) -> None:
    """One changed bit in the stored message, and the SDK refuses it."""
    place.server.client("s3").put_object(Bucket=place.bucket, Key="raw", Body=payload(1000))
    [stored] = place.stored("raw")
    changed = bytearray(stored)
    changed[-100] ^= 1
    (tmp_path / "raw").write_bytes(changed)
    arguments = [sys.executable, str(PROGRAM), "open", place.key_arn, str(tmp_path / "raw")]
    assert run(arguments, place.server.client_environment(), check=False).returncode != 0
