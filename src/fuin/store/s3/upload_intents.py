"""Blobs that somebody writes, by their ids: said before the first byte, and taken back with what names the blob.

Only for blobs in a store that several nodes share, where no lock of one machine shows who writes. A sweep takes the
intent away from a blob that it finds abandoned. So a writer that was stopped for a week cannot name a blob that was
swept meanwhile: its transaction does not find its intent.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, insert, select

from fuin.errors import StoreUnavailable
from fuin.store.engine import schema

_i = schema.blob_intents
_BLOBS = schema.parameter("p_blobs", many=True)
_BEGUN = schema.parameter("p_begun", schema.TIME)
_INSERT = insert(_i)
_END = delete(_i).where(_i.c.blob.in_(_BLOBS))
_TAKE = delete(_i).where(_i.c.blob.in_(_BLOBS), _i.c.begun < _BEGUN)
_UNDER_WAY = select(_i.c.blob).where(_i.c.blob.in_(_BLOBS))
_FORGET = delete(_i).where(_i.c.begun < _BEGUN)


def begin(conn: Connection, blob: str, node: str, now: float) -> None:
    """Say that a node begins to write a blob."""
    conn.execute(_INSERT, {"blob": blob, "node": node, "begun": now})


def end(conn: Connection, blobs: Sequence[str]) -> None:
    """Take intents back, in the transaction that names their blobs; raises StoreUnavailable if a sweep was faster."""
    if conn.execute(_END, {"p_blobs": blobs}).rowcount != len(blobs):
        raise StoreUnavailable("a blob took so long that it was given up")


def forget(conn: Connection, blobs: Sequence[str]) -> None:
    """Take intents back whose blobs are not written after all; those that are gone do not matter."""
    conn.execute(_END, {"p_blobs": blobs})


def take_abandoned(conn: Connection, blobs: Iterable[str], before: float) -> set[str]:
    """Return the blobs that nobody writes; a writer that began before a moment may not name its blob from now on."""
    wanted = list(blobs)
    conn.execute(_TAKE, {"p_blobs": wanted, "p_begun": before})
    return set(wanted) - find_under_way(conn, wanted)


def find_under_way(conn: Connection, blobs: Iterable[str]) -> set[str]:
    """Return those of the blobs that somebody has begun to write, and not taken back."""
    return set(conn.execute(_UNDER_WAY, {"p_blobs": list(blobs)}).scalars())


def forget_old(conn: Connection, before: float) -> None:
    """Take back all intents from before a moment: those of writers that have crashed before their first byte."""
    conn.execute(_FORGET, {"p_begun": before})
