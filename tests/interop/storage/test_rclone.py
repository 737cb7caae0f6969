"""rclone: sync, check, copy and mount."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files
from tests.support.processes import wait_until

RCLONE = shutil.which("rclone")
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(RCLONE is None, reason="rclone is not installed (tests/system-packages.sh)"),
]


def _environment(vault: Vault) -> dict[str, str]:
    variables = vault.server.client_environment()
    variables.pop("AWS_CA_BUNDLE", None)  # Debian's rclone does not start with it
    options = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "true",
        "REGION": "us-east-1",
        "ENDPOINT": vault.server.url,
        "FORCE_PATH_STYLE": "true",
        "SERVER_SIDE_ENCRYPTION": "aws:kms",  # an ETag is no MD5
        "SSE_KMS_KEY_ID": vault.key_arn,
        "UPLOAD_CUTOFF": "6M",
        "CHUNK_SIZE": "5M",
    }
    return variables | {f"RCLONE_CONFIG_FUIN_{name}": value for name, value in options.items()}


def _command(vault: Vault, *arguments: str | Path) -> list[str]:
    trust = ["--ca-cert", str(vault.server.certificate)] if vault.server.certificate else []
    return ["rclone", *trust, "--retries", "1", *map(str, arguments)]


def _rclone(vault: Vault, *arguments: str | Path) -> str:
    done = subprocess.run(
        _command(vault, *arguments), env=_environment(vault), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stderr


def test_sync_and_check(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """A folder goes up, is compared byte by byte, follows a removal, and comes back."""
    version = version_of(["rclone", "version"], 1)
    files = write_files(folder, {"small.txt": 1000, "sub/name with ümlaut.bin": 100_000, "large.bin": LARGE})
    remote = f"fuin:{vault.bucket}/all"
    with vault.step("rclone", version, "sync"):
        _rclone(vault, "sync", folder, remote)
        vault.assert_sealed({f"all/{name}": content for name, content in files.items()})
    with vault.step("rclone", version, "check"):
        assert "0 differences found" in _rclone(vault, "check", "--download", folder, remote)
    with vault.step("rclone", version, "sync after a removal"):
        (folder / "small.txt").unlink()
        _rclone(vault, "sync", folder, remote)
        assert "all/small.txt" not in vault.list_keys()
        assert vault.count_versions("all/small.txt") == 1
        _rclone(vault, "sync", remote, tmp_path / "back")
        assert read_files(tmp_path / "back") == {name: files[name] for name in files if name != "small.txt"}


@pytest.mark.skipif(not os.access("/dev/fuse", os.W_OK), reason="/dev/fuse is not there")
@pytest.mark.skipif(shutil.which("fusermount3") is None, reason="fuse3 is not installed (make clients)")
def test_mount(vault: Vault, folder: Path) -> None:
    """Programs read and write objects as files."""
    version = version_of(["rclone", "version"], 1)
    arguments = ("mount", f"fuin:{vault.bucket}", folder, "--vfs-cache-mode", "writes", "--vfs-write-back", "0s")
    with vault.step("rclone", version, "mount"):
        process = subprocess.Popen(
            _command(vault, *arguments), env=_environment(vault), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            wait_until(lambda: os.path.ismount(folder), 30, "the bucket is mounted")
            files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
            wait_until(lambda: len(vault.list_keys()) == 2, 60, "the files are written back")
            vault.assert_sealed(files)
            assert read_files(folder) == files
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(folder)], check=False)
            process.wait(30)
            assert process.stderr is not None
            process.stderr.close()
