"""Listing, against a model that rolls up all keys in memory."""

import itertools
import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from fuin.settings import Settings
from fuin.store.engine import schema, sqlite
from fuin.store.identity import accounts
from fuin.store.s3 import buckets, listing, versions
from fuin.store.s3.listing import list_objects
from fuin.store.store import Store
from tests.store import values
from tests.support.rows import multiply

Page = tuple[list[str], bool]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Give one store for all examples; each has a bucket of its own, beside those of the others."""
    store = Store.open(Settings(data=tmp_path_factory.mktemp("listing")))
    store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
    yield store
    store.close()


def _bucket(store: Store, keys: set[str]) -> str:
    """Make a bucket that holds `keys`; returns its name."""
    name = f"bucket-{next(_numbers)}"

    def put(conn: Connection) -> None:
        buckets.insert_bucket(conn, values.bucket(name))
        for key in keys:
            versions.publish(conn, values.obj(key, bucket=name))

    store.write_sync(put)
    return name


def _model(keys: set[str], prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Return the entries of a page in the simplest way: roll up every key, sort, cut."""
    entries = set()
    for key in keys:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            entries.add(key if at < 0 else key[: at + len(delimiter)])
    ordered = sorted((entry for entry in entries if entry.encode() > after.encode()), key=str.encode)
    return ordered[:limit], limit > 0 and len(ordered) > limit


def _page(store: Store, bucket: str, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    page = store.read_sync(list_objects, bucket, prefix, delimiter, after, limit)
    entries = sorted([*(one.key for one in page.objects), *page.prefixes], key=str.encode)
    assert page.last == (entries[-1] if entries else None)
    assert list(page.prefixes) == sorted(page.prefixes, key=str.encode)
    return entries, page.truncated


# Few letters, so that prefixes and delimiters meet often; the last ones are at the borders of UTF-8's lengths.
_letters = st.sampled_from(["a", "b", "/", "/", "\x00", "\x7f", "\u0080", "\u07ff", "\ud7ff", "\uffff", "\U0010ffff"])
_text = st.lists(_letters, max_size=6).map("".join)
_key = st.lists(_letters, min_size=1, max_size=6).map("".join)


@settings(max_examples=1000 if os.environ.get("FUIN_LONG") else 60, deadline=None)
@given(st.sets(_key, max_size=60), st.data())
def test_pages_are_those_of_the_model(shared: Store, keys: set[str], data: st.DataObject) -> None:
    """Any keys, prefix, delimiter (of any length), marker and limit give what the model gives."""
    chunk = data.draw(st.sampled_from([1, 2, 3, 32]), "rows before a jump")
    name = _bucket(shared, keys)
    with patch.object(listing, "_FEWEST", chunk):
        for _ in range(8):
            prefix = data.draw(_text | st.sampled_from(sorted(keys) or [""]))
            delimiter = data.draw(st.sampled_from(["", "/", "/", "a", "//", "/a", "\u07ff", "\U0010ffff"]))
            after = data.draw(st.just("") | _text | st.sampled_from(sorted(keys) or [""]))
            limit = data.draw(st.integers(0, 8) | st.just(1000))
            asked = (prefix, delimiter, after, limit)
            assert _page(shared, name, *asked) == _model(keys, *asked), asked


@pytest.mark.parametrize("chunk", [2, 3, 4, 32])
def test_page_goes_on_where_its_rows_end(shared: Store, chunk: int) -> None:
    """Small folders between single keys use up the rows of a query before the page is full; it asks for more."""
    keys = {f"{number:02}{rest}" for number in range(30) for rest in ("/a", "/b", "x")}
    name = _bucket(shared, keys)
    with patch.object(listing, "_FEWEST", chunk):
        for limit in range(1, 65):
            assert _page(shared, name, "", "/", "", limit) == _model(keys, "", "/", "", limit), limit


@settings(max_examples=20, deadline=None)
@given(st.sets(_key, max_size=80), st.sampled_from(["", "/", "a"]), st.integers(1, 5))
def test_pages_join_without_gap_or_repetition(shared: Store, keys: set[str], delimiter: str, limit: int) -> None:
    """Following `last` from page to page gives every entry once."""
    name = _bucket(shared, keys)
    found: list[str] = []
    truncated = True
    while truncated:
        entries, truncated = _page(shared, name, "", delimiter, found[-1] if found else "", limit)
        found += entries
    assert found == _model(keys, "", delimiter, "", 10_000)[0]


@given(st.binary(max_size=8).filter(lambda raw: b"\xff" not in raw), st.binary(max_size=8))
def test_beyond_is_the_least_upper_bound(prefix: bytes, other: bytes) -> None:
    """What starts with the prefix is below the bound; what is below it and not below the prefix starts with it."""
    bound = listing.end_of_prefix(prefix)
    if b"\xff" not in other:
        assert prefix <= prefix + other < bound
        assert (prefix <= other < bound) == other.startswith(prefix)


def test_summaries_tell_the_objects(store: Store) -> None:
    """A listing gives each object's ETag, size, time and checksum."""
    store.write_sync(versions.publish, values.obj("k"))
    page = store.read_sync(list_objects, "bucket")
    assert page.objects == (listing.Summary("k", "etag", 10, 4.5, None, None),)
    assert (page.prefixes, page.truncated, page.last) == ((), False, "k")


def test_empty_and_absent_buckets_give_an_empty_page(store: Store) -> None:
    """Whether the bucket exists is the caller's question; limit 0 gives an empty page that is not truncated."""
    empty = listing.Listing((), (), False, None)
    store.write_sync(versions.publish, values.obj("k"))
    assert store.read_sync(list_objects, "none") == empty
    assert store.read_sync(list_objects, "bucket", limit=0) == empty


@pytest.mark.sqlite_only("it counts the steps of its machine")
@pytest.mark.parametrize("count", [1, 2000])
def test_common_prefix_is_passed_over_by_one_seek(store: Store, count: int) -> None:
    """However many keys are under a prefix, listing over it takes the same few steps of SQLite's machine."""

    def fill(conn: Connection) -> None:
        versions.publish(conn, values.obj("a/first"))
        names = [f"{folder}/{number:06}" for folder in ("a", "b", "c") for number in range(count)]
        multiply(conn, schema.objects, ({"key": name.encode()} for name in names), bucket="bucket")

    store.write_sync(fill)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def count_steps(conn: Connection) -> listing.Listing:
        sqlite.raw_of(conn).set_progress_handler(step, 10)
        try:
            return list_objects(conn, "bucket", "", "/")
        finally:
            sqlite.raw_of(conn).set_progress_handler(None, 0)

    page = store.read_sync(count_steps)
    assert page.prefixes == ("a/", "b/", "c/")
    assert steps < 300, steps
