"""aws4, the signer that programs for Node.js use without an SDK."""

import shutil
from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket
from tests.support.server import REPOSITORY, run

PACKAGES = REPOSITORY / ".venv-javascript"
PROGRAM = Path(__file__).parent / "javascript" / "aws4.cjs"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        shutil.which("node") is None or not (PACKAGES / ".done").exists(),
        reason="node or the packages of .venv-javascript are not installed (tests/system-packages.sh)",
    ),
]


def test_requests_that_aws4_signs_are_taken(place: EncryptedBucket) -> None:
    """KMS, STS, and objects whose names are hard to sign, by header and by query."""
    variables = place.server.client_environment() | {"NODE_PATH": str(PACKAGES / "node_modules")}
    done = run(["node", str(PROGRAM), place.bucket, place.key_arn], variables)
    assert done.stdout == "right\n"
