"""LUKS2 on files: headers, tokens, keys and re-encryption need no device-mapper."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.host import local
from fuin.host.disk import WrongKeyError
from fuin.host.luks2 import reencryption
from fuin.host.luks2.format import Luks2
from fuin.host.luks2.header import read_header
from fuin.host.programs import HostError
from fuin.host.records import Record
from fuin.host.token import Token, choose_tokens
from fuin.secret import Secret
from tests.host.fakes import FakeHost
from tests.host.needs import needs_cryptsetup

pytestmark = needs_cryptsetup
MIB = 1024 * 1024
KEY = bytes(range(64))
TOKEN = Token("vol-0aaaaaaa", "vol-0aaaaaaa", "arn:aws:kms:us-east-1:1:key/a", b"wrapped" * 40)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a formatted file; tests work on copies of it."""
    disk = tmp_path_factory.mktemp("luks2") / "disk"
    with disk.open("wb") as file:
        file.truncate(20 * MIB)
    Luks2().make(disk, Secret(KEY), TOKEN)
    return disk


@pytest.fixture
def disk(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the formatted file."""
    return Path(shutil.copyfile(made, tmp_path / "disk"))


def is_accepted(disk: Path, key: bytes) -> bool:
    """Return whether cryptsetup itself takes a volume key."""
    command = ["cryptsetup", "open", "--test-passphrase", "--key-size", "512", "--volume-key-file", "/proc/self/fd/0"]
    return subprocess.run([*command, disk], input=key, capture_output=True, check=False).returncode == 0


def test_header_has_no_keyslots_and_the_key_is_the_volume_key(disk: Path) -> None:
    """Our reader and cryptsetup agree: no keyslot, the token, and the digest of the data key itself."""
    header = read_header(disk)
    assert (header.keyslots, Luks2().read_tokens(disk), header.data_offset) == ([], [TOKEN], 16 * MIB)
    assert is_accepted(disk, KEY)
    assert not is_accepted(disk, KEY[::-1])
    Luks2().check_key(disk, Secret(KEY))
    with pytest.raises(WrongKeyError):
        Luks2().check_key(disk, Secret(KEY[::-1]))


def test_token_is_replaced(disk: Path) -> None:
    """A re-wrapped key takes the place of the old one; the volume key stays."""
    other = replace(TOKEN, key_arn="arn:aws:kms:us-east-1:1:key/b", wrapped_key=b"other")
    Luks2().write_tokens(disk, [other])
    assert Luks2().read_tokens(disk) == [other]
    assert is_accepted(disk, KEY)


def test_exchanged_token_is_judged_by_the_digest(disk: Path, tmp_path: Path) -> None:
    """A token that was copied from another disk opens another key: its volume id says so, and the digest decides."""
    foreign = replace(TOKEN, volume_id="vol-0bbbbbbb", context_id="vol-0bbbbbbb")
    Luks2().write_tokens(disk, [foreign])
    with pytest.raises(HostError, match="this disk is of vol-0bbbbbbb, not of vol-0aaaaaaa"):
        choose_tokens(Luks2().read_tokens(disk), TOKEN.volume_id)
    with pytest.raises(WrongKeyError):  # the name was changed as well, but not the key
        Luks2().check_key(disk, Secret(os.urandom(64)))


@pytest.mark.parametrize("position", [0, 8, 500, 5000])
def test_damaged_first_copy_does_no_harm(disk: Path, position: int) -> None:
    """The second copy of the header is taken when the first one is damaged."""
    with disk.open("r+b") as file:
        file.seek(position)
        file.write(b"\xff\xfe")
    assert read_header(disk).tokens == {0: TOKEN}


def test_changed_token_without_its_checksum_is_not_taken(disk: Path) -> None:
    """A letter of the token is changed in one copy: the other one counts; in both, the header is refused."""
    raw = disk.read_bytes()[: 64 * 1024]
    places = [at for at in range(len(raw)) if raw.startswith(b"vol-0aaaaaaa", at)]
    assert len(places) == 4  # two ids in each of two copies
    for place in places:
        assert read_header(disk).tokens == {0: TOKEN}
        with disk.open("r+b") as file:
            file.seek(place)
            file.write(b"vol-0bbbbbbb")
        if place == places[1]:
            assert read_header(disk).tokens == {0: TOKEN}
        elif place == places[2]:
            break
    with pytest.raises(HostError, match="damaged"):
        read_header(disk)


@pytest.mark.parametrize("size", [0, 5, 4096, 12000])
def test_cut_header_is_refused(disk: Path, size: int) -> None:
    """Without a whole copy nothing is guessed."""
    os.truncate(disk, size)
    with pytest.raises(HostError, match="damaged"):
        read_header(disk)


def test_both_copies_damaged(disk: Path) -> None:
    """A header with two damaged copies is refused."""
    with disk.open("r+b") as file:
        for offset in (5000, 16384 + 5000):
            file.seek(offset)
            file.write(b"\xff")
    with pytest.raises(HostError, match="damaged"):
        read_header(disk)


def test_token_of_another_version_is_refused() -> None:
    """A later Fuin's token is not read as if it were ours; nor is one without a key."""
    value = TOKEN.to_json()
    with pytest.raises(HostError, match="version 2"):
        Token.from_json(value | {"version": 2})
    for name in ("wrapped_key", "context_id", "volume_id"):
        with pytest.raises(HostError, match="malformed"):
            Token.from_json(value | {name: None})


def _local_disk(host: FakeHost, disk: Path) -> str:
    place = local.format_disk(host.user_kms, host.volumes, Luks2(), disk, "arn:a", force=True)
    return place.record.volume_id


def test_rewrap_moves_no_data(disk: Path, tmp_path: Path) -> None:
    """The data key comes under another key; the old wrapped key is gone, and no byte of the data has changed."""
    host = FakeHost(tmp_path)
    volume_id = _local_disk(host, disk)
    before = disk.read_bytes()[16 * MIB :]
    assert local.rewrap(host.user_kms, host.volumes, volume_id, "arn:b") == "arn:b"
    [token] = Luks2().read_tokens(disk)
    assert (token.key_arn, disk.read_bytes()[16 * MIB :]) == ("arn:b", before)
    Luks2().check_key(disk, host.kms.open_key(token.wrapped_key, volume_id))


def test_reencrypt_writes_all_data_anew(disk: Path, tmp_path: Path) -> None:
    """After a re-encryption the old data key is refused, the new one is the volume key, and no keyslot is left."""
    host = FakeHost(tmp_path)
    volume_id = _local_disk(host, disk)
    [old] = Luks2().read_tokens(disk)
    before = disk.read_bytes()[16 * MIB :]
    local.reencrypt(host.user_kms, host.volumes, volume_id, "arn:b")
    [new] = Luks2().read_tokens(disk)
    assert (new.key_arn, new.is_next, read_header(disk).keyslots) == ("arn:b", False, [])
    assert is_accepted(disk, host.kms.open_key(new.wrapped_key, volume_id).reveal())
    assert not is_accepted(disk, host.kms.open_key(old.wrapped_key, volume_id).reveal())
    assert disk.read_bytes()[16 * MIB :] != before


def test_record_follows_rewrap_and_reencryption(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A re-wrap that is killed on either side of the header leaves a disk that its record knows."""
    host = FakeHost(tmp_path)
    volume_id = _local_disk(host, disk)
    save, saved = host.volumes.records.save, list[Record]()

    def die_late(record: Record) -> None:
        if saved:
            raise KeyboardInterrupt
        saved.append(record)
        save(record)

    for arn in ("arn:b", "arn:c"):
        with monkeypatch.context() as patch:
            patch.setattr(host.volumes.records, "save", die_late)
            with pytest.raises(KeyboardInterrupt):
                local.rewrap(host.user_kms, host.volumes, volume_id, arn)
        saved.clear()
        host.volumes.open_key(host.kms, host.volumes.find_place(volume_id))
    local.rewrap(host.user_kms, host.volumes, volume_id, "arn:d")
    local.reencrypt(host.user_kms, host.volumes, volume_id, "arn:e")
    record = host.volumes.find_place(volume_id).record
    assert (record.key_arn, record.next_key_arn, record.context_id) == ("arn:e", "", volume_id)


@pytest.mark.parametrize("step", ["token", "keyslot", "data"])
def test_reencrypt_goes_on_after_a_kill(disk: Path, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after each of its steps, it goes on with the new key that it had written first."""
    host = FakeHost(tmp_path)
    volume_id = _local_disk(host, disk)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    name = {"token": "add_keyslot", "keyslot": "proceed", "data": "finish"}[step]
    with monkeypatch.context() as patch:
        patch.setattr(local if step == "token" else reencryption, name, die)
        with pytest.raises(KeyboardInterrupt):
            local.reencrypt(host.user_kms, host.volumes, volume_id, "arn:b")
    old, new = sorted(Luks2().read_tokens(disk), key=lambda token: token.is_next)
    assert (old.key_arn, new.key_arn, new.is_next) == ("arn:a", "arn:b", True)
    local.reencrypt(host.user_kms, host.volumes, volume_id, "")
    assert Luks2().read_tokens(disk) == [new.as_current()]
    assert is_accepted(disk, host.kms.open_key(new.wrapped_key, volume_id).reveal())
    assert read_header(disk).keyslots == []


def test_keyslots_that_a_kill_has_left_are_removed(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before its last step, a re-encryption leaves keyslots; the next one removes them first, and works."""
    host = FakeHost(tmp_path)
    volume_id = _local_disk(host, disk)
    with monkeypatch.context() as patch:
        patch.setattr(reencryption, "remove_keyslots", lambda _: None)
        local.reencrypt(host.user_kms, host.volumes, volume_id, "arn:b")
    assert len(read_header(disk).keyslots) == 1
    local.reencrypt(host.user_kms, host.volumes, volume_id, "arn:c")
    [token] = Luks2().read_tokens(disk)
    assert (token.key_arn, read_header(disk).keyslots) == ("arn:c", [])
    assert is_accepted(disk, host.kms.open_key(token.wrapped_key, volume_id).reveal())
