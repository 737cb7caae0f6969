"""s5cmd: cp, sync, mv and removal."""

from pathlib import Path

import pytest

from tests.interop.storage.environments import CLIENTS
from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files

S5CMD = CLIENTS / "s5cmd"
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(not S5CMD.exists(), reason="s5cmd is not installed (make clients)"),
]


def test_s5cmd_does_all_that_it_is_used_for(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """Parts side by side, a folder twice, a move and the removal of all objects in one request."""
    command = [S5CMD, "--endpoint-url", vault.server.url]
    version = version_of([S5CMD, "version"], 0).partition("-")[0]
    files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
    bucket = f"s3://{vault.bucket}"
    with vault.step("s5cmd", version, "cp"):
        vault.run(*command, "cp", "--part-size", "5", folder / "sub/large.bin", f"{bucket}/large.bin")
        vault.assert_sealed({"large.bin": files["sub/large.bin"]})
        vault.run(*command, "cp", "--part-size", "5", f"{bucket}/large.bin", tmp_path / "large.bin")
        assert (tmp_path / "large.bin").read_bytes() == files["sub/large.bin"]
    with vault.step("s5cmd", version, "sync"):
        vault.run(*command, "sync", f"{folder}/", f"{bucket}/all/")
        vault.assert_sealed({f"all/{name}": content for name, content in files.items()})
        assert vault.run(*command, "sync", f"{folder}/", f"{bucket}/all/").stdout == ""
        vault.run(*command, "sync", f"{bucket}/all/*", f"{tmp_path}/back/")
        assert read_files(tmp_path / "back") == files
    with vault.step("s5cmd", version, "mv, rm"):
        vault.run(*command, "mv", f"{bucket}/large.bin", f"{bucket}/moved.bin")
        vault.assert_sealed({"moved.bin": files["sub/large.bin"]})
        vault.run(*command, "rm", f"{bucket}/*")
        assert vault.list_keys() == []
