"""Disks that no server of EC2 knows: one data key from KMS, asked for by the user who formats the disk.

Their ids begin with `disk-`. The same formats, tokens and encryption context are used as for volumes.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from fuin.host import disks
from fuin.host.luks2 import reencryption
from fuin.host.luks2.format import add_keyslot
from fuin.host.programs import HostError
from fuin.host.records import Record
from fuin.host.token import Token, choose_tokens
from fuin.host.volumes import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fuin.host.disk import DiskFormat
    from fuin.host.formats import Formats
    from fuin.host.volumes import Volumes
    from fuin.host.wire.clients import UserKms

PREFIX = "disk-"


def is_local(volume_id: str) -> bool:
    """Return whether an id is that of a disk without a server."""
    return volume_id.startswith(PREFIX)


def format_disk(
    kms: UserKms, volumes: Volumes, format_: DiskFormat, disk: Path, key: str, *, force: bool = False
) -> Place:
    """Write a header with a new data key under a KMS key; raises HostError for a disk that is not empty."""
    if not force:
        disks.check_empty(disk)
    volume_id = f"{PREFIX}{secrets.token_hex(9)[:17]}"
    key_arn, wrapped = kms.make_key(key, volume_id)
    data_key = kms.open_key(wrapped, volume_id, key_arn)
    try:
        format_.make(disk, data_key, Token(volume_id, volume_id, key_arn, wrapped))
    finally:
        data_key.wipe()
    record = Record(volume_id, str(disk), format_.name, key_arn=key_arn, context_id=volume_id)
    volumes.records.save(record)
    return Place(record, format_)


def adopt_disk(volumes: Volumes, formats: Formats, disk: Path, keys: Sequence[str] = ()) -> Place:
    """Return the place of a local disk that this host may not have seen before, as its header names it.

    `keys` are the ARNs of KMS keys that the user confirms: without a record of the disk, its header may name these
    only.
    """
    format_ = formats.find_format(disk)
    tokens = format_.read_tokens(disk) if format_ else []
    if format_ is None or not tokens:
        raise HostError(f"{disk} has no header of Fuin")
    volume_id = tokens[0].volume_id
    choose_tokens(tokens, volume_id)
    before = volumes.records.find(volume_id)
    if before is not None and before.key_arn and before.disk == str(disk):
        return Place(before, format_)
    if before is not None and volumes.place(before).find_open():
        raise HostError(f"{volume_id} is open already, from {before.disk}")
    record = before if before is not None and before.key_arn else _make_record(volume_id, tokens, keys)
    record = replace(record, disk=str(disk), format=format_.name)
    volumes.records.save(record)
    return Place(record, format_)


def _make_record(volume_id: str, tokens: Sequence[Token], keys: Sequence[str]) -> Record:
    """Return a record with what the tokens say, if the user has confirmed each of their KMS keys."""
    named = sorted({token.key_arn for token in tokens})
    if not set(named).issubset(keys):
        options = " ".join(f"--key {arn}" for arn in named)
        raise HostError(
            f"this host has no record of {volume_id}, and its header names a KMS key: confirm it by {options}"
        )
    current = next((token for token in tokens if not token.is_next), tokens[0])
    following = next((token.key_arn for token in tokens if token.is_next), "")
    return Record(volume_id, "", "", key_arn=current.key_arn, next_key_arn=following, context_id=current.context_id)


def rewrap(kms: UserKms, volumes: Volumes, volume_id: str, key: str) -> str:
    """Bring the data key of a disk under another KMS key and return its ARN; no data are moved.

    The data key is the same: anyone who had it can still read the disk.
    """
    with volumes.records.lock(volume_id):
        place = volumes.find_place(volume_id)
        token = _only_token(place)
        place.format.check_layout(place.disk)
        key_arn, wrapped = kms.re_encrypt(token, key)
        record = replace(place.record, key_arn=token.key_arn, next_key_arn=key_arn)
        volumes.records.save(record)
        place.format.write_tokens(place.disk, [replace(token, key_arn=key_arn, wrapped_key=wrapped)])
        volumes.records.save(replace(record, key_arn=key_arn, next_key_arn=""))
        return key_arn


def _only_token(place: Place) -> Token:
    _require_local(place)
    tokens = place.read_tokens()
    if any(token.is_next for token in tokens):
        raise HostError("the disk is in a re-encryption: `fuin volume reencrypt` goes on with it")
    return tokens[0]


def _require_local(place: Place) -> None:
    if not is_local(place.record.volume_id):
        raise HostError(
            f"the data key of {place.record.volume_id} is kept by its server: detach it and `fuin rewrap` it there, or "
            "create a volume under another key from a snapshot of it"
        )


def reencrypt(kms: UserKms, volumes: Volumes, volume_id: str, key: str) -> None:
    """Write all data of a disk under a new data key, also while it is open, or go on with that."""
    with volumes.records.lock(volume_id):
        place = volumes.find_place(volume_id)
        _require_local(place)
        if place.record.format != "luks2":
            raise HostError("only luks2 can do this: copy the data to a disk that is newly formatted")
        place.format.check_layout(place.disk)
        tokens = place.read_tokens()
        new = next((token for token in tokens if token.is_next), None)
        if new is None:
            reencryption.remove_keyslots(place.disk)  # which the last one has left, when it was killed at its end
            new = _prepare(kms, volumes, place, tokens[0], key)
        new_key = kms.open_key(new.wrapped_key, new.context_id, new.key_arn)
        try:
            old = next((token for token in tokens if not token.is_next), None)
            if old is not None and not reencryption.has_keyslots(place.disk):
                old_key = kms.open_key(old.wrapped_key, old.context_id, old.key_arn)
                place.format.check_key(place.disk, old_key)
                add_keyslot(place.disk, old_key, new_key)
                old_key.wipe()
            reencryption.proceed(place.disk, place.name, new_key)
        finally:
            new_key.wipe()
        volumes.records.save(replace(place.record, key_arn=new.key_arn, next_key_arn=""))


def _prepare(kms: UserKms, volumes: Volumes, place: Place, old: Token, key: str) -> Token:
    """Write the token of a new data key beside the old one."""
    key_arn, wrapped = kms.make_key(key or old.key_arn, old.context_id)
    new = Token(old.volume_id, old.context_id, key_arn, wrapped, is_next=True)
    volumes.records.save(replace(place.record, key_arn=old.key_arn, next_key_arn=key_arn))
    reencryption.add_next_token(place.disk, new)
    return new
