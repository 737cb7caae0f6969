"""The routes: all operations of botocore's model, each found by its own request, and what is not built says so."""

import json
from typing import Any

import botocore.loaders
import pytest

from fuin.s3 import routes
from fuin.s3.operations import OPERATIONS
from fuin.s3.request import operation
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.operation import CHECKED_DOCUMENT, NO_BODY, S3Operation
from tests.support.place import Place

MODEL: dict[str, Any] = botocore.loaders.Loader().load_service_model("s3", "service-2")
LEVELS = {"/": operation.SERVICE, "/{Bucket}": operation.BUCKET, "/{Bucket}/{Key+}": operation.OBJECT}
# Their ACLs come in headers or in a document, and old clients send neither digest nor checksum.
WITHOUT_DIGEST = ("PutBucketAcl", "PutObjectAcl")
Route = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def modelled(name: str) -> Route:
    """Return an operation's method, level, query and headers as botocore's model has them."""
    model = MODEL["operations"][name]
    path, _, query = model["http"]["requestUri"].partition("?")
    shape = MODEL["shapes"].get(model.get("input", {}).get("shape"), {})
    members = [shape["members"][member] for member in shape.get("required", [])]
    names = [member["locationName"] for member in members if member.get("location") == "querystring"]
    headers = tuple(member["locationName"] for member in members if member.get("location") == "header")
    entries = (*(entry for entry in query.split("&") if entry), *names)
    return model["http"]["method"], LEVELS.get(path, operation.BUCKET), entries, headers


def parsed(row: S3Operation) -> dict[str, str]:
    """Return a query that names the operation."""
    return {name: value for name, _, value in (entry.partition("=") for entry in row.query)}


def test_routes_are_the_models() -> None:
    """The table is the model's, operation by operation; none is missing and none made up but POST Object."""
    routes = {row.name: (row.method, row.level, row.query, row.headers) for row in OPERATIONS.values()}
    assert routes.pop("PostObject") == ("POST", operation.BUCKET, (), ())
    assert [row.name for row in OPERATIONS.values() if not row.is_modelled] == ["PostObject"]
    assert routes == {name: modelled(name) for name in MODEL["operations"]}


def test_documents_need_a_digest_where_the_model_says_so() -> None:
    """A built operation whose model requires a checksum refuses a document without one, and no other does."""
    for row in OPERATIONS.values():
        if not row.is_modelled:
            continue
        required = MODEL["operations"][row.name].get("httpChecksum", {}).get("requestChecksumRequired", False)
        if row.run is not None and row.name not in WITHOUT_DIGEST:
            assert (row.body == CHECKED_DOCUMENT) == required, row.name


def test_what_is_not_built_has_a_plain_row() -> None:
    """What only matters for a built operation is given for built operations only."""
    for row in OPERATIONS.values():
        if row.run is None:
            plain = S3Operation(
                row.name, row.method, row.level, row.query, headers=row.headers, newer_name=row.newer_name
            )
            assert row == plain
            assert row.body == NO_BODY


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_each_operation_is_found(row: S3Operation) -> None:
    """The request of each operation leads to it, or to the newer of two names for the same request."""
    headers = {header.encode() for header in row.headers}
    found = routes.match(row.method, row.level, parsed(row) | {"x-id": row.name}, headers)
    assert found.name == (row.newer_name or row.name)


@pytest.mark.parametrize(
    ("method", "level", "query", "status"),
    [
        ("POST", operation.BUCKET, {"acl": ""}, 405),
        ("PUT", operation.OBJECT, {"torrent": ""}, 405),
        ("PUT", operation.OBJECT, {"uploadId": "x"}, 405),
        ("PUT", operation.OBJECT, {"partNumber": "1"}, 405),
        ("PUT", operation.OBJECT, {"annotation": ""}, 405),
        ("DELETE", operation.OBJECT, {"uploads": ""}, 405),
        ("DELETE", operation.BUCKET, {"versioning": ""}, 405),
        ("HEAD", operation.OBJECT, {"acl": ""}, 405),
        ("PATCH", operation.OBJECT, {}, 405),
        ("POST", operation.OBJECT, {}, 405),
        ("POST", operation.SERVICE, {}, 405),
        ("POST", operation.BUCKET, {"cors": ""}, 405),
        ("OPTIONS", operation.OBJECT, {}, 405),
    ],
)
def test_unknown_requests_never_become_another_operation(
    method: str, level: str, query: dict[str, str], status: int
) -> None:
    """A sub-resource that a method does not know is refused: it is not PutObject, nor DeleteBucket."""
    with pytest.raises(S3Fault) as error:
        routes.match(method, level, query, set())
    assert error.value.status == status


def test_everything_not_built_answers_at_once(place: Place, bucket: str) -> None:
    """All operations that are not built answer 501 NotImplemented with S3's XML, and change nothing."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    for row in OPERATIONS.values():
        if row.run is not None or row.newer_name is not None:
            continue
        path = {operation.BUCKET: f"/{bucket}", operation.OBJECT: f"/{bucket}/k"}[row.level]
        query = "&".join(f"{name}={value}" for name, value in parsed(row).items())
        body = b"" if row.method in {"GET", "DELETE"} else b"<x/>"
        reply = place.send(row.method, f"{path}?{query}", dict.fromkeys(row.headers, "x"), body)
        assert (row.name, reply.status, reply.code) == (row.name, 501, "NotImplemented")
        assert row.name in reply.message
    assert place.s3().get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_error_document_has_all_its_members(place: Place, bucket: str) -> None:
    """Code, Message, Resource, RequestId, HostId; the ids stand in headers as well, and a record exists."""
    reply = place.send("PUT", f"/{bucket}?website")
    assert reply.text("Resource") == f"/{bucket}"
    assert reply.text("RequestId") == reply.headers["x-amz-request-id"]
    assert reply.text("HostId") == reply.headers["x-amz-id-2"]
    assert reply.headers["content-type"] == "application/xml"
    (record,) = place.drafts(reply.headers["x-amz-request-id"])
    assert json.loads(json.dumps(record))["error"] == "NotImplemented"
