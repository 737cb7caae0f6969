"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UMASK_LOCK = threading.Lock()
_UNFINISHED: set[Path] = set()


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
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o666 & ~_read_umask()
    _UNFINISHED.add(temporary)
    try:
        # For this user alone until it is whole, so that what a sudden end leaves behind can be read by nobody else.
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        _rename_to(temporary, place, force=force)
    except OSError as error:
        if error.filename == str(temporary) or (error.filename is None and error.errno in _FULL):
            raise OSError(error.errno, os.strerror(error.errno or 0), str(target)) from error  # not the temporary name
        raise
    finally:
        _UNFINISHED.discard(temporary)
        with suppress(OSError):
            temporary.unlink()


def remove_unfinished() -> None:
    """Remove the files that are being written, in a process that ends without waiting for its threads."""
    for temporary in tuple(_UNFINISHED):
        with suppress(OSError):
            temporary.unlink()


def _read_umask() -> int:
    with _UMASK_LOCK:  # it can only be read by setting it
        mask = os.umask(0o077)
        os.umask(mask)
    return mask


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
