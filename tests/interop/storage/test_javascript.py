"""AWS's SDK for JavaScript with lib-storage."""

import shutil
from pathlib import Path

import pytest

from tests.interop.storage.environments import NODE_MODULES
from tests.interop.storage.vault import LARGE, Vault, write_files

PROGRAM = Path(__file__).parent / "javascript" / "storage.cjs"
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(
        shutil.which("node") is None or not NODE_MODULES.is_dir(), reason="the SDK is not installed (make clients)"
    ),
]


def test_the_sdk_uploads_reads_lists_copies_and_removes(vault: Vault, folder: Path) -> None:
    """Parts from a stream, then what programs do with them."""
    content = write_files(folder, {"large.bin": LARGE})["large.bin"]
    modules = {"NODE_PATH": str(NODE_MODULES)}
    version = vault.run("node", PROGRAM, "--version", **modules).stdout.strip()
    with vault.step("@aws-sdk/client-s3, lib-storage", version, "put, get, range, list, copy, delete"):
        done = vault.run("node", PROGRAM, vault.bucket, folder / "large.bin", **modules)
        assert done.stdout == "right\n"
        vault.assert_sealed({"dir/copied.bin": content, "dir/large.bin": content})
