"""Output files appear whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from fuin.envelope.output import remove_unfinished, whole_file
from fuin.errors import FuinError


def write(target: Path, data: bytes, *, force: bool = False, error: BaseException | None = None) -> None:
    """Write a whole file, or fail after having written."""
    with whole_file(target, force=force) as file:
        file.write(data)
        if error:
            raise error


def test_file_appears_at_the_end(tmp_path: Path) -> None:
    """Nothing has the target's name until everything is written."""
    target = tmp_path / "out"
    with whole_file(target, force=False) as file:
        file.write(b"text")
        assert not target.exists()
    assert target.read_bytes() == b"text"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [FuinError("x"), OSError("x"), KeyboardInterrupt()])
def test_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    """Neither the target nor the temporary file remains."""
    with pytest.raises(type(error)):
        write(tmp_path / "out", b"text", error=error)
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_old_file(tmp_path: Path) -> None:
    """With force, the old content stays until the new one is whole."""
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(FuinError, match="x"):
        write(target, b"new", force=True, error=FuinError("x"))
    assert target.read_bytes() == b"old"


def test_unfinished_file_is_private(tmp_path: Path) -> None:
    """Nobody else can read it until it is whole; then it has the permissions that any new file has."""
    with whole_file(tmp_path / "out", force=False) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    (tmp_path / "usual").touch()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_errors_name_the_target(tmp_path: Path) -> None:
    """The temporary name is nobody's concern."""
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "no" / "out", b"text")
    assert caught.value.filename == str(tmp_path / "no" / "out")
    with pytest.raises(OSError, match="out") as full:
        write(tmp_path / "out", b"text", error=OSError(errno.ENOSPC, "x"))
    assert full.value.filename == str(tmp_path / "out")


def test_process_that_ends_at_once_leaves_nothing(tmp_path: Path) -> None:
    """What threads are writing is removed without them."""
    writing = whole_file(tmp_path / "out", force=False)
    writing.__enter__().write(b"text")
    remove_unfinished()
    assert list(tmp_path.iterdir()) == []
    assert not writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_existing_file_is_refused(tmp_path: Path) -> None:
    """Nothing is replaced unasked."""
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(FuinError, match="--force"), whole_file(target, force=False):
        pass
    assert target.read_bytes() == b"old"


def test_file_that_came_meanwhile_is_refused(tmp_path: Path) -> None:
    """The name is taken without a race."""
    target = tmp_path / "out"
    writing = whole_file(target, force=False)
    writing.__enter__().write(b"new")
    target.write_bytes(b"meanwhile")
    with pytest.raises(FuinError, match="--force"):
        writing.__exit__(None, None, None)
    assert target.read_bytes() == b"meanwhile"
    assert list(tmp_path.iterdir()) == [target]


def test_name_is_taken_by_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without force nothing is renamed, since a rename would replace what came a moment before."""
    monkeypatch.delattr(Path, "replace")
    write(tmp_path / "out", b"text")
    assert (tmp_path / "out").read_bytes() == b"text"


def test_force_replaces_and_keeps_permissions(tmp_path: Path) -> None:
    """A private file does not become public by being replaced."""
    target = tmp_path / "out"
    target.write_bytes(b"old")
    target.chmod(0o600)
    with whole_file(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_link_stays_a_link(tmp_path: Path) -> None:
    """What the link points to is replaced."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with whole_file(link, force=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder is no output."""
    with pytest.raises(FuinError, match="folder"), whole_file(tmp_path, force=True):
        pass


def test_device_is_written_to(tmp_path: Path) -> None:
    """A device is not replaced by a file."""
    with whole_file(Path(os.devnull), force=False) as file:
        file.write(b"text")
    assert Path(os.devnull).is_char_device()


def test_no_links_on_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hard links do not exist, a rename does."""

    def refuse(*_: object) -> None:
        raise PermissionError("no links")

    monkeypatch.setattr(os, "link", refuse)
    with whole_file(tmp_path / "out", force=False) as file:
        file.write(b"text")
    assert (tmp_path / "out").read_bytes() == b"text"
