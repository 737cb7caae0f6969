"""Reading what a server knows without the server and without a key: who may read its files, or its database, may."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fuin.errors import FuinError
from fuin.settings import Settings
from fuin.store.store import Store


def require_data(settings: Settings) -> None:
    """Raise FuinError when there is neither a database to ask nor a server's data folder."""
    if not settings.database_url and not settings.database.exists():
        data = settings.data
        raise FuinError(f"{data} holds no Fuin server's data; `fuin serve --data {data}` makes it")


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator[Store]:
    """Yield a server's store, for reading only; the server may run meanwhile. Raises FuinError."""
    require_data(settings)
    store = Store.open(settings, create=False)
    try:
        yield store
    finally:
        store.close()
