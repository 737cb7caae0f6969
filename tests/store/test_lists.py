"""Pages of lists: one state of the database each, read beside the event loop, and nothing is written by them."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text

from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.store.identity import accounts
from fuin.store.store import Store
from tests.store import values


def test_a_page_sees_one_state_in_another_thread(settings: Settings) -> None:
    """What is committed between two queries of a page is not seen by the second; the next page shows it."""
    store = Store.open(settings)

    def twice(conn: Connection) -> tuple[list[str], list[str], str]:
        first = accounts.list_accounts(conn)
        store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
        return first, accounts.list_accounts(conn), threading.current_thread().name

    first, second, thread = asyncio.run(store.page(twice))
    assert (first, second) == ([], [])
    assert thread.startswith("fuin-lists")
    assert asyncio.run(store.page(accounts.list_accounts)) == [values.ACCOUNT]
    store.close()


def test_a_page_cannot_write(store: Store) -> None:
    """The connection of lists reads only, and goes on reading after such an attempt."""
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        asyncio.run(store.page(lambda conn: conn.execute(text("DELETE FROM buckets"))))
    assert asyncio.run(store.page(accounts.list_accounts)) == [values.ACCOUNT]


def test_a_closed_store_refuses_pages(settings: Settings) -> None:
    """After close a page is StoreUnavailable; to close once more does nothing."""
    store = Store.open(settings)
    store.close()
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.page(accounts.list_accounts))
