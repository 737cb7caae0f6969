"""Reading all rows of a kind, page by page, in the memory of one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fuin.store.store import Store


async def read_pages(store: Store, read: Callable[..., list[Any]], after: Any, size: int) -> AsyncIterator[list[Any]]:
    """Yield the pages of `read(conn, after, size)`, each of rows with a greater `mark` than the page before."""
    while page := await store.read(read, after, size):
        yield page
        after = page[-1].mark
