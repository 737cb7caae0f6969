"""The HTTP client of the JDK, which offers an upgrade to HTTP/2 with every request over plain http."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.interop.place import EncryptedBucket, payload
from tests.support.server import run

PROGRAM = Path(__file__).parent / "clients" / "Http.java"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed"),
]


@pytest.mark.parametrize("place", ["http"], indirect=True)
def test_jdk_client_offers_http2_and_is_answered(place: EncryptedBucket) -> None:
    """Presigned URLs with and without a body's length, then KMS and STS with requests that it signs itself."""
    s3 = place.server.new_client("s3", signature_version="s3v4")

    def link(operation: str, name: str) -> Any:
        return s3.generate_presigned_url(operation, Params={"Bucket": place.bucket, "Key": name}, ExpiresIn=300)

    links = [link(operation, name) for name in ("a b+c", "other") for operation in ("put_object", "get_object")]
    s3.close()
    line = payload(32).decode()
    # Compiling in memory takes most of the time; the quick compiler alone is enough for so little.
    done = run(["java", "-XX:TieredStopAtLevel=1", str(PROGRAM), *links, line], place.server.client_environment())
    assert done.stdout == "right\n"
    place.assert_sealed("a b+c", line.encode() * 8192)
