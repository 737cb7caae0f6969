"""The threads of a process that wait for S3; files have threads of their own, so a slow S3 does not stop them."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="fuin-s3-blobs")
_TURN = 20.0  # seconds that work waits for a thread; later nobody may be there any longer who wants it


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Begin to run a function in one of the threads; the future gives its result.

    Raises StoreUnavailable when no thread was free for long.
    """
    deadline = time.monotonic() + _TURN

    def run() -> T:
        if time.monotonic() > deadline:
            raise StoreUnavailable("all threads for blobs wait for S3")
        return function(*args, **kwargs)

    return asyncio.wrap_future(_THREADS.submit(run))
