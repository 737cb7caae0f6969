"""The bucket keys that a worker keeps for a short time: the only place where their plaintext is.

A bucket key is a data key of KMS. Under it the object store encrypts the data keys of many objects of one bucket, so
that it asks KMS seldom. A kept bucket key gives nobody a right: before one is taken from here, it is decided that the
caller may use the KMS key now (`kms/bucket_keys.py`). docs/decisions/0025-bucket-keys.md has the reasons and bounds.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from fuin.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

LIFETIME = 300.0  # seconds from KMS's answer until the plaintext is wiped
AT_MOST = 1024  # bucket keys in memory
_BOOT_TIME = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
WRAPS_AT_MOST = 2**20  # data keys that one bucket key encrypts


class BucketKey:
    """A bucket key: its plaintext, its ciphertext blob, the ARN of its KMS key and the key material that KMS used."""

    __slots__ = ("blob", "ends", "key_arn", "material_id", "plaintext", "wraps_left")

    def __init__(self, plaintext: bytes, blob: bytes, key_arn: str, material_id: bytes) -> None:
        self.plaintext = Secret(plaintext)
        self.blob = blob
        self.key_arn = key_arn
        self.material_id = material_id
        self.ends = 0.0  # by the clock of its keeper
        self.wraps_left = WRAPS_AT_MOST

    def take_wrap(self) -> bytes:
        """Return the plaintext in order to encrypt one more data key under it."""
        self.wraps_left -= 1
        return self.plaintext.reveal()

    def __repr__(self) -> str:
        return f"BucketKey({self.key_arn})"


class BucketKeys:
    """Bucket keys in memory, by who uses them for what; bounded in number, time and use, and wiped at their end."""

    def __init__(self, clock: Callable[[], float] = _BOOT_TIME) -> None:
        """Make an empty keeper; `clock` gives seconds, also those in which the machine sleeps."""
        self._clock = clock
        self._keys: OrderedDict[Hashable, BucketKey] = OrderedDict()  # in the order of their ends
        self._requests: dict[Hashable, asyncio.Event] = {}  # to KMS, under way
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, name: Hashable, key_arn: str, material_id: bytes) -> BucketKey | None:
        """Return a kept bucket key that may be used now: of this KMS key and key material, not too old, not used up."""
        kept = self._keys.get(name)
        if kept is None:
            return None
        if (kept.key_arn, kept.material_id) == (key_arn, material_id) and kept.wraps_left and kept.ends > self._clock():
            return kept
        self.drop(name)
        return None

    def keep(self, name: Hashable, key: BucketKey) -> BucketKey:
        """Keep a bucket key, in place of one with its name, and return it; the oldest one goes if there are many."""
        self.drop(name)
        if len(self._keys) >= AT_MOST:
            self.drop(next(iter(self._keys)))
        key.ends = self._clock() + LIFETIME
        self._keys[name] = key
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LIFETIME, self.wipe_ended)
        return key

    def drop(self, name: Hashable) -> None:
        """Wipe a bucket key, if it is kept."""
        kept = self._keys.pop(name, None)
        if kept is not None:
            kept.plaintext.wipe()

    def wipe(self) -> None:
        """Wipe all bucket keys."""
        for name in list(self._keys):
            self.drop(name)

    def wipe_ended(self) -> None:
        """Wipe the bucket keys whose time is over, and come again when that of the next one is."""
        now = self._clock()
        while self._keys:
            name, oldest = next(iter(self._keys.items()))
            if oldest.ends > now:
                break
            self.drop(name)
        self._timer = None
        if self._keys:
            self._timer = asyncio.get_running_loop().call_later(oldest.ends - now, self.wipe_ended)

    async def wait_for_request(self, name: Hashable) -> bool:
        """Wait until a request to KMS for this bucket key has ended; returns False at once if there is no such one."""
        under_way = self._requests.get(name)
        if under_way is None:
            return False
        await under_way.wait()
        return True

    @contextmanager
    def request(self, name: Hashable) -> Iterator[None]:
        """Let all others who need this bucket key wait while KMS is asked for it."""
        done = self._requests[name] = asyncio.Event()
        try:
            yield
        finally:
            del self._requests[name]
            done.set()
