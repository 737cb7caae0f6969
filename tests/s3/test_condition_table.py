"""The table of condition keys and what requests to S3 bring: the same, for every action."""

from collections import defaultdict

import pytest

from fuin.access.condition_keys import TABLE as KEYS
from fuin.access.condition_keys import find, of_action
from fuin.gate.http import Receive, Request, Scope
from fuin.s3 import reference
from fuin.s3.routes import OBJECT
from fuin.s3.subresource_table import TABLE, Subresource
from fuin.testing.kit import http as edge
from tests.support.place import Place
from tests.support.questions import recorded_questions

_ACTIONS = {text.split(" ")[0] for actions in reference.ACTIONS.values() for text in actions}
_HEADERS = {
    name: "x"
    for key in KEYS
    if key.brought
    and key.name.startswith("s3:")
    and ("s3:PutObject" in key.actions or "s3:CreateBucket" in key.actions)
    for name in [key.name.removeprefix("s3:")]
    if name not in {"LocationConstraint", "ObjectCreationOperation", "x-amz-copy-source"}
}
_CONSTRAINT = (
    b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
)


def _target(row: Subresource) -> str:
    return f"/BUCKET{'/k' if row.level == OBJECT else ''}?{row.name}"


# What is asked for, of a bucket and an object k; answers do not matter.
_REQUESTS = (
    ("PUT", "/new-bucket-of-this-test"), ("GET", "/"), ("HEAD", "/BUCKET"),
    ("GET", "/BUCKET?prefix=p&delimiter=d&max-keys=1"), ("GET", "/BUCKET?list-type=2"), ("GET", "/BUCKET?uploads"),
    *(("GET", f"/BUCKET?{name}") for name in ("location", "policy", "policyStatus", "encryption", "acl")),
    *(("PUT", f"/BUCKET?{name}") for name in ("policy", "encryption", "acl")),
    *(("GET", _target(row)) for row in TABLE), *(("PUT", _target(row)) for row in TABLE if row.put),
    *(("DELETE", _target(row)) for row in TABLE if row.delete), ("GET", "/BUCKET/k?acl"), ("PUT", "/BUCKET/k?acl"),
    *(("DELETE", f"/BUCKET?{name}") for name in ("policy", "encryption")),
    ("PUT", "/BUCKET/k"), ("GET", "/BUCKET/k"), ("HEAD", "/BUCKET/k"), ("GET", "/BUCKET/k?attributes"),
    ("POST", "/BUCKET/k?uploads"), ("GET", "/BUCKET/k?uploadId=u"), ("DELETE", "/BUCKET/k?uploadId=u"),
    ("DELETE", "/BUCKET/k"), ("DELETE", "/BUCKET"),
)  # fmt: skip


@pytest.fixture(scope="module")
def brought(place: Place) -> dict[str, set[str]]:
    """Give the condition keys that requests have brought, by action, after every kind of request."""

    def over_tls(scope: Scope, receive: Receive) -> Request:
        request = Request(scope, receive)
        request.tls_version = "1.3"
        return request

    with pytest.MonkeyPatch.context() as patch, recorded_questions(lambda ask: ask.facts().everything()) as asked:
        patch.setattr(edge, "Request", over_tls)
        bucket = place.bucket()
        for method, target in _REQUESTS:
            more = {
                "PUT": _HEADERS if "?" in target else {**_HEADERS, "x-amz-copy-source": f"/{bucket}/k"},
                "DELETE": {"if-match": '"x"'},
                "GET": {"x-amz-object-attributes": "ETag"},
            }
            body = _CONSTRAINT if target.startswith("/new-bucket") else b""
            place.send(method, target.replace("BUCKET", bucket), more.get(method, {}), body)
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
    assert came == {key.name for key in of_action(action) if key.name.startswith("s3:")}
