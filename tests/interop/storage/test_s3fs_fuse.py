"""s3fs-fuse: a bucket as a folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files
from tests.support.processes import wait_until

pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("s3fs") is None, reason="s3fs-fuse is not installed (make clients)"),
    pytest.mark.skipif(not os.access("/dev/fuse", os.W_OK), reason="/dev/fuse is not there"),
]


def test_a_bucket_is_mounted(vault: Vault, folder: Path) -> None:
    """Files are written, read back, renamed and removed."""
    version = version_of(["s3fs", "--version"], 6).lstrip("V")
    options = [f"url={vault.server.url}", "use_path_request_style", "endpoint=us-east-1", "multipart_size=5"]
    with vault.step("s3fs-fuse", version, "mount"):
        command = ["s3fs", vault.bucket, str(folder), "-f", *(word for option in options for word in ("-o", option))]
        variables = vault.server.client_environment()
        if vault.server.certificate:
            variables["CURL_CA_BUNDLE"] = str(vault.server.certificate)
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: os.path.ismount(folder), 30, "the bucket is mounted")
            files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
            vault.assert_sealed(files)
            assert read_files(folder) == files
            (folder / "small.txt").rename(folder / "renamed.txt")
            (folder / "sub/large.bin").unlink()
            assert "small.txt" not in vault.list_keys()
            assert vault.read("renamed.txt") == files["small.txt"]
            assert vault.count_versions("sub/large.bin") >= 1
        finally:
            subprocess.run(["fusermount", "-u", "-z", str(folder)], check=False)
            process.wait(30)
