"""rclone as Debian packages it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket, write
from tests.support.server import run

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed (tests/system-packages.sh)"),
]


def _rclone(place: EncryptedBucket, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run rclone with a remote `fuin:`; Debian's rclone does not start with AWS_CA_BUNDLE set."""
    variables = place.server.client_environment()
    variables.pop("AWS_CA_BUNDLE", None)
    options = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "true",
        "REGION": "us-east-1",
        "ENDPOINT": place.server.url,
        "FORCE_PATH_STYLE": "true",
        # rclone's documented way to be told that an ETag is no MD5; AWS's own SSE-KMS buckets need it too.
        "SERVER_SIDE_ENCRYPTION": "aws:kms",
        "SSE_KMS_KEY_ID": place.key_arn,
    }
    variables |= {f"RCLONE_CONFIG_FUIN_{name}": value for name, value in options.items()}
    trust = ["--ca-cert", str(place.server.certificate)] if place.server.certificate else []
    return run(["rclone", *trust, "--retries", "1", *arguments], variables)


def test_rclone_copies_checks_and_lists(place: EncryptedBucket, tmp_path: Path) -> None:
    """Copy up, check against the source byte by byte, list, copy down; parts included."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    contents = {
        "small.txt": write(folder / "small.txt", 1000),
        "sub/name with ümlaut.bin": write(folder / "sub" / "name with ümlaut.bin", 100_000),
        "large.bin": write(folder / "large.bin", 12 * 2**20),
    }
    remote = f"fuin:{place.bucket}/copied"
    _rclone(place, "copy", str(folder), remote, "--s3-upload-cutoff", "6M", "--s3-chunk-size", "5M")
    for name, content in contents.items():
        place.assert_sealed(f"copied/{name}", content)
    _rclone(place, "check", str(folder), remote, "--download")
    lines = [line.strip().split(" ", 1) for line in _rclone(place, "ls", remote).stdout.splitlines()]
    assert {name: int(size) for size, name in lines} == {name: len(content) for name, content in contents.items()}
    _rclone(place, "copy", remote, str(tmp_path / "back"))
    assert {name: (tmp_path / "back" / name).read_bytes() for name in contents} == contents


def test_rclone_sees_a_difference(place: EncryptedBucket, tmp_path: Path) -> None:
    """`rclone check` fails when a source has changed, so a passing check says something."""
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "file", 1000)
    _rclone(place, "copy", str(tmp_path / "a"), f"fuin:{place.bucket}/a")
    write(tmp_path / "a" / "file", 1000)
    with pytest.raises(AssertionError, match="differ"):
        _rclone(place, "check", str(tmp_path / "a"), f"fuin:{place.bucket}/a", "--download")
