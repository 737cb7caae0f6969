"""Libraries for programs: obstore, pyarrow, minio-py and s3fs for Python, each in a small program of ours."""

from pathlib import Path

import pytest

from tests.interop.storage.environments import PYTHON
from tests.interop.storage.vault import LARGE, Vault, write_files
from tests.support.server import REPOSITORY

PROGRAMS = Path(__file__).parent / "programs"
S3FS_PYTHON = REPOSITORY / ".venv-s3fs" / "bin" / "python"
pytestmark = [
    pytest.mark.real,
    pytest.mark.clients,
    pytest.mark.skipif(not PYTHON.exists(), reason="the libraries are not installed (make clients)"),
]


@pytest.mark.parametrize(
    ("client", "program", "python"),
    [
        ("obstore", "obstore_files.py", PYTHON),
        ("pyarrow", "pyarrow_files.py", PYTHON),
        ("minio-py", "minio_files.py", PYTHON),
        ("s3fs for Python", "s3fs_files.py", S3FS_PYTHON),
    ],
)
def test_library_writes_reads_lists_copies_and_removes(
    vault: Vault, folder: Path, client: str, program: str, python: Path
) -> None:
    """The program says which version it has used; what it leaves is checked here."""
    content = write_files(folder, {"large.bin": LARGE})["large.bin"]
    version = vault.run(python, PROGRAMS / program, "--version").stdout.strip()
    with vault.step(client, version, "put, get, range, list, copy, delete"):
        assert vault.run(python, PROGRAMS / program, vault.bucket, folder / "large.bin").stdout == "right\n"
        assert vault.list_keys() == ["dir/copied.bin", "dir/large.bin"]
        vault.assert_sealed({"dir/copied.bin": content, "dir/large.bin": content})
