"""The root key's file: how it is made, sealed by a passphrase, and when the keyholder refuses to open it."""

import os
import struct
from pathlib import Path

import pytest

from fuin.keyholder.command import EXIT_AUDIT, EXIT_PASSPHRASE, EXIT_ROOT_KEY
from fuin.keyholder.offline import PassphraseError, RootKeyError, create_root_key, needs_passphrase
from fuin.keyholder.sealed.root_key import MAGIC, open_root_key
from tests.keyholder.process import DRAFT, KEY_ID, Holder, play

ROOT = os.geteuid() == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a root key file that is not there yet."""
    return tmp_path / "root.key"


def test_first_start_makes_a_private_file(own: Holder) -> None:
    """The first start makes a key file for this user only; the second start opens the same key."""
    own.start()
    assert own.root_key.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in own.folder.iterdir() if "root.key" in entry.name] == ["root.key"]
    first = own.root_key.read_bytes()
    own.end()
    own.start()
    assert own.root_key.read_bytes() == first


def test_no_second_name_outlives_a_crash(path: Path) -> None:
    """A crash while the file is made leaves the key under a draft's name as well; opening the key removes that."""
    create_root_key(path, None)
    os.link(path, path.with_name("root.key.0123456789abcdef"))
    path.with_name("root.key.backup").touch()
    open_root_key(path, None)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["root.key", "root.key.backup"]


def test_keys_differ(tmp_path: Path) -> None:
    """Two root keys are never the same, and none is overwritten."""
    create_root_key(tmp_path / "one", None)
    create_root_key(tmp_path / "two", None)
    assert open_root_key(tmp_path / "one", None).key != open_root_key(tmp_path / "two", None).key
    with pytest.raises(FileExistsError):
        create_root_key(tmp_path / "one", None)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "two"]


def test_passphrase_round_trip(path: Path) -> None:
    """A root key sealed by a passphrase opens with that passphrase only, and does not stand in the file."""
    create_root_key(path, b"correct horse")
    assert needs_passphrase(path)
    key = open_root_key(path, b"correct horse").key
    assert len(key) == 32
    assert bytes(key) not in path.read_bytes()
    for wrong in (b"correct horse ", b"Correct horse", b"", None):
        with pytest.raises(PassphraseError):
            open_root_key(path, wrong)


def test_file_says_whether_it_needs_a_passphrase(path: Path) -> None:
    """A missing file and a plain one need none, and a plain one takes none."""
    assert not needs_passphrase(path)
    create_root_key(path, None)
    assert not needs_passphrase(path)
    with pytest.raises(PassphraseError):
        open_root_key(path, b"passphrase")
    with pytest.raises(PassphraseError):
        create_root_key(path.with_name("other"), b"")


@pytest.mark.parametrize("at", [len(MAGIC) + 1, len(MAGIC) + 13, len(MAGIC) + 29, -1])
def test_changed_sealed_file_does_not_open(path: Path, at: int) -> None:
    """Passes, salt, envelope and tag of a sealed root key are bound: a changed one opens nothing."""
    create_root_key(path, b"passphrase")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(RootKeyError):
        open_root_key(path, b"passphrase")


def test_absurd_parameters_are_refused(path: Path) -> None:
    """A file that asks for 4 TiB of memory does not get it."""
    create_root_key(path, b"passphrase")
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, len(MAGIC) + 5, 2**32 - 1)
    path.write_bytes(data)
    with pytest.raises(RootKeyError, match="out of range"):
        open_root_key(path, b"passphrase")


@pytest.mark.parametrize("data", [b"", MAGIC, MAGIC + b"\0" + bytes(31), MAGIC + b"\0" + bytes(33), b"x" * 50])
def test_other_files_are_refused(path: Path, data: bytes) -> None:
    """A file of another form or length is no root key."""
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(RootKeyError):
        open_root_key(path, None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_readable_by_others_is_refused(own: Holder, mode: int) -> None:
    """A key file that others may read is not opened."""
    create_root_key(own.root_key, None)
    own.root_key.chmod(mode)
    status, said = own.refusal()
    assert status == EXIT_ROOT_KEY
    assert "chmod 600" in said


def test_symbolic_link_is_refused(tmp_path: Path, path: Path) -> None:
    """A link in the place of the key file is not followed."""
    create_root_key(tmp_path / "elsewhere", None)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RootKeyError):
        open_root_key(path, None)


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
def test_file_of_another_user_is_refused(path: Path) -> None:
    """A key file that belongs to somebody else is not opened."""
    create_root_key(path, None)
    os.chown(path, 65534, 65534)
    with pytest.raises(RootKeyError):
        open_root_key(path, None)


def test_wrong_passphrase_ends_with_status_3(own: Holder) -> None:
    """With a wrong passphrase, or none, the keyholder says so and ends; with the right one it serves what it had."""
    own.passphrase = b"correct horse"
    own.start()
    material = play(own, lambda client: client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT))
    own.end()
    own.passphrase = b"battery staple"
    status, said = own.refusal()
    assert status == EXIT_PASSPHRASE
    assert "the passphrase does not open the root key" in said
    assert "battery" not in said
    own.passphrase = None
    assert own.refusal()[0] == EXIT_PASSPHRASE
    own.passphrase = b"correct horse"
    own.start()
    play(own, lambda client: client.data_key(material, b"", 32, DRAFT))


def test_passphrase_is_not_in_the_command_line_or_environment(own: Holder) -> None:
    """Nobody sees the passphrase in /proc."""
    own.passphrase = b"correct horse"
    own.start()
    for name in ("cmdline", "environ"):
        assert b"correct" not in Path(f"/proc/{own.pid}/{name}").read_bytes()


def test_missing_root_key_beside_a_log_is_refused(own: Holder) -> None:
    """When the root key is lost no new one is made silently: it could open nothing."""
    own.start().end()
    own.root_key.unlink()
    status, said = own.refusal()
    assert status == EXIT_ROOT_KEY
    assert "missing beside an audit log" in said
    assert not own.root_key.exists()


def test_other_root_key_is_refused(own: Holder) -> None:
    """A root key that did not sign this log is refused."""
    own.start().end()
    own.root_key.unlink()
    create_root_key(own.root_key, None)
    status, said = own.refusal()
    assert status == EXIT_AUDIT
    assert "another root key" in said
