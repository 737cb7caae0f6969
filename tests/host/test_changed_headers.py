"""Headers that somebody has changed who writes to the disk and has no key: none of them is opened."""

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuin.host import local, programs
from fuin.host.disk import WrongKeyError
from fuin.host.luks2 import format as luks2_format
from fuin.host.luks2 import reencryption
from fuin.host.luks2.format import ROUNDS, VOLUME_KEY, Luks2
from fuin.host.luks2.header import read_header
from fuin.host.luks2.layout import check_layout
from fuin.host.programs import HostError
from fuin.host.qemu.format import Qemu
from fuin.host.token import Token
from fuin.secret import Secret
from tests.host.fakes import FakeHost
from tests.host.needs import needs_cryptsetup, needs_qemu

pytestmark = needs_cryptsetup
MIB = 1024 * 1024
KEY, NEW = bytes(range(64)), bytes(range(64, 128))
TOKEN = Token("vol-0aaaaaaa", "vol-0aaaaaaa", "arn:aws:kms:us-east-1:1:key/a", b"wrapped" * 40)
NAME = "fuin-vol-0aaaaaaa"
Change = Callable[[dict[str, Any]], None]
_COPY, _BINARY = 16384, 4096


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


def _change(raw: bytes, change: Change, *, sequence: int = 0) -> bytes:
    """Return a copy of a header with another JSON and the checksum of that, as anybody can write it."""
    copy = bytearray(raw)
    metadata = json.loads(bytes(copy[_BINARY:]).split(b"\0", 1)[0])
    change(metadata)
    copy[_BINARY:] = json.dumps(metadata).encode().ljust(_COPY - _BINARY, b"\0")
    if sequence:
        copy[16:24] = struct.pack(">Q", sequence)
    copy[448:512] = bytes(64)
    copy[448:480] = hashlib.sha256(copy).digest()
    return bytes(copy)


def _change_both(disk: Path, change: Change) -> None:
    with disk.open("r+b") as file:
        for offset in (0, _COPY):
            file.seek(offset)
            copy = file.read(_COPY)
            file.seek(offset)
            file.write(_change(copy, change))


def _set(*path: str, value: object) -> Change:
    def change(metadata: dict[str, Any]) -> None:
        for name in path[:-1]:
            metadata = metadata.setdefault(name, {})
        metadata[path[-1]] = value

    return change


_SEGMENT = {"type": "crypt", "offset": str(16 * MIB), "size": "dynamic", "iv_tweak": "0", "sector_size": 4096,
            "encryption": "aes-xts-plain64"}  # fmt: skip
CHANGES = {
    "no cipher": _set("segments", "0", "encryption", value="cipher_null-ecb"),
    "ecb": _set("segments", "0", "encryption", value="aes-ecb"),
    "sectors": _set("segments", "0", "sector_size", value=512),
    "linear": _set("segments", "0", "type", value="linear"),
    "offset": _set("segments", "0", "offset", value=str(17 * MIB)),
    "size": _set("segments", "0", "size", value=str(MIB)),
    "tweak": _set("segments", "0", "iv_tweak", value="8"),
    "integrity": _set("segments", "0", "integrity", value={"type": "none"}),
    "two segments": _set("segments", "1", value=_SEGMENT | {"offset": str(18 * MIB)}),
    "requirement": _set("config", "requirements", "mandatory", value=["opal"]),
    "no re-encryption": _set("config", "requirements", "mandatory", value=["online-reencrypt-v2"]),
    "discard": _set("config", "flags", value=["allow-discards"]),
    "malformed": _set("config", value=[1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_header_is_not_opened(disk: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cipher, the place and the number of segments are compared before the program is asked to open it."""
    opened: list[str] = []

    def note(command: list[str], *arguments: object, **options: object) -> str:
        opened.append(command[1])
        return programs.run(command, *arguments, **options) if command[1] == "luksDump" else ""  # type: ignore[arg-type]

    monkeypatch.setattr(luks2_format, "run", note)
    _change_both(disk, change)
    for step in (Luks2().check_key, lambda disk, key: Luks2().open(disk, NAME, key)):
        with pytest.raises(HostError, match="header"):
            step(disk, Secret(KEY))
    assert "open" not in opened
    with pytest.raises(HostError, match="header"):
        reencryption.open_interrupted(disk, NAME, Secret(KEY))


def test_digest_of_somebody_else_is_not_taken(disk: Path) -> None:
    """A second digest beside the right one, for the same segment, is refused."""
    digest = next(iter(read_header(disk).metadata["digests"].values()))
    _change_both(disk, _set("digests", "1", value=digest))
    with pytest.raises(HostError, match="not one digest"):
        Luks2().check_key(disk, Secret(KEY))


def test_copy_that_cryptsetup_does_not_see_is_not_read(disk: Path) -> None:
    """A third, newer copy at another place says that all is well: it does not count."""
    with disk.open("r+b") as file:
        good = file.read(2 * _COPY)[_COPY:]
        file.seek(2 * _COPY)
        content = bytearray(_change(good, lambda _: None, sequence=99))
        content[8:16] = struct.pack(">Q", 2 * _COPY)
        content = content.ljust(2 * _COPY, b"\0")
        content[448:512] = bytes(64)
        content[448:480] = hashlib.sha256(content).digest()
        file.write(content)
    _change_both(disk, CHANGES["no cipher"])
    assert read_header(disk).sequence < 99
    with pytest.raises(HostError, match="was changed"):
        Luks2().check_key(disk, Secret(KEY))


def _states(disk: Path) -> list[dict[str, Any]]:
    """Return the header as cryptsetup leaves it when a re-encryption is about to write, and when it has ended."""
    luks2_format.add_keyslot(disk, Secret(KEY), Secret(NEW))
    found = [read_header(disk).metadata]
    command = ["cryptsetup", "reencrypt", "--batch-mode", "--force-offline-reencrypt", "--key-file", "{0}"]
    more = [*VOLUME_KEY[:-1], "{1}", *ROUNDS, "--init-only", "--resilience", "checksum", str(disk)]
    programs.run([*command, *more], [Secret(NEW), Secret(NEW)])
    found.append(read_header(disk).metadata)
    programs.run([*command, "--resume-only", str(disk)], [Secret(NEW)])
    return [*found, read_header(disk).metadata]


def test_reencryption_has_no_other_cipher(disk: Path) -> None:
    """The states of a re-encryption are taken; one with a part, or a keyslot, that needs no key is not."""
    states = _states(disk)
    assert [len(state["segments"]) for state in states] == [1, 3, 1]
    for state in states:
        check_layout(state)
    _, under_way, _ = map(json.dumps, states)
    for change in (
        _set("segments", "0", "encryption", value="cipher_null-ecb"),
        _set("segments", "1", "type", value="linear"),
        _set("keyslots", "0", "area", "encryption", value="cipher_null-ecb"),
        _set("keyslots", "2", "mode", value="decrypt"),
        _set("config", "requirements", "mandatory", value=["online-reencrypt"]),
    ):
        changed = json.loads(under_way)
        change(changed)
        with pytest.raises(HostError, match="was changed"):
            check_layout(changed)


def test_reencryption_killed_before_it_writes_keeps_the_old_key(disk: Path, tmp_path: Path) -> None:
    """The new volume key has a digest before the first sector is written: the old token is not removed for it."""
    host = FakeHost(tmp_path)
    volume_id = local.format_disk(host.user_kms, host.volumes, Luks2(), disk, "arn:a", force=True).record.volume_id
    [old] = Luks2().read_tokens(disk)
    old_key = host.kms.open_key(old.wrapped_key, volume_id)
    arn, wrapped = host.kms.make_key("arn:a", volume_id)
    new_key = host.kms.open_key(wrapped, volume_id)
    reencryption.add_next_token(disk, replace(old, key_arn=arn, wrapped_key=wrapped, is_next=True))
    luks2_format.add_keyslot(disk, old_key, new_key)
    command = ["cryptsetup", "luksAddKey", "--batch-mode", "--unbound", *ROUNDS, *VOLUME_KEY, str(disk), "{1}"]
    programs.run(command, [new_key, new_key])
    assert not read_header(disk).has_volume_key(new_key)
    before = disk.read_bytes()[16 * MIB :]
    local.reencrypt(host.user_kms, host.volumes, volume_id, "")
    assert read_header(disk).has_volume_key(new_key)
    assert not read_header(disk).has_volume_key(old_key)
    assert disk.read_bytes()[16 * MIB :] != before


@needs_qemu
@pytest.mark.parametrize(
    ("place", "value"), [(8, b"twofish\0"), (40, b"xts-plain\0"), (40, b"ecb\0"), (108, struct.pack(">I", 32))]
)
def test_changed_cipher_of_qemu_is_not_opened(tmp_path: Path, place: int, value: bytes) -> None:
    """The header of LUKS1 is compared as well."""
    disk, format_ = tmp_path / "disk", Qemu(tmp_path / "run")
    with disk.open("wb") as file:
        file.truncate(20 * MIB)
    format_.make(disk, Secret(KEY), TOKEN)
    format_.check_layout(disk)
    with disk.open("r+b") as file:
        file.seek(MIB + place)
        file.write(value)
    for step in (format_.check_key, lambda disk, key: format_.open(disk, NAME, key)):
        with pytest.raises(HostError, match="was changed"):
            step(disk, Secret(KEY))
    assert not os.path.lexists(tmp_path / "run" / NAME / "pid")


def test_key_of_another_length_is_refused(disk: Path) -> None:
    """Only 64 bytes are a data key."""
    for key in (KEY[:32], b"", KEY * 2):
        with pytest.raises(WrongKeyError):
            Luks2().check_key(disk, Secret(key))
