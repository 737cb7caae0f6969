"""The worker's few threads for what would block the event loop: digests, encryption and files.

hashlib, AES-GCM and the file calls release the interpreter's lock for large buffers, so other requests go on.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

# More than there are cores: most of these threads wait for the disk to confirm.
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="fuin-s3")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Begin to run a function in a thread of the pool; the future gives its result."""
    future = _THREADS.submit(function, *args, **kwargs)
    return asyncio.wrap_future(future)


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread of the pool to its end.

    A cancelled caller still waits for the thread, since it may be writing a file that the caller is about to remove.
    """
    return await settled(start(function, *args, **kwargs))


async def settled(future: asyncio.Future[T]) -> T:
    """Wait for the future's end even when cancelled, and only then pass the cancellation on."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.done():
            await asyncio.wait([future])
        raise
