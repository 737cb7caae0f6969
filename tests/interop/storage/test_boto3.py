"""boto3's transfer manager, the classic one and the one of the Common Runtime."""

from pathlib import Path

import awscrt
import boto3
import pytest
from boto3.s3.transfer import TransferConfig

from tests.interop.storage.vault import LARGE, Vault, write_files

pytestmark = [pytest.mark.real, pytest.mark.clients]


def test_classic_transfers(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """Several parts at once, up, down and from object to object."""
    name = "boto3, transfer manager"
    files = write_files(folder, {"large.bin": LARGE})
    config = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20, max_concurrency=4)
    s3 = vault.s3
    with vault.step(name, boto3.__version__, "upload"):
        s3.upload_file(str(folder / "large.bin"), vault.bucket, "large.bin", Config=config)
        vault.assert_sealed(files)
    with vault.step(name, boto3.__version__, "download"):
        s3.download_file(vault.bucket, "large.bin", str(tmp_path / "back"), Config=config)
        assert (tmp_path / "back").read_bytes() == files["large.bin"]
    with vault.step(name, boto3.__version__, "copy"):
        s3.copy({"Bucket": vault.bucket, "Key": "large.bin"}, vault.bucket, "copied.bin", Config=config)
        vault.assert_sealed({"copied.bin": files["large.bin"]})


def test_crt_transfers(vault: Vault, folder: Path, tmp_path: Path) -> None:
    """The runtime speaks TLS only, and in path style to an address only."""
    if not vault.server.tls:
        pytest.skip("the CRT speaks TLS only")
    name = f"boto3, CRT {awscrt.__version__}"
    write_files(folder, {"large.bin": LARGE})
    program = Path(__file__).parent / "programs" / "crt.py"
    variables = {"AWS_ENDPOINT_URL_S3": f"https://127.0.0.1:{vault.server.port}"}
    python = Path(__file__).parents[3] / ".venv/bin/python"
    with vault.step(name, boto3.__version__, "upload, download"):
        vault.run(python, program, vault.bucket, folder / "large.bin", tmp_path / "back", **variables)
        assert (tmp_path / "back").read_bytes() == (folder / "large.bin").read_bytes()
        vault.assert_sealed({"large.bin": (folder / "large.bin").read_bytes()})
