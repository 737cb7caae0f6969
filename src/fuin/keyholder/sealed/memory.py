"""Key bytes in memory: buffers that are wiped, and a bounded cache of them."""

import ctypes
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

UNUSED_LIMIT = 600.0  # seconds that an item stays in a cache without being used


def wipe(buffer: bytearray) -> None:
    """Overwrite a buffer with zeros in place."""
    if buffer:
        ctypes.memset((ctypes.c_char * len(buffer)).from_buffer(buffer), 0, len(buffer))


def overwrite(data: bytes) -> None:
    """Overwrite bytes that nobody else refers to with zeros, although Python takes them for unchangeable.

    For what a library hands out as `bytes`: left alone it would stay in freed memory. Bytes shorter than two are
    shared by the interpreter and left alone.
    """
    if len(data) > 1:
        ctypes.memset(ctypes.c_char_p(data), 0, len(data))


def move_to_buffer(data: bytes) -> bytearray:
    """Return bytes that a library just made in a buffer that can be wiped, and overwrite them where they stood."""
    buffer = bytearray(data)
    overwrite(data)
    return buffer


class KeyBytes:
    """Key bytes under a name, wiped when they leave the cache; `name` may be in a record."""

    __slots__ = ("key", "name", "used")

    def __init__(self, name: str, key: bytearray) -> None:
        self.name = name
        self.key = key
        self.used = 0.0  # when a cache gave it last, by that cache's clock

    def wipe(self) -> None:
        """Overwrite the bytes."""
        wipe(self.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


Item = TypeVar("Item", bound=KeyBytes)


class WipedCache(Generic[Item]):
    """The most recently used items, at most `limit` of them; items that leave are wiped.

    The least recently used one is first, so `wipe_unused` looks at no more items than it wipes, and one.
    """

    def __init__(self, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._items: OrderedDict[bytes, Item] = OrderedDict()
        self._limit = limit
        self._now = now

    def get(self, index: bytes) -> Item | None:
        """Return the item of `index` and count it as used now, or None."""
        item = self._items.get(index)
        if item is not None:
            self._items.move_to_end(index)
            item.used = self._now()
        return item

    def put(self, index: bytes, item: Item) -> None:
        """Keep an item; the least recently used one makes room."""
        item.used = self._now()
        self._items[index] = item
        if len(self._items) > self._limit:
            self._items.popitem(last=False)[1].wipe()

    def forget(self, name: str) -> None:
        """Wipe and drop all items of one name."""
        for index in [index for index, item in self._items.items() if item.name == name]:
            self._items.pop(index).wipe()

    def wipe_unused(self) -> None:
        """Wipe and drop what nobody has used for long, such as keys that another node has destroyed."""
        latest = self._now() - UNUSED_LIMIT
        while self._items and next(iter(self._items.values())).used <= latest:
            self._items.popitem(last=False)[1].wipe()

    def clear(self) -> None:
        """Wipe and drop everything."""
        for item in self._items.values():
            item.wipe()
        self._items.clear()

    def __len__(self) -> int:
        return len(self._items)
