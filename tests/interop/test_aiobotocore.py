"""aiobotocore, in the environment that it shares with s3fs."""

from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket
from tests.support.server import REPOSITORY, run

pytestmark = pytest.mark.real
PYTHON = REPOSITORY / ".venv-s3fs" / "bin" / "python"
PROGRAM = Path(__file__).parent / "clients" / "aiobotocore_kms.py"


def test_data_keys_are_opened_in_parallel(place: EncryptedBucket) -> None:
    """GenerateDataKey, then fifty Decrypts at once over fifty connections, each answered with its own plaintext."""
    done = run([str(PYTHON), str(PROGRAM), place.key_arn], place.server.client_environment())
    assert done.stdout == "equal\n"
