"""The command line of the AWS Encryption SDK, in its own environment: it needs SDK 3."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket, write
from tests.support.server import REPOSITORY, run

pytestmark = pytest.mark.real
PROGRAM = REPOSITORY / ".venv-esdk-cli" / "bin" / "aws-encryption-cli"


def _cli(place: EncryptedBucket, folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    metadata = ["--metadata-output", str(folder / "metadata.json")]
    return run([str(PROGRAM), *arguments, *metadata], place.server.client_environment(), check=check)


def _seal(place: EncryptedBucket, folder: Path, *more: str) -> None:
    keys = ["--wrapping-keys", f"key={place.key_arn}", *more, "--encryption-context", "purpose=test", "owner=alice"]
    _cli(place, folder, "--encrypt", "-i", str(folder / "plain"), "-o", str(folder / "sealed"), *keys)


def test_file_is_encrypted_and_decrypted(place: EncryptedBucket, tmp_path: Path) -> None:
    """A file of many frames goes through; the metadata tells the context and the key's ARN."""
    content = write(tmp_path / "plain", 300_000)
    _seal(place, tmp_path)
    assert content[:32] not in (tmp_path / "sealed").read_bytes()
    arguments = ["--decrypt", "-i", str(tmp_path / "sealed"), "-o", str(tmp_path / "back")]
    arguments += ["--wrapping-keys", f"key={place.key_arn}", "--encryption-context", "purpose=test"]
    _cli(place, tmp_path, *arguments)
    assert (tmp_path / "back").read_bytes() == content
    told = [json.loads(line) for line in (tmp_path / "metadata.json").read_text().splitlines()]
    assert [one["mode"] for one in told] == ["encrypt", "decrypt"]
    for one in told:
        assert one["header"]["encryption_context"].items() >= {"purpose": "test", "owner": "alice"}.items()
        assert len(one["header"]["encrypted_data_keys"]) == 1


def test_either_of_two_keys_opens(place: EncryptedBucket, tmp_path: Path) -> None:
    """A data key wrapped under two keys (GenerateDataKey and Encrypt) opens while either of them does."""
    kms = place.server.client("kms")
    content = write(tmp_path / "plain", 1000)
    other = kms.create_key()["KeyMetadata"]["Arn"]
    _seal(place, tmp_path, f"key={other}")
    kms.disable_key(KeyId=place.key_arn)
    arguments = ["--decrypt", "-i", str(tmp_path / "sealed"), "-o", str(tmp_path / "back")]
    _cli(place, tmp_path, *arguments, "--wrapping-keys", "discovery=true", "discovery-partition=aws",
         "discovery-account=123456789012")  # fmt: skip
    assert (tmp_path / "back").read_bytes() == content


def test_other_context_leaves_no_file(place: EncryptedBucket, tmp_path: Path) -> None:
    """With a context that is not the message's the output is deleted; this client exits 0 all the same."""
    write(tmp_path / "plain", 1000)
    _seal(place, tmp_path)
    arguments = ["--decrypt", "-i", str(tmp_path / "sealed"), "-o", str(tmp_path / "back")]
    arguments += ["--wrapping-keys", f"key={place.key_arn}", "--encryption-context", "purpose=other"]
    done = _cli(place, tmp_path, *arguments)
    assert not (tmp_path / "back").exists()
    told = json.loads((tmp_path / "metadata.json").read_text().splitlines()[-1])
    assert (told["skipped"], told["reason"]) == (True, "Missing encryption context key or value")
    assert "Skipping decrypt" in done.stderr


def test_disabled_key_opens_nothing(place: EncryptedBucket, tmp_path: Path) -> None:
    """While the only key is disabled the command fails, and leaves no file."""
    write(tmp_path / "plain", 1000)
    _seal(place, tmp_path)
    place.server.client("kms").disable_key(KeyId=place.key_arn)
    arguments = ["--decrypt", "-i", str(tmp_path / "sealed"), "-o", str(tmp_path / "back")]
    refused = _cli(place, tmp_path, *arguments, "--wrapping-keys", f"key={place.key_arn}", check=False)
    assert refused.returncode != 0
    assert not (tmp_path / "back").exists()
