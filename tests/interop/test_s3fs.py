"""s3fs (aiobotocore), in its own environment."""

from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket, write
from tests.support.server import REPOSITORY, run

pytestmark = pytest.mark.real
PYTHON = REPOSITORY / ".venv-s3fs" / "bin" / "python"
PROGRAM = Path(__file__).parent / "clients" / "s3fs_roundtrip.py"


def test_s3fs_writes_reads_lists_and_copies(place: EncryptedBucket, tmp_path: Path) -> None:
    """s3fs works on an SSE-KMS bucket, multipart and range reads included, and only ciphertext is stored."""
    content = write(tmp_path / "plain", 12 * 2**20)
    done = run([str(PYTHON), str(PROGRAM), place.bucket, str(tmp_path / "plain")], place.server.client_environment())
    assert done.stdout == "equal\n"
    for name in ("piped.bin", "put.bin", "written.bin"):
        place.assert_sealed(name, content)
