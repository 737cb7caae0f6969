"""The services that a worker's operations use: made once for each worker; every call refers to them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.gate.bucket_keys import BucketKeys
from fuin.gate.packs import Packs
from fuin.gate.throttle import ConcurrencyLimit, Throttle
from fuin.xks.client import Proxies

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore
    from fuin.keyholder.wire.client import Keyholder
    from fuin.settings import Settings
    from fuin.store.store import Store

# Keys that take long, such as RSA keys, which an account may have made at once by one worker. The keyholder makes them
# one after the other, and keeps 256 waiting.
SLOW_AT_MOST = 32


@dataclass(slots=True)
class Services:
    """What a worker's operations use: settings, store, keyholder, blobs, and the proxies of external key stores."""

    settings: Settings
    store: Store
    keyholder: Keyholder
    blobs: BlobStore
    proxies: Proxies = field(init=False)
    throttle: Throttle = field(init=False)
    slow: ConcurrencyLimit = field(init=False)
    bucket_keys: BucketKeys = field(init=False)
    packs: Packs = field(init=False)
    # Held by a change that was overtaken, see `commit.py`. It is this worker's own: changes of other workers, and of
    # other nodes if there are any, may overtake it all the same, and then it tries again.
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.proxies = Proxies(self.settings, self.keyholder)
        self.throttle = Throttle(self.settings.request_quotas, self.settings.workers)
        self.slow = ConcurrencyLimit(SLOW_AT_MOST)
        self.bucket_keys = BucketKeys()
        self.packs = Packs(self.settings, self.store, self.blobs)
