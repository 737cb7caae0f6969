"""restic: init, backup, check, restore, forget with prune."""

import shutil
from pathlib import Path

import pytest

from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files

RESTIC = shutil.which("restic")
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(RESTIC is None, reason="restic is not installed (make clients)"),
]


def test_a_backup_is_made_checked_and_restored(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """Two backups, the whole repository read and checked, one restored, the older one forgotten."""
    version = version_of(["restic", "version"], 1)
    trust = ["--cacert", vault.server.certificate] if vault.server.certificate else []
    repository = f"s3:{vault.server.url}/{vault.bucket}/backups"
    command = ["restic", *trust, "--no-cache", "-r", repository, "-o", "s3.region=us-east-1"]
    password = {"RESTIC_PASSWORD": "open sesame"}
    files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
    with vault.step("restic", version, "init"):
        vault.run(*command, "init", **password)
    with vault.step("restic", version, "backup"):
        vault.run(*command, "backup", folder, **password)
        files |= write_files(folder, {"second.txt": 50_000})
        vault.run(*command, "backup", folder, **password)
        vault.assert_sealed({key: vault.read(key) for key in vault.list_keys()})
    with vault.step("restic", version, "check"):
        assert "no errors were found" in vault.run(*command, "check", "--read-data", **password).stdout
    with vault.step("restic", version, "restore"):
        vault.run(*command, "restore", "latest", "--target", tmp_path / "back", **password)
        assert read_files(tmp_path / "back" / folder.relative_to("/")) == files
    with vault.step("restic", version, "forget, prune"):
        vault.run(*command, "forget", "--keep-last", "1", "--prune", **password)
        vault.run(*command, "check", **password)
