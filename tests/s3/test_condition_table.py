"""The table of condition keys and what requests to S3 bring: the same, for every action."""

from collections import defaultdict

import pytest

from fuin.access.vocabulary.condition_keys import TABLE as KEYS
from fuin.access.vocabulary.condition_keys import find, keys_of_action
from fuin.gate.http import Receive, Request, Scope
from fuin.s3.operations import OPERATIONS
from fuin.s3.request.operation import BUCKET, OBJECT, S3Operation
from fuin.testing.kit import http as edge
from tests.support.place import Place
from tests.support.questions import recorded_questions

_BUILT = [row for row in OPERATIONS.values() if row.run is not None]
_ACTIONS = {text.partition(" ")[0] for row in _BUILT for text in row.actions}
_HEADERS = {key.name.removeprefix("s3:"): "x" for key in KEYS if key.from_header and key.name != "s3:x-amz-copy-source"}
_CONSTRAINT = (
    b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
)


_LOCK = {
    "x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z",
    "x-amz-object-lock-legal-hold": "ON",
}  # fmt: skip
_NEW_BUCKET = "new-bucket-of-this-test"


def _target(row: S3Operation, bucket: str, version: str | None) -> str:
    """Return the target of an operation's request: the bucket, or its object k, with all that names the operation."""
    name = _NEW_BUCKET if row.name == "CreateBucket" else bucket
    path = {BUCKET: f"/{name}", OBJECT: f"/{name}/k"}.get(row.level, "/")
    query = [entry if "=" in entry or entry != "partNumber" else "partNumber=1" for entry in row.query]
    query += ["prefix=p", "delimiter=d", "max-keys=1"] if row.lists else []
    query += [] if version is None else [f"versionId={version}"]
    return f"{path}?{'&'.join(query)}" if query else path


def _headers(row: S3Operation, bucket: str) -> dict[str, str]:
    """Return the headers of an operation's request, with all of which policies can speak."""
    values = {"x-amz-copy-source": f"/{bucket}/k", "x-amz-object-attributes": "ETag"}
    more = {"PUT": _HEADERS | {"x-amz-tagging": "a=b"} | _LOCK, "DELETE": {"if-match": '"x"'}}.get(row.method, {})
    return {**more, **{name: values[name] for name in row.headers}}


def _order(row: S3Operation) -> tuple[bool, bool, bool]:
    """Return the place of a request: what removes the object's tags, the object or the bucket comes last."""
    return row.name == "DeleteObjectTagging", row.method == "DELETE" and not row.query, row.level == BUCKET


@pytest.fixture(scope="module")
def brought(place: Place) -> dict[str, set[str]]:
    """Give the condition keys that requests have brought, by action, after every kind of request."""

    def over_tls(scope: Scope, receive: Receive) -> Request:
        request = Request(scope, receive)
        request.tls_version = "1.3"
        return request

    with pytest.MonkeyPatch.context() as patch, recorded_questions(lambda ask: ask.facts().find_all()) as asked:
        patch.setattr(edge, "Request", over_tls)
        bucket = place.bucket()
        place.s3().put_object(Bucket=bucket, Key="k", Tagging="a=b")
        for row in sorted(_BUILT, key=_order):
            body = _CONSTRAINT if row.name == "CreateBucket" else b""
            for version in ("null", None) if row.takes_version and row.level == OBJECT else (None,):
                place.send(row.method, _target(row, bucket, version), _headers(row, bucket), body)
                if row.method == "DELETE":
                    place.s3().put_object(Bucket=bucket, Key="k", Tagging="a=b")
    found: dict[str, set[str]] = defaultdict(set)
    for ask in asked:
        found[ask.action] |= set(ask.facts())
    return found


def test_every_action_was_asked_for(brought: dict[str, set[str]]) -> None:
    """So what follows speaks of all actions that are built."""
    assert set(brought) == _ACTIONS


@pytest.mark.parametrize("action", sorted(_ACTIONS))
def test_an_action_brings_what_the_table_says(brought: dict[str, set[str]], action: str) -> None:
    """No key comes to an action that is not its own, and each of S3's own comes in some request."""
    names = {name: find(name) for name in brought[action]}
    assert [name for name, key in names.items() if key is None or not key.belongs(action) or not key.brought] == []
    came = {key.name for key in names.values() if key is not None and key.name.startswith("s3:")}
    assert came == {key.name for key in keys_of_action(action) if key.name.startswith("s3:")}
