"""s3cmd: put, get, sync, copy, move and removal."""

from pathlib import Path

import pytest

from tests.interop.storage.environments import CLIENTS
from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files

S3CMD = CLIENTS / "s3cmd"
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(not S3CMD.exists(), reason="s3cmd is not installed (make clients)"),
]


def _configure(vault: Vault, file: Path) -> Path:
    host = vault.server.url.partition("//")[2]
    lines = [f"host_base = {host}", f"host_bucket = {host}", f"use_https = {vault.server.tls}"]
    lines += ["bucket_location = us-east-1", f"access_key = {vault.server.root.access_key_id}"]
    lines += [f"secret_key = {vault.server.root.secret_access_key}", "multipart_chunk_size_mb = 5"]
    if vault.server.certificate:
        lines.append(f"ca_certs_file = {vault.server.certificate}")
    file.write_text("\n".join(["[default]", *lines]) + "\n")
    return file


def test_s3cmd_does_all_that_it_is_used_for(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """Files of one and of several parts, a folder twice, a copy, a move and a removal."""
    command = [S3CMD, "-c", _configure(vault, tmp_path / "s3cfg")]
    version = version_of([S3CMD, "--version"], 2)
    files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
    bucket = f"s3://{vault.bucket}"
    with vault.step("s3cmd", version, "put, get"):
        vault.run(*command, "put", folder / "sub/large.bin", f"{bucket}/large.bin")
        vault.assert_sealed({"large.bin": files["sub/large.bin"]})
        vault.run(*command, "get", f"{bucket}/large.bin", tmp_path / "large.bin")
        assert (tmp_path / "large.bin").read_bytes() == files["sub/large.bin"]
    with vault.step("s3cmd", version, "sync"):
        vault.run(*command, "sync", f"{folder}/", f"{bucket}/all/")
        vault.assert_sealed({f"all/{name}": content for name, content in files.items()})
        (tmp_path / "back").mkdir()
        vault.run(*command, "sync", f"{bucket}/all/", f"{tmp_path}/back/")
        assert read_files(tmp_path / "back") == files
    with vault.step("s3cmd", version, "cp, mv, del"):
        vault.run(*command, "cp", f"{bucket}/large.bin", f"{bucket}/copied.bin")
        vault.run(*command, "mv", f"{bucket}/copied.bin", f"{bucket}/moved.bin")
        vault.assert_sealed({"moved.bin": files["sub/large.bin"]})
        vault.run(*command, "del", f"{bucket}/moved.bin", f"{bucket}/large.bin")
        assert vault.list_keys() == ["all/small.txt", "all/sub/large.bin"]
