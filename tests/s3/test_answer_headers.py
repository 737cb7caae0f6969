"""Each header that an answer about an object has in the service model is sent, or listed here with its reason.

A header that is missing shows in no other test: a client that does not get it sees an empty member.
"""

import base64
from collections import defaultdict
from typing import Any

import botocore.loaders
import pytest

from fuin.s3.payload.checksums import ALGORITHMS
from tests.s3.test_customer_keys import SOURCE, allow, named
from tests.s3.test_labels import FIRST, flat
from tests.support.place import Place, Reply

MODEL: dict[str, Any] = botocore.loaders.Loader().load_service_model("s3", "service-2")
OPERATIONS = (
    "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "GetObject", "HeadObject", "PutObject",
)  # fmt: skip
SSE = "x-amz-server-side-encryption"
_NO_HOLDS = "there are no event holds"
# Headers that no answer has, and why not. To build a capability, remove its headers from here.
UNSENT = {
    "x-amz-archive-status": "every object can be read at once, whatever its storage class",
    "x-amz-delete-marker": "of answers that are errors",
    "x-amz-object-lock-event-hold": _NO_HOLDS,
    "x-amz-object-lock-event-hold-duration-days": _NO_HOLDS,
    "x-amz-object-lock-event-hold-duration-years": _NO_HOLDS,
    "x-amz-object-size": "AWS: of directory buckets only",
    "x-amz-replication-status": "there is no replication",
    "x-amz-request-charged": "nobody pays",
    "x-amz-restore": "no object is archived, so none is restored",
    "x-amz-website-redirect-location": "there is no website",
}


def _modelled(name: str) -> set[str]:
    """Return the headers of an operation's answer; x-amz-meta- is the beginning of all its names."""
    members = MODEL["shapes"][MODEL["operations"][name]["output"]["shape"]]["members"].values()
    return {member["locationName"].lower() for member in members if member.get("location") in ("header", "headers")}


class _Answers:
    """The headers of the answers of each operation."""

    def __init__(self, place: Place) -> None:
        self.place, self.sent = place, defaultdict[str, set[str]](set)

    def ask(self, operation: str, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Reply:
        """Send a request that has to succeed, and keep the names of the answer's headers."""
        reply = self.place.send(method, target, headers, body)
        assert reply.status in (200, 206), reply.body
        names = {name.lower() for name in reply.headers}
        if any(name.startswith("x-amz-meta-") for name in names):
            names.add("x-amz-meta-")
        self.sent[operation] |= names
        return reply

    def read(self, path: str, headers: dict[str, str]) -> Reply:
        """Send GET and HEAD; returns the answer of HEAD."""
        self.ask("GetObject", "GET", path, headers)
        return self.ask("HeadObject", "HEAD", path, headers)


@pytest.fixture(scope="module")
def sent(place: Place, key: str) -> dict[str, set[str]]:
    """Give the headers of all answers to requests that ask for as much as they can, by operation."""
    answers, bucket = _Answers(place), f"{place.bucket()}-locked"
    place.s3().create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = "<Rule><Filter/><Status>Enabled</Status>{}</Rule>"
    aborted = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
    actions = ("<Expiration><Days>1</Days></Expiration>", f"{aborted}</AbortIncompleteMultipartUpload>")
    rules = f"<LifecycleConfiguration>{''.join(map(rule.format, actions))}</LifecycleConfiguration>".encode()
    assert place.send("PUT", f"/{bucket}?lifecycle", place.md5(rules), rules).status == 200
    path = f"/{bucket}/k"
    context = base64.b64encode(b'{"a":"b"}').decode()
    encryption = {
        SSE: "aws:kms", f"{SSE}-aws-kms-key-id": key, f"{SSE}-context": context, f"{SSE}-bucket-key-enabled": "true",
    }  # fmt: skip
    lock = {
        "x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold": "OFF",
    }  # fmt: skip
    headers, mode = encryption | flat(FIRST) | lock, {"x-amz-checksum-mode": "ENABLED"}
    answers.ask("PutObject", "PUT", path, headers | place.md5(b"x"), b"x")
    for algorithm in ALGORITHMS.values():
        asked = {"x-amz-copy-source": path, "x-amz-checksum-algorithm": algorithm.name, **headers}
        answers.ask("CopyObject", "PUT", f"{path}-copy", asked)
        value = answers.read(f"{path}-copy", mode).headers[algorithm.header.decode()]
        answers.ask("PutObject", "PUT", path, headers | {algorithm.header.decode(): value}, b"x")
    answers.read(path, {"range": "bytes=0-0"})
    place.sql("UPDATE objects SET metadata = :names WHERE bucket = :bucket", names='{"no name":"1"}', bucket=bucket)
    answers.read(f"{path}-copy", {})
    algorithm_header = {"x-amz-checksum-algorithm": "CRC64NVME"}
    upload = answers.ask("CreateMultipartUpload", "POST", f"{path}?uploads=", headers | algorithm_header)
    upload_id = upload.text("UploadId")
    etag = place.send("PUT", f"{path}?partNumber=1&uploadId={upload_id}", {}, b"x").headers["etag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    answers.ask("CompleteMultipartUpload", "POST", f"{path}?uploadId={upload_id}", {}, document)
    answers.read(f"{path}?partNumber=1", {})
    _ask_with_customer_keys(answers, place, bucket)
    return answers.sent


def _ask_with_customer_keys(answers: _Answers, place: Place, bucket: str) -> None:
    """Ask for everything once more under a key of the client's, which a bucket has to allow."""
    allow(place, bucket)
    path, own = f"/{bucket}/own", named()
    answers.ask("PutObject", "PUT", path, own, b"x")
    answers.read(path, own)
    answers.ask("CopyObject", "PUT", path, {"x-amz-copy-source": path, **own, **named(prefix=SOURCE)})
    upload_id = answers.ask("CreateMultipartUpload", "POST", f"{path}?uploads=", own).text("UploadId")
    place.send("DELETE", f"{path}?uploadId={upload_id}")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_header_is_sent_or_listed(sent: dict[str, set[str]], name: str) -> None:
    """An answer has each header of its model that is not listed, so no client waits for one in vain.

    An upload has no version id before it is completed, though AWS's model has had one since 2026.
    """
    early = {"x-amz-version-id"} if name == "CreateMultipartUpload" else set[str]()
    assert _modelled(name) - sent[name] == _modelled(name) & (UNSENT.keys() | early)


def test_the_list_has_no_other_headers() -> None:
    """Each listed header is one of the model's."""
    assert set().union(*map(_modelled, OPERATIONS)) >= UNSENT.keys()
