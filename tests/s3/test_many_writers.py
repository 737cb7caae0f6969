"""Many writers at once: a list has each write as soon as it is answered, and of conditional writes one wins."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place, error_of

WRITERS = 32
SIZES = (10, 20_000)  # an object that lives in the database, and one that is a blob


@pytest.fixture
def clients(place: Place) -> list[Any]:
    """Give each writer a client of its own."""
    return [place.s3(checksums=False) for _ in range(WRITERS)]


def test_a_list_has_each_write_that_was_answered(clients: list[Any], bucket: str) -> None:
    """Each writer lists right after its own write, while 31 others write and delete."""
    start = Barrier(WRITERS)

    def write(number: int) -> None:
        s3, size = clients[number], SIZES[number % 2]
        start.wait(60)
        for turn in range(3):
            key = f"w{number:02}/{turn}"
            etag = s3.put_object(Bucket=bucket, Key=key, Body=os.urandom(size))["ETag"]
            [found] = s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
            assert (found["Key"], found["ETag"], found["Size"]) == (key, etag, size)
            whole = {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
            assert key in whole
            if turn:
                s3.delete_object(Bucket=bucket, Key=key)
                assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix=key)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    left = [each["Key"] for each in clients[0].list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == [f"w{number:02}/0" for number in range(WRITERS)]


@pytest.mark.parametrize("versioned", [False, True])
def test_one_conditional_write_wins(clients: list[Any], bucket: str, versioned: bool) -> None:
    """Of 32 that create a key, one does; of 32 that replace what they have seen, one does; nobody's write is lost."""
    if versioned:
        clients[0].put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    start = Barrier(WRITERS)

    def put(number: int, members: dict[str, str]) -> str:
        start.wait(60)
        body = os.urandom(SIZES[number % 2])  # whose ETag is of this write alone
        try:
            etag: str = clients[number].put_object(Bucket=bucket, Key="k", Body=body, **members)["ETag"]
        except ClientError as error:
            return error_of(error)[1]
        return etag

    condition: dict[str, str] = {"IfNoneMatch": "*"}
    for _ in range(4):
        with ThreadPoolExecutor(WRITERS) as pool:
            answers = list(pool.map(partial(put, members=condition), range(WRITERS)))
        won = [answer for answer in answers if answer != "PreconditionFailed"]
        assert len(won) == 1
        assert clients[0].head_object(Bucket=bucket, Key="k")["ETag"] == won[0]
        condition = {"IfMatch": won[0]}
    versions = clients[0].list_object_versions(Bucket=bucket)["Versions"]
    assert len(versions) == (4 if versioned else 1)
