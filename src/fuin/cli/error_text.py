"""The one line about an error: what happened, and to which file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_WORDS = {
    errno.ENOENT: "does not exist",
    errno.EACCES: "may not be opened: this user has no right to it",
    errno.EPERM: "may not be changed: this user has no right to it",
    errno.EISDIR: "is a folder, not a file",
    errno.ENOTDIR: "is below a file, which is not a folder",
    errno.EEXIST: "exists already",
    errno.ENOSPC: "cannot be written: the disk is full",
    errno.EDQUOT: "cannot be written: this user's share of the disk is full",
    errno.EROFS: "cannot be written: the file system is read-only",
    errno.ENAMETOOLONG: "has a name that is too long for the file system",
    errno.EFBIG: "would be larger than a file may be here",
}


def text_of_error(error: Exception) -> str:
    """Return the text of an expected error; of one from the system, in words instead of a number."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    name = error.filename2 or error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    words = _WORDS.get(error.errno)
    if words is None:
        words = os.strerror(error.errno) if not error.strerror else error.strerror
        return f"{name}: {words}" if name else words
    if not name:
        return f"a file {words}"
    folder = Path(name).parent
    if error.errno == errno.ENOENT and not folder.is_dir():
        return f"{name} cannot be opened: the folder {folder} does not exist"
    return f"{name} {words}"
