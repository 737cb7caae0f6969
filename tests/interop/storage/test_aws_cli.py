"""The `aws` command line: cp, sync, mv, presign."""

from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.interop.storage.vault import LARGE, Vault, read_files, version_of, write_files
from tests.support.server import AWS

pytestmark = [pytest.mark.real, pytest.mark.clients]
CLIENT = "aws"


def test_cp_sync_mv_and_presign(vault: Vault, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder goes up and comes back, a second sync sends nothing, a file moves, a URL is read by anyone."""
    version = version_of([AWS, "--version"], 0).partition("/")[2]
    files = write_files(folder, {"small.txt": 1000, "sub/large.bin": LARGE})
    bucket = f"s3://{vault.bucket}"
    with vault.step(CLIENT, version, "cp"):
        vault.run(AWS, "s3", "cp", folder / "sub/large.bin", f"{bucket}/one.bin")
        vault.assert_sealed({"one.bin": files["sub/large.bin"]})
        vault.run(AWS, "s3", "cp", f"{bucket}/one.bin", tmp_path / "one.bin")
        assert (tmp_path / "one.bin").read_bytes() == files["sub/large.bin"]
    with vault.step(CLIENT, version, "sync"):
        vault.run(AWS, "s3", "sync", folder, f"{bucket}/all")
        vault.assert_sealed({f"all/{name}": content for name, content in files.items()})
        assert vault.run(AWS, "s3", "sync", folder, f"{bucket}/all").stdout == ""
        vault.run(AWS, "s3", "sync", f"{bucket}/all", tmp_path / "back")
        assert read_files(tmp_path / "back") == files
    with vault.step(CLIENT, version, "mv"):
        vault.run(AWS, "s3", "mv", f"{bucket}/one.bin", f"{bucket}/moved/two.bin")
        assert vault.list_keys("moved/") == ["moved/two.bin"]
        assert "one.bin" not in vault.list_keys()
        vault.assert_sealed({"moved/two.bin": files["sub/large.bin"]})
    with vault.step(CLIENT, version, "presign"):
        vault.run(AWS, "configure", "set", "default.s3.signature_version", "s3v4")
        url = vault.run(AWS, "s3", "presign", f"{bucket}/all/small.txt").stdout.strip()
        if vault.server.certificate:
            monkeypatch.setenv("SSL_CERT_FILE", str(vault.server.certificate))
        with urlopen(url) as answer:
            assert answer.read() == files["small.txt"]
