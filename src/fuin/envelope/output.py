"""Output files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator


def refuse_existing(target: Path, *, force: bool) -> None:
    """Raise FuinError if `target` is a folder, or a file that may not be replaced without `force`."""
    if target.is_dir():
        raise FuinError(f"{target} is a folder")
    if target.is_file() and not force:
        raise FuinError(f"{target} exists; --force replaces it")


@contextmanager
def whole_file(target: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Give a new file beside `target` to write to; it gets that name only if the block ends without an error.

    A device or pipe is written to directly, since it cannot be replaced. A replaced file keeps its permissions.
    Raises FuinError if `target` exists and `force` is not set, also if it was created meanwhile.
    """
    refuse_existing(target, force=force)
    place = Path(os.path.realpath(target))  # a link stays a link: its target is replaced
    if place.exists() and not place.is_file():
        with place.open("wb") as device:
            yield device
        return
    temporary = place.with_name(f".{place.name[:200]}.{secrets.token_hex(6)}.tmp")
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else None
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename_to(temporary, place, force=force)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _rename_to(temporary: Path, place: Path, *, force: bool) -> None:
    if not force:
        try:
            os.link(temporary, place)  # unlike a rename, it never replaces
        except FileExistsError:
            raise FuinError(f"{place} exists; --force replaces it") from None
        except OSError:  # a file system without links
            refuse_existing(place, force=False)
        else:
            return
    temporary.replace(place)
