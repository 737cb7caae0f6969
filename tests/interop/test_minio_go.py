"""minio-go, the S3 client inside restic, Velero and Thanos, in a small program of ours (`tests/interop/go`)."""

import pytest

from tests.interop.place import EncryptedBucket
from tests.support.server import REPOSITORY, run

PROGRAM = REPOSITORY / ".venv-go" / "minio"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PROGRAM.exists(), reason="go or its modules are not installed (make .venv-go/.done)"),
]


def test_minio_go_does_all_that_it_is_used_for(place: EncryptedBucket) -> None:
    """Parts, ranges, composed objects, copies, listings, URLs and removal; metadata and names beyond ASCII."""
    done = run([str(PROGRAM), place.bucket, place.key_arn], place.server.client_environment())
    assert done.stdout == "right\n"
