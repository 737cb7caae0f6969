"""Each header that an operation has in the service model is read, refused, or listed here with its reason."""

from collections.abc import Collection, Iterable, Iterator, Set
from typing import Any

import botocore.loaders
import pytest

from fuin.access.vocabulary.missing_capabilities import MISSING
from fuin.gate.http import Receive, Request, Scope
from fuin.s3.operations import OPERATIONS
from fuin.s3.request.operation import BUCKET, S3Operation
from fuin.testing.kit import http as edge
from tests.support.place import Place

MODEL: dict[str, Any] = botocore.loaders.Loader().load_service_model("s3", "service-2")
# Read by their beginning, with all headers in one go: SSE-C, checksums, and the grants of ACLs.
_PREFIXES = (
    *(prefix.decode() for row in MISSING for prefix in row.prefixes), "x-amz-checksum-crc", "x-amz-checksum-md5",
    "x-amz-checksum-sha", "x-amz-checksum-xxhash", "x-amz-grant-",
)  # fmt: skip
# Headers that no operation reads, and why not. Whoever builds a capability removes its headers from here.
UNREAD = {
    "x-amz-bucket-namespace": "there is one namespace, also for who asks for account-regional",
    "x-amz-bucket-object-lock-token": "AWS asked for it once; a bucket with versions needs none today",
    "x-amz-confirm-remove-self-bucket-access": "no policy is refused because it shuts its author out",
    "x-amz-if-match-initiated-time": "AWS: of directory buckets only",
    "x-amz-mfa": "there is no MFA delete that would ask for it",
    "x-amz-optional-object-attributes": "asks for the state of restored objects, and none is archived",
    "x-amz-request-payer": "nobody pays",
    "x-amz-skip-destination-validation": "notifications have no destinations",
}


class _RecordedNames(Set[bytes]):
    """The names of a request's headers, which keep those that somebody compares with them by `isdisjoint`."""

    def __init__(self, names: Collection[bytes], asked: set[str]) -> None:
        self._names, self._asked = names, asked

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        """Return whether none of the names is there, and keep them."""
        self._asked |= {name.decode() for name in other}
        return super().isdisjoint(other)


class _RecordedHeaders(dict[bytes, bytes]):
    """The headers of a request, which keep the names that its operation asks for.

    The service joins them with the headers in a presigned query (`__ror__`) when it has read the request, so what the
    signature and the route look at does not count.
    """

    def __init__(self, headers: dict[bytes, bytes], asked: set[str]) -> None:
        super().__init__(headers)
        self._asked = asked

    def get(self, name: bytes, default: Any = None) -> Any:
        """Return a header's value, and keep its name."""
        self._asked.add(name.decode())
        return super().get(name, default)

    def __getitem__(self, name: bytes) -> bytes:
        self._asked.add(name.decode())
        return super().__getitem__(name)

    def __ror__(self, other: Any) -> Any:
        return _RecordedHeaders(other | dict(self.items()), self._asked)

    def __contains__(self, name: object) -> bool:
        self._asked.add(name.decode() if isinstance(name, bytes) else str(name))
        return super().__contains__(name)

    def keys(self) -> Any:
        """Return a view that keeps the names that `isdisjoint` asks for; all other questions to it are for no name."""
        return _RecordedNames(super().keys(), self._asked)


def _modelled(row: S3Operation) -> set[str]:
    """Return the headers that an operation takes, but for those that are read by their beginning."""
    shape = MODEL["shapes"].get(MODEL["operations"][row.name].get("input", {}).get("shape"), {})
    members = shape.get("members", {}).values()
    names = {member["locationName"].lower() for member in members if member.get("location") == "header"}
    return {name for name in names if not name.startswith(_PREFIXES)}


# Their answer to a plain request is an error, after all headers were read.
_NOT_SET = ("GetObjectLegalHold", "GetObjectRetention", "PutObjectAcl", "PutObjectTagging")
_WITH_HEADERS = [row for row in OPERATIONS.values() if row.run is not None and row.is_modelled and _modelled(row)]


class _Requests:
    """A plain request for each operation: one that succeeds if the operation reads headers late."""

    def __init__(self, place: Place) -> None:
        self.place, self.bucket, self.s3 = place, f"{place.bucket()}-locked", place.s3()
        self.s3.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=True)
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"x")
        key = f"<SSE-KMS><KMSKeyArn>{place.new_key()}</KMSKeyArn></SSE-KMS>"
        self._update = f"<ObjectEncryption>{key}</ObjectEncryption>".encode()

    def _list_of_parts(self, upload: dict[str, Any]) -> bytes:
        """Return the document that completes an upload, after sending its part."""
        etag = self.s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"].strip('"')
        part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        return f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()

    def _upload(self) -> dict[str, Any]:
        upload: str = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        return {"Bucket": self.bucket, "Key": "k", "UploadId": upload}

    def _put_in_parts(self) -> None:
        """Make the object of a part with a checksum, since some headers are read for such objects only."""
        name = {"Bucket": self.bucket, "Key": "k"}
        upload = self.s3.create_multipart_upload(**name, ChecksumAlgorithm="SHA256")["UploadId"]
        part = self.s3.upload_part(**name, UploadId=upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
        parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
        self.s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": parts})

    def prepare(self, row: S3Operation) -> tuple[str, dict[str, str], bytes]:
        """Return target, headers and body of an operation's request, after making what it needs."""
        path = f"/{self.bucket}" if row.level == BUCKET else f"/{self.bucket}/k"
        path = f"/{self.bucket}-new" if row.name == "CreateBucket" else path
        body = {
            "PutObject": b"x", "UploadPart": b"x",
            "DeleteObjects": b"<Delete><Object><Key>none</Key></Object></Delete>",
            "PutObjectLegalHold": b"<LegalHold><Status>OFF</Status></LegalHold>", "PutObjectRetention": b"<Retention/>",
            "UpdateObjectEncryption": self._update,
        }.get(row.name, b"")  # fmt: skip
        query = [entry if entry != "partNumber" else "partNumber=1" for entry in row.query]
        if "uploadId" in row.query:
            upload = self._upload()
            query[query.index("uploadId")] = f"uploadId={upload['UploadId']}"
            if row.name == "CompleteMultipartUpload":
                body = self._list_of_parts(upload)
        if row.name == "GetObjectAttributes":
            self._put_in_parts()
        values = {"x-amz-copy-source": f"/{self.bucket}/k", "x-amz-object-attributes": "ETag,ObjectParts"}
        headers = {name: values[name] for name in row.headers}
        if row.name == "CopyObject":
            headers["x-amz-metadata-directive"] = "REPLACE"
        if row.name in ("DeleteObjects", "PutObjectLegalHold", "PutObjectRetention", "UpdateObjectEncryption"):
            headers |= self.place.md5(body)
        return f"{path}?{'&'.join(query)}" if query else path, headers, body


@pytest.fixture(scope="module")
def unread(place: Place) -> dict[str, set[str]]:
    """Give the headers of the model that no line of the server has asked for, by operation."""
    asked: set[str] = set()

    def recorded(scope: Scope, receive: Receive) -> Request:
        request = Request(scope, receive)
        request.headers = _RecordedHeaders(request.headers, asked)
        return request

    requests, found = _Requests(place), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge, "Request", recorded)
        for row in sorted(_WITH_HEADERS, key=lambda row: row.method == "DELETE" and not row.query):
            target, headers, body = requests.prepare(row)
            asked.clear()
            reply = place.send(row.method, target, headers, body)
            assert reply.status < 300 or row.level == BUCKET or row.name in _NOT_SET, row.name
            found[row.name] = _modelled(row) - asked
    return found


@pytest.mark.parametrize("name", [row.name for row in _WITH_HEADERS])
def test_a_header_is_read_refused_or_listed(unread: dict[str, set[str]], name: str) -> None:
    """An operation asks for each header that it has, so none of them is taken and passed over in silence."""
    assert unread[name] == _modelled(OPERATIONS[name]) & UNREAD.keys()


def test_the_list_has_no_other_headers(unread: dict[str, set[str]]) -> None:
    """Each listed header is one of the model's, and no row of a missing capability has it as well."""
    assert set().union(*unread.values()) == UNREAD.keys()
    assert not UNREAD.keys() & {header.decode() for row in MISSING for header in row.headers}
