"""Ids of volumes, snapshots and hosts: what they look like, and how they are made."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

import msgspec

from fuin.ec2.wire.faults import Ec2Fault

if TYPE_CHECKING:
    from fuin.ec2.wire.form import Input

VOLUME, SNAPSHOT, HOST = "vol", "snap", "i"
_ID = re.compile(r"(vol|snap|i)-[0-9a-f]{8}(?:[0-9a-f]{9})?")
_NOUNS = {VOLUME: "volume", SNAPSHOT: "snapshot", HOST: "instance"}
_MISSING = {VOLUME: "InvalidVolume.NotFound", SNAPSHOT: "InvalidSnapshot.NotFound", HOST: "InvalidInstanceID.NotFound"}


def new_id(kind: str) -> str:
    """Return a fresh id: the kind, a dash, and 17 hex digits."""
    return f"{kind}-{os.urandom(9).hex()[:17]}"


def kind_of(resource_id: str) -> str:
    """Return the kind of a resource by its id, or "" for an id of no kind."""
    found = _ID.fullmatch(resource_id)
    return found[1] if found else ""


def check_id(kind: str, resource_id: str) -> str:
    """Return an id that has the form of one; raises InvalidParameterValue."""
    if kind_of(resource_id) != kind:
        noun = _NOUNS[kind]
        text = f"Value ({resource_id[:64]}) for parameter {noun}Id is invalid. Expected: '{kind}-...'."
        raise Ec2Fault("InvalidParameterValue", text)
    return resource_id


def missing_fault(kind: str, resource_id: str) -> Ec2Fault:
    """Return the fault for a resource that does not exist, or that the caller's account does not have."""
    return Ec2Fault(_MISSING[kind], f"The {_NOUNS[kind]} '{resource_id}' does not exist.")


def digest(input: Input) -> bytes:
    """Return a digest of a request without its ClientToken: the same token with another request is refused."""
    members = {
        name: value for name, value in msgspec.to_builtins(input).items() if name not in ("ClientToken", "DryRun")
    }
    return hashlib.sha256(msgspec.json.encode(members, order="deterministic")).digest()
