"""Lists hold nobody up: they are read and written down beside the event loop, by rights that the caller still has."""

import asyncio
import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from fuin.store.engine import lists
from tests.identity.many import PARTS, FullPlace
from tests.support.place import ANYTHING
from tests.support.processes import wait_until
from tests.support.turns import longest_turn

Answer = tuple[int, bytes]
Ask = Callable[[FullPlace], Answer]

LONGEST = 0.006  # seconds of work in one turn of the loop; these took 10 to 1,000 ms, and take 3 at most


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullPlace]:
    """Give an account with rows by the thousand."""
    made = FullPlace(tmp_path_factory.mktemp("full") / "data")
    yield made
    made.close()


def _s3(path: str, method: str = "GET", body: bytes = b"") -> Ask:
    return lambda place: place.ask("s3", method, path.replace("UPLOAD", place.upload), body)


def _delete(place: FullPlace) -> Answer:
    """Delete a thousand objects that there are not."""
    body = b"<Delete>" + b"".join(b"<Object><Key>none%05d</Key></Object>" % n for n in range(1000)) + b"</Delete>"
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return place.ask("s3", "POST", "/big?delete=", body, {"Content-MD5": digest})


def _wrong_completion(place: FullPlace) -> Answer:
    """Complete the upload, but for its last part's ETag, so that it is there to be asked again."""
    part = "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>"
    parts = [part % (n, place.etag if n < PARTS else "wrong") for n in range(1, PARTS + 1)]
    body = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
    status, answer = place.ask("s3", "POST", f"/big/mp?uploadId={place.upload}", body)
    assert b"InvalidPart" in answer
    return 200 if status == 400 else status, answer


def _list_keys(place: FullPlace) -> Answer:
    place.forget()
    return place.ask_kms("ListKeys", Limit=1000)


# Each kind of list, and what else is about very many rows.
LONG: dict[str, Ask] = {
    "ListObjects": _s3("/big"),
    "ListObjectsV2": _s3("/big?list-type=2"),
    "ListObjectsV2 by delimiter": _s3("/big?delimiter=%2F&list-type=2"),
    "ListMultipartUploads": _s3("/big?uploads="),
    "ListMultipartUploads by delimiter": _s3("/big?delimiter=%2F&uploads="),
    "ListParts": _s3("/big/mp?uploadId=UPLOAD"),
    "ListBuckets": _s3("/"),
    "CompleteMultipartUpload": _wrong_completion,
    "ListKeys": _list_keys,
    "ListUsers": lambda place: place.iam("ListUsers", MaxItems="1000"),
    "GetGroup": lambda place: place.iam("GetGroup", GroupName="all", MaxItems="1000"),
    "ListPolicies": lambda place: place.iam("ListPolicies", MaxItems="1000"),
    "ListEntitiesForPolicy": lambda place: place.iam(
        "ListEntitiesForPolicy", PolicyArn=place.policy["Arn"], MaxItems="1000"
    ),
    "GetAccountAuthorizationDetails": lambda place: place.iam("GetAccountAuthorizationDetails", MaxItems="1000"),
}
# Lists that are shorter, and are read in the same way.
SHORT: dict[str, Ask] = {
    "ListAliases": lambda place: place.ask_kms("ListAliases"),
    "ListGrants": lambda place: place.ask_kms("ListGrants", KeyId=place.key),
    "ListRetirableGrants": lambda place: place.ask_kms("ListRetirableGrants", RetiringPrincipal=place.user),
    "ListGroups": lambda place: place.iam("ListGroups"),
    "ListInstanceProfiles": lambda place: place.iam("ListInstanceProfiles"),
    "ListRoles": lambda place: place.iam("ListRoles"),
    "GetAccountSummary": lambda place: place.iam("GetAccountSummary"),
}

ALL = LONG | SHORT


@pytest.mark.parametrize("name", LONG)
def test_no_turn_is_long(full: FullPlace, name: str) -> None:
    """While a page of a thousand entries is made, no turn of the event loop takes longer than some milliseconds."""
    ask = LONG[name]
    status, answer = ask(full)  # the first one loads models and fills caches
    assert status == 200, answer
    assert longest_turn(full.loop, lambda: ask(full)) < LONGEST


def test_no_turn_is_long_for_many_deletes(full: FullPlace) -> None:
    """Nor while the rights to a thousand objects are asked for, one by one."""
    assert _delete(full)[0] == 200
    assert longest_turn(full.loop, lambda: _delete(full)) < LONGEST


@contextmanager
def _held_up(place: FullPlace) -> Iterator[None]:
    """Keep the thread that reads lists from its work."""
    let_go = threading.Event()
    held = asyncio.run_coroutine_threadsafe(place.services.store.run_beside(let_go.wait, 30), place.loop)
    _wait_for(place, 1)
    try:
        yield
    finally:
        let_go.set()
        assert held.result(30)


def _wait_for(place: FullPlace, waiting: int) -> None:
    wait_until(lambda: place.services.store._lists._waiting == waiting, 60, f"{waiting} wait for the thread")


@contextmanager
def _waiting(place: FullPlace, ask: Callable[[], Answer]) -> Iterator[Future[Answer]]:
    """Ask for a list that waits until the end of the context."""
    with ThreadPoolExecutor(1) as asking, _held_up(place):
        answer = asking.submit(ask)
        _wait_for(place, 2)
        yield answer
        assert not answer.done()


@pytest.mark.parametrize("name", ALL)
def test_others_are_answered_meanwhile(full: FullPlace, name: str) -> None:
    """A list that has to wait lets others be answered, and is answered in the end."""
    with _waiting(full, lambda: ALL[name](full)) as answer:
        assert full.ask_kms("GenerateDataKey", KeyId=full.key, KeySpec="AES_256")[0] == 200
    assert answer.result(30)[0] == 200


def test_too_many_lists_are_refused(full: FullPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many lists wait already, one more is told to come again, in each service's own words."""
    monkeypatch.setattr(lists, "WAITING_AT_MOST", 1)
    with _held_up(full):
        for ask, status, code in (
            (_s3("/big"), 503, b"<Code>SlowDown</Code>"),
            (lambda place: place.ask_kms("ListKeys"), 400, b"ThrottlingException"),
            (lambda place: place.iam("ListUsers"), 400, b"<Code>Throttling</Code>"),
        ):
            answer = ask(full)
            assert answer[0] == status
            assert code in answer[1]
    assert _s3("/big")(full)[0] == 200


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda place, user: place.ask("s3", "GET", "/big", user=user), b"AccessDenied"),
        (lambda place, user: place.ask_kms("ListKeys", user), b"AccessDeniedException"),
        (lambda place, user: place.iam("ListUsers", user), b"AccessDenied"),
    ],
)
def test_a_right_that_is_taken_meanwhile_shows_nothing(
    full: FullPlace, ask: Callable[..., Answer], code: bytes
) -> None:
    """A list that waits while its caller loses the right to it is refused: it would show what came after that."""
    user = full.new_user(ANYTHING)
    with _waiting(full, lambda: ask(full, user)) as answer:
        assert full.iam("DeleteUserPolicy", UserName=user.name, PolicyName="own")[0] == 200
    status, body = answer.result(30)
    assert status in {400, 403}
    assert code in body


def test_a_key_that_is_taken_meanwhile_shows_nothing(full: FullPlace) -> None:
    """Nor is a list given to an access key that was switched off while the list waited."""
    user = full.new_user(ANYTHING)
    with _waiting(full, lambda: full.ask("s3", "GET", "/big", user=user)) as answer:
        named = full.iam("UpdateAccessKey", UserName=user.name, AccessKeyId=user.access_key_id, Status="Inactive")
        assert named[0] == 200
    status, body = answer.result(30)
    assert status == 403
    assert b"InvalidAccessKeyId" in body


@pytest.mark.parametrize("query", ["", "?uploads="])
def test_a_bucket_of_somebody_else_shows_nothing(full: FullPlace, query: str) -> None:
    """A bucket that is deleted, and made again by another account, while its list waits, is not listed."""
    name = f"moved{len(query)}"
    mine, others = full.service("s3"), full.service("s3", full.other_root)
    mine.create_bucket(Bucket=name)
    with _waiting(full, lambda: full.ask("s3", "GET", f"/{name}{query}")) as answer:
        mine.delete_bucket(Bucket=name)
        others.create_bucket(Bucket=name)
        others.put_object(Bucket=name, Key="secret", Body=b"")
    status, body = answer.result(30)
    assert status == 404
    assert b"secret" not in body


def test_every_bucket_is_listed_once(full: FullPlace) -> None:
    """ListBuckets without a page size gives 10,000 and a token; the pages after it give the rest, each name once."""
    s3 = full.service("s3")
    first = s3.list_buckets()
    assert len(first["Buckets"]) == 10_000
    rest = s3.list_buckets(ContinuationToken=first["ContinuationToken"])
    assert "ContinuationToken" not in rest
    names = [bucket["Name"] for bucket in (*first["Buckets"], *rest["Buckets"])]
    assert names == sorted(set(names))
    assert {"big", "full-00000", "full-09999"} <= set(names)
    few = s3.list_buckets(Prefix="full-0999", MaxBuckets=4)
    assert [bucket["Name"] for bucket in few["Buckets"]] == [f"full-0999{n}" for n in range(4)]
    assert s3.list_buckets(Prefix="full-", BucketRegion="eu-west-1")["Buckets"] == []


def test_details_give_everything_once(full: FullPlace) -> None:
    """GetAccountAuthorizationDetails, page after page, gives each user, group and policy once."""
    iam = full.service("iam")
    pages = [*iam.get_paginator("get_account_authorization_details").paginate(Filter=["Group", "LocalManagedPolicy"])]
    policies = [policy["PolicyName"] for page in pages for policy in page["Policies"]]
    assert policies == ["all", *(f"p{n:05}" for n in range(len(policies) - 1))]
    assert len(policies) == 1201
    assert [group["GroupName"] for page in pages for group in page["GroupDetailList"]] == ["all"]


def test_an_object_of_many_parts_is_read_beside_the_loop(full: FullPlace) -> None:
    """HeadObject and GetObjectAttributes of an object of 10,000 parts hold nobody up, and find its last part."""
    s3 = full.service("s3")
    upload = s3.create_multipart_upload(Bucket="big", Key="parts")["UploadId"]
    full.services.store.write_sync(full.copy_parts, upload)
    named = [{"PartNumber": n, "ETag": full.etag} for n in range(1, PARTS + 1)]
    s3.complete_multipart_upload(Bucket="big", Key="parts", UploadId=upload, MultipartUpload={"Parts": named})
    head = s3.head_object(Bucket="big", Key="parts", PartNumber=PARTS)
    assert head["PartsCount"] == PARTS
    ask = _s3(f"/big/parts?partNumber={PARTS}", "HEAD")
    assert ask(full)[0] == 206
    assert longest_turn(full.loop, lambda: ask(full)) < LONGEST
    with _waiting(full, lambda: ask(full)) as answer:
        assert full.ask_kms("GenerateDataKey", KeyId=full.key, KeySpec="AES_256")[0] == 200
    assert answer.result(30)[0] == 206
