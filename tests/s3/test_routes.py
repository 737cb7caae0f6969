"""The routes: all operations of botocore's model, each found by its own request, and what is not built says so."""

import json
from typing import Any

import botocore.loaders
import pytest

from fuin.s3 import routes
from fuin.s3.faults import S3Fault
from fuin.s3.operations import BUILT
from fuin.s3.routes import ROUTES, TWINS, Route
from tests.support.place import Place

MODEL: dict[str, Any] = botocore.loaders.Loader().load_service_model("s3", "service-2")
LEVELS = {"/": routes.SERVICE, "/{Bucket}": routes.BUCKET, "/{Bucket}/{Key+}": routes.OBJECT}


def modelled(name: str) -> Route:
    """Return an operation's route as botocore's model has it."""
    operation = MODEL["operations"][name]
    path, _, query = operation["http"]["requestUri"].partition("?")
    shape = MODEL["shapes"].get(operation.get("input", {}).get("shape"), {})
    members = [shape["members"][member] for member in shape.get("required", [])]
    names = [member["locationName"] for member in members if member.get("location") == "querystring"]
    headers = tuple(member["locationName"] for member in members if member.get("location") == "header")
    entries = (*(entry for entry in query.split("&") if entry), *names)
    return Route(name, operation["http"]["method"], LEVELS.get(path, routes.BUCKET), entries, headers)


def parsed(route: Route) -> dict[str, str]:
    """Return a query that names the operation."""
    return {name: value for name, _, value in (entry.partition("=") for entry in route.query)}


def test_routes_are_the_models() -> None:
    """The table is the model's, operation by operation; none is missing and none made up."""
    assert {route.operation: route for route in ROUTES} == {name: modelled(name) for name in MODEL["operations"]}


def test_built_operations_exist() -> None:
    """What is built stands in the model."""
    assert set(BUILT) <= set(MODEL["operations"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_each_operation_is_found(route: Route) -> None:
    """The request of each operation leads to it, or to the newer of two names for the same request."""
    headers = {header.encode() for header in route.headers}
    found = routes.match(route.method, route.level, parsed(route) | {"x-id": route.operation}, headers)
    assert found == TWINS.get(route.operation, route.operation)


@pytest.mark.parametrize(
    ("method", "level", "query", "status"),
    [
        ("POST", routes.BUCKET, {"acl": ""}, 405),
        ("PUT", routes.OBJECT, {"torrent": ""}, 405),
        ("PUT", routes.OBJECT, {"uploadId": "x"}, 405),
        ("PUT", routes.OBJECT, {"partNumber": "1"}, 405),
        ("PUT", routes.OBJECT, {"annotation": ""}, 405),
        ("DELETE", routes.OBJECT, {"uploads": ""}, 405),
        ("DELETE", routes.BUCKET, {"versioning": ""}, 405),
        ("HEAD", routes.OBJECT, {"acl": ""}, 405),
        ("PATCH", routes.OBJECT, {}, 405),
        ("POST", routes.OBJECT, {}, 405),
        ("POST", routes.BUCKET, {}, 501),
        ("OPTIONS", routes.OBJECT, {}, 403),
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
    for route in ROUTES:
        if route.operation in BUILT or route.operation in TWINS:
            continue
        path = {routes.BUCKET: f"/{bucket}", routes.OBJECT: f"/{bucket}/k"}[route.level]
        query = "&".join(f"{name}={value}" for name, value in parsed(route).items())
        body = b"" if route.method in {"GET", "DELETE"} else b"<x/>"
        reply = place.send(route.method, f"{path}?{query}", dict.fromkeys(route.headers, "x"), body)
        assert (route.operation, reply.status, reply.code) == (route.operation, 501, "NotImplemented")
        assert route.operation in reply.message
    assert place.s3().get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_error_document_has_all_its_members(place: Place, bucket: str) -> None:
    """Code, Message, Resource, RequestId, HostId; the ids stand in headers as well, and a record exists."""
    reply = place.send("GET", f"/{bucket}?versions")
    assert reply.text("Resource") == f"/{bucket}"
    assert reply.text("RequestId") == reply.headers["x-amz-request-id"]
    assert reply.text("HostId") == reply.headers["x-amz-id-2"]
    assert reply.headers["content-type"] == "application/xml"
    (record,) = place.drafts(reply.headers["x-amz-request-id"])
    assert json.loads(json.dumps(record))["error"] == "NotImplemented"
