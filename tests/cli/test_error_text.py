"""The line about an error: in words, with the file's name, without a number."""

import errno
import os
from pathlib import Path

import pytest

from fuin.cli.error_text import text_of_error
from fuin.errors import FuinError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (FuinError("what is wrong"), "what is wrong"),
        (OSError("no number"), "no number"),
        (OSError(errno.ENOENT, "x", "/tmp/none"), "/tmp/none does not exist"),
        (OSError(errno.ENOENT, "x", b"/tmp/none"), "/tmp/none does not exist"),
        (OSError(errno.ENOENT, "x", "/none/out"), "/none/out cannot be opened: the folder /none does not exist"),
        (OSError(errno.EACCES, "x", "a"), "a may not be opened: this user has no right to it"),
        (OSError(errno.EISDIR, "x", "a"), "a is a folder, not a file"),
        (OSError(errno.ENOSPC, "x", "a"), "a cannot be written: the disk is full"),
        (OSError(errno.ENOSPC, "x"), "a file cannot be written: the disk is full"),
        (OSError(errno.EIO, "Input/output error", "a"), "a: Input/output error"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
    ],
)
def test_text(error: Exception, says: str) -> None:
    """Each says what happened, and to which file."""
    assert text_of_error(error) == says


def test_unreadable_file(tmp_path: Path) -> None:
    """An error of the system itself."""
    if os.getuid() == 0:
        pytest.skip("root may read every file")
    (tmp_path / "x").touch(0)
    with pytest.raises(PermissionError) as caught:
        (tmp_path / "x").read_bytes()
    assert text_of_error(caught.value) == f"{tmp_path}/x may not be opened: this user has no right to it"
