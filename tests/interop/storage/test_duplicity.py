"""duplicity: a full and an incremental backup, verified and restored."""

import shutil
from pathlib import Path

import pytest

from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files

DUPLICITY = shutil.which("duplicity")
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(DUPLICITY is None, reason="duplicity is not installed (make clients)"),
]


def test_backups_are_made_verified_and_restored(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """The second backup has only the difference; both together give the files back."""
    version = version_of(["duplicity", "--version"], 1)
    command = ["duplicity", "--no-encryption", "--archive-dir", tmp_path / "archive", "--s3-endpoint-url"]
    command += [vault.server.url]
    target = f"boto3+s3://{vault.bucket}/backups"
    files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
    with vault.step("duplicity", version, "full, incremental"):
        vault.run(*command, "full", folder, target)
        files |= write_files(folder, {"second.txt": 50_000})
        vault.run(*command, "incremental", folder, target)
        vault.assert_sealed({key: vault.read(key) for key in vault.list_keys()})
    with vault.step("duplicity", version, "verify"):
        vault.run(*command, "verify", "--compare-data", target, folder)
    with vault.step("duplicity", version, "restore"):
        vault.run(*command, "restore", target, tmp_path / "back")
        assert read_files(tmp_path / "back") == files
