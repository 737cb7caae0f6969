"""The labels of an object, over the wire: every field of `Labels` goes through each way of writing an object.

The tests go through the fields of `Labels`. A field without a sample fails them, and so does a write that loses one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from fuin.s3.request import metadata
from fuin.store.s3.labels import Labels
from tests.support.place import Place

Headers = Mapping[str, str]


class Sample(NamedTuple):
    """Two sets of headers for one label; answers have the same headers as the request, or those of `answers`.

    Without a directive, a copy has the source's label if `is_copied`, else the request's.
    """

    first: Headers
    second: Headers
    is_copied: bool
    answers: Mapping[str, Headers] = {}  # by a header's value


SAMPLES = {
    "headers": Sample(
        {
            "content-type": "a/b", "cache-control": "no-cache", "content-disposition": "inline",
            "content-encoding": "gzip", "content-language": "de", "expires": "Wed, 21 Oct 2026 07:28:00 GMT",
        },
        {
            "content-type": "c/d", "cache-control": "no-store", "content-disposition": "attachment",
            "content-encoding": "br", "content-language": "ja", "expires": "Thu, 22 Oct 2026 07:28:00 GMT",
        },
        is_copied=True,
    ),
    "metadata": Sample({"x-amz-meta-a": "1", "x-amz-meta-b": "2"}, {"x-amz-meta-a": "3", "x-amz-meta-b": "4"}, True),
    "storage_class": Sample({"x-amz-storage-class": "GLACIER"}, {"x-amz-storage-class": "STANDARD_IA"}, False),
    "tags": Sample(
        {"x-amz-tagging": "a=1&b=2"}, {"x-amz-tagging": "c=3"}, True,
        {"a=1&b=2": {"x-amz-tagging-count": "2"}, "c=3": {"x-amz-tagging-count": "1"}},
    ),
    "object_lock": Sample({"x-amz-object-lock-legal-hold": "ON"}, {"x-amz-object-lock-legal-hold": "OFF"}, False),
}  # fmt: skip
FIRST = {field: SAMPLES[field].first for field in Labels._fields if field in SAMPLES}
SECOND = {field: SAMPLES[field].second for field in Labels._fields if field in SAMPLES}
NOTHING: dict[str, Headers] = {"headers": {"content-type": metadata.DEFAULT_TYPE}}  # the labels of a bare request


@pytest.fixture
def bucket(place: Place) -> str:
    """Give a bucket in which objects may have every label."""
    name = f"{place.bucket()}-locked"
    place.s3().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def test_every_label_has_a_sample() -> None:
    """A new field of `Labels` needs one, in which each header has two values; so does a new standard header."""
    assert list(SAMPLES) == list(Labels._fields)
    assert sorted(SAMPLES["headers"].first) == sorted(name.decode() for name in metadata.STANDARD)
    for field, sample in SAMPLES.items():
        assert sample.first.keys() == sample.second.keys(), field
        assert all(sample.first[name] != sample.second[name] for name in sample.first), field


def flat(labels: Mapping[str, Headers]) -> dict[str, str]:
    """Return the headers of all labels."""
    return {name: value for headers in labels.values() for name, value in headers.items()}


def check(place: Place, path: str, labels: Mapping[str, Headers]) -> None:
    """Assert that HEAD and GET answer with these labels and no others."""
    for method in ("HEAD", "GET"):
        reply = place.send(method, path)
        assert reply.status == 200
        for field, sample in SAMPLES.items():
            answered = {name: reply.headers[name] for name in answers(sample, sample.first) if name in reply.headers}
            assert answered == answers(sample, labels.get(field, {})), (method, field)


def answers(sample: Sample, sent: Headers) -> Headers:
    """Return the headers of the answers for an object that was written with these headers."""
    found: dict[str, str] = {}
    for name, value in sent.items():
        found.update(sample.answers.get(value, {name: value}))
    return found


def send(place: Place, method: str, target: str, headers: Headers, body: bytes = b"") -> Any:
    """Send a request that has to succeed."""
    reply = place.send(method, target, {**headers, **(place.md5(body) if body else {})}, body)
    assert reply.status == 200, reply.body
    return reply


def test_a_put_stores_every_label(place: Place, bucket: str) -> None:
    """A later put has labels of its own, and one without headers has none but the default type."""
    for labels, stored in ((FIRST, FIRST), (SECOND, SECOND), ({}, NOTHING)):
        send(place, "PUT", f"/{bucket}/k", flat(labels), b"x")
        check(place, f"/{bucket}/k", stored)


COPY = {"x-amz-metadata-directive": "COPY", "x-amz-tagging-directive": "COPY"}
REPLACE = {"x-amz-metadata-directive": "REPLACE", "x-amz-tagging-directive": "REPLACE"}


@pytest.mark.parametrize("directive", [{}, COPY])
def test_a_copy_has_the_labels_of_its_source(place: Place, bucket: str, directive: Headers) -> None:
    """But for those that are always the request's: the storage class, which is STANDARD if the request names none."""
    send(place, "PUT", f"/{bucket}/k", flat(FIRST), b"x")
    for sent, others in ((SECOND, SECOND), ({}, NOTHING)):
        send(place, "PUT", f"/{bucket}/copy", {"x-amz-copy-source": f"{bucket}/k", **directive, **flat(sent)})
        copied = {
            field: FIRST[field] if sample.is_copied else others.get(field, {}) for field, sample in SAMPLES.items()
        }
        check(place, f"/{bucket}/copy", copied)
    check(place, f"/{bucket}/k", FIRST)


def test_a_copy_with_replace_has_the_labels_of_the_request(place: Place, bucket: str) -> None:
    """All of them, also those that the request does not name."""
    send(place, "PUT", f"/{bucket}/k", flat(FIRST), b"x")
    for sent, stored in ((SECOND, SECOND), ({}, NOTHING)):
        headers = {"x-amz-copy-source": f"{bucket}/k", **REPLACE, **flat(sent)}
        send(place, "PUT", f"/{bucket}/copy", headers)
        check(place, f"/{bucket}/copy", stored)


def test_each_directive_is_for_its_own_labels(place: Place, bucket: str) -> None:
    """One replaces the tags alone, the other one all but the tags."""
    send(place, "PUT", f"/{bucket}/k", flat(FIRST), b"x")
    for directive in REPLACE:
        headers = {"x-amz-copy-source": f"{bucket}/k", directive: "REPLACE", **flat(SECOND)}
        send(place, "PUT", f"/{bucket}/copy", headers)
        is_tagging = directive == "x-amz-tagging-directive"
        kept = {field: FIRST[field] for field in SAMPLES if (field == "tags") != is_tagging}
        check(
            place, f"/{bucket}/copy", SECOND | kept | {name: SECOND[name] for name in ("storage_class", "object_lock")}
        )


def test_a_completed_upload_has_the_labels_of_its_creation(place: Place, bucket: str) -> None:
    """They are the object's, in place of those of the object before; a repeated completion leaves them."""
    path = f"/{bucket}/k"
    for labels, stored in ((FIRST, FIRST), (SECOND, SECOND), ({}, NOTHING)):
        upload = send(place, "POST", f"{path}?uploads=", flat(labels)).text("UploadId")
        etag = send(place, "PUT", f"{path}?partNumber=1&uploadId={upload}", {}, b"x").headers["etag"]
        part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        for _ in range(2):
            send(place, "POST", f"{path}?uploadId={upload}", {}, document)
            check(place, path, stored)
