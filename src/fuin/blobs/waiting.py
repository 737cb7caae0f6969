"""Waiting for work that goes on, whatever becomes of the one who waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from asyncio import Future

T = TypeVar("T")


async def wait_until_done(future: Future[T]) -> T:
    """Wait for the future's end even when cancelled, and only then pass the cancellation on.

    The work may be writing a blob that the caller is about to remove.
    """
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.done():
            await asyncio.wait([future])
        raise
