"""The few threads of a process in which blobs' files are written and read, with the work on their bytes.

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
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="fuin-blobs")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Begin to run a function in one of the threads; the future gives its result."""
    return asyncio.wrap_future(_THREADS.submit(function, *args, **kwargs))
