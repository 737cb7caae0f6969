"""Reading a server's data folder without the server and without a key: the right to read its files is enough."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fuin.errors import FuinError
from fuin.settings import Settings
from fuin.store.store import Store


@contextlib.contextmanager
def reading(data: Path) -> Iterator[Store]:
    """Yield the store of a data folder, for reading only; the server may run meanwhile. Raises FuinError."""
    settings = Settings(data=data.absolute())
    if not settings.database.exists():
        raise FuinError(f"{data} holds no Fuin server's data; `fuin serve --data {data}` makes it")
    store = Store.open(settings, create=False)
    try:
        yield store
    finally:
        store.close()
