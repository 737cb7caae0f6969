"""What an error answer of S3 says again of the request is bounded."""

from xml.etree import ElementTree

from fuin.s3.request import faults
from fuin.s3.request.faults import S3Fault


def test_the_longest_key_is_said_again_whole() -> None:
    """A key has 1,024 bytes at most, and in a path each may take three characters."""
    resource = "/" + "b" * 63 + "/" + "%26" * 1024
    document = ElementTree.fromstring(faults.document(S3Fault("NoSuchKey", None, Key="k"), resource, "id", "host"))
    assert document.findtext("Resource") == resource
    assert document.findtext("Key") == "k"


def test_what_is_longer_is_cut() -> None:
    """Else 32 KiB of `&` in a path would leave as five times as many bytes, for nothing."""
    long = "&" * 32_000
    document = faults.document(S3Fault("InvalidArgument", long, ArgumentValue=long), "/" + long, "id", "host")
    assert len(document) < 3 * 5 * 4096 + 500
    assert ElementTree.fromstring(document).findtext("ArgumentValue") == "&" * 4096 + "…"
