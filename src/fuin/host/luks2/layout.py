"""What a header of LUKS2 may say. Nobody authenticates it: who writes to the disk could switch the encryption off."""

from __future__ import annotations

from typing import Any

from fuin.host.disk import HEADER_ROOM
from fuin.host.programs import HostError

CIPHER = "aes-xts-plain64"
DATA_OFFSET = HEADER_ROOM
_KEY_SIZE = 64
_REENCRYPTION = "online-reencrypt-v2"  # of cryptsetup since 2.4.3: its digest binds the steps to both volume keys
_FORM = {"type": "crypt", "encryption": CIPHER, "sector_size": 4096}
_SEGMENT = {**_FORM, "offset": str(DATA_OFFSET), "size": "dynamic", "iv_tweak": "0"}
_PLACES = {"offset", "size", "iv_tweak", "flags"}  # members that a re-encryption chooses
_FLAGS = {"in-reencryption", "backup-previous", "backup-final"}


def is_reencrypting(metadata: dict[str, Any]) -> bool:
    """Return whether a re-encryption has begun to write data."""
    return any("reencrypt" in name for name in _list_requirements(metadata))


def check_layout(metadata: dict[str, Any]) -> None:
    """Raise HostError unless the JSON of a header says what `make` writes, or what a re-encryption makes of it."""
    try:
        fault = _find_fault(metadata)
    except (KeyError, TypeError, ValueError, AttributeError):
        fault = "it is malformed"
    if fault:
        raise HostError(f"the header of the disk was changed, and it is not opened: {fault}")


def _find_fault(metadata: dict[str, Any]) -> str:
    if metadata.get("config", {}).get("flags"):
        return "it has flags"
    for keyslot in metadata.get("keyslots", {}).values():
        if not _is_keyslot(keyslot):
            return "it has a keyslot that no re-encryption makes"
    if not all(digest["type"] == "pbkdf2" for digest in metadata["digests"].values()):
        return "it has a digest of another kind"
    if is_reencrypting(metadata):
        return _find_fault_under_way(metadata)
    if _list_requirements(metadata):
        return f"it asks for {', '.join(map(str, _list_requirements(metadata)))}"
    if list(metadata["segments"].values()) != [_SEGMENT]:
        return f"its data are not one segment in {CIPHER}"
    # A re-encryption that has not begun to write may have left a digest of no segment.
    assigned = [digest["segments"] for digest in metadata["digests"].values() if digest["segments"]]
    return "" if assigned == [list(metadata["segments"])] else "its data have not one digest"


def _find_fault_under_way(metadata: dict[str, Any]) -> str:
    if list(_list_requirements(metadata)) != [_REENCRYPTION]:
        return f"it asks for {', '.join(map(str, _list_requirements(metadata)))}"
    kinds = sorted(keyslot["type"] for keyslot in metadata["keyslots"].values())
    if kinds.count("reencrypt") != 1:
        return "it has a re-encryption without its keyslot"
    return "" if all(map(_is_part, metadata["segments"].values())) else f"a part of its data is not in {CIPHER}"


def _is_part(segment: dict[str, Any]) -> bool:
    """Return whether a segment is one that a re-encryption makes."""
    return (
        {name: value for name, value in segment.items() if name not in _PLACES} == _FORM
        and int(segment["offset"]) >= DATA_OFFSET
        and _FLAGS.issuperset(segment.get("flags", ()))
    )


def _is_keyslot(keyslot: dict[str, Any]) -> bool:
    """Return whether only a passphrase opens a keyslot: with another cipher, anything would."""
    if keyslot["type"] == "reencrypt":
        return bool(keyslot["mode"] == "reencrypt")
    area = keyslot["area"]
    return bool(
        (keyslot["type"], keyslot["key_size"], keyslot["kdf"]["type"]) == ("luks2", _KEY_SIZE, "pbkdf2")
        and (area["type"], area["encryption"], area["key_size"]) == ("raw", CIPHER, _KEY_SIZE)
    )


def _list_requirements(metadata: dict[str, Any]) -> list[str]:
    found: list[str] = metadata.get("config", {}).get("requirements", {}).get("mandatory", [])
    return found
