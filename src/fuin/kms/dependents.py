"""The guard of the keys that something depends on: an object cannot be opened again without its key.

AWS ends a key also when objects still need it. Here ScheduleKeyDeletion and DeleteImportedKeyMaterial are refused for a
key with dependents (`Settings.deletion_guard`): objects, older versions, uploads under way, volumes, their snapshots,
and buckets whose default names it. A tag on the key lets them through. What can be taken back, such as DisableKey, goes
through. The record and the server's log then say what depends on the key (`Settings.disabling_guard`).

`check` runs in the transaction that makes the change, so it sees every object that was committed before. An object that
is committed later has asked for its data key before the change. Its commit sees that rights have moved, and is refused
by the state of the key (`on_behalf.require_lasting_key`). Why it is so: docs/decisions/0024.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from fuin import ids
from fuin.errors import StoreUnavailable
from fuin.gate import lists
from fuin.kms.model.faults import KmsFault
from fuin.store.errors import StoreRefusal, TooManyLists
from fuin.store.kms import aliases, key_stores, key_tags
from fuin.store.s3 import dependents
from fuin.store.s3.dependents import Totals
from fuin.store.volumes import dependents as volume_dependents
from fuin.store.volumes.dependents import VolumeTotals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from fuin.gate.call import Call

# On a key, with the value `true`. Any client of AWS can set it, and it needs a right of its own, kms:TagResource.
ALLOWING_TAG, ALLOWING_VALUE = "fuin:allow-deletion-with-dependents", "true"
REFUSE, WARN, OFF = "refuse", "warn", "off"

_log = logging.getLogger("fuin.keys")


class KeyPlace(NamedTuple):
    """The parts of a key's ARN."""

    account: str
    region: str
    key_id: str

    @property
    def arn(self) -> str:
        """Return the key's ARN."""
        return ids.key_arn(*self)


class HasDependents(StoreRefusal):
    """Something depends on the key, and no tag allows to end it."""


class Dependents(NamedTuple):
    """How much depends on keys, and how many buckets have a default that names one of them."""

    totals: Totals
    buckets: int
    disks: VolumeTotals = VolumeTotals()

    @property
    def facts(self) -> dict[str, int]:
        """Return the numbers for the audit record; those of volumes and snapshots only if there are any."""
        found, disks = self.totals, {"volumes": self.disks.volumes, "snapshots": self.disks.snapshots}
        return {
            "objects": found.objects, "versions": found.versions, "uploads": found.uploads, "buckets": self.buckets,
            "bytes": found.bytes, **(disks if any(disks.values()) else {}),
        }  # fmt: skip

    @property
    def phrase(self) -> str:
        """Return the numbers for people."""
        found, disks = self.totals, self.disks
        volumes = f"; volumes: {disks.volumes}, snapshots of volumes: {disks.snapshots}"
        return (
            f"objects: {found.objects}, older versions of objects: {found.versions}, uploads under way: "
            f"{found.uploads}, in all {found.bytes} bytes; buckets with it as their default: {self.buckets}"
            f"{volumes if disks.volumes or disks.snapshots else ''}"
        )


def check(conn: Connection, key: KeyPlace, guard: str) -> bool:
    """Return whether something depends on a key; raises HasDependents if the guard refuses and no tag allows it."""
    if guard == OFF or not (
        dependents.has_any(conn, key.arn, aliases.list_key_arns(conn, *key)) or volume_dependents.has_any(conn, key.arn)
    ):
        return False
    if guard == REFUSE and (ALLOWING_TAG, ALLOWING_VALUE) not in key_tags.list_tags(conn, key.key_id, key.region):
        raise HasDependents(key.arn)
    return True


async def refusal(call: Call, key: KeyPlace) -> KmsFault:
    """Return the answer to a call that would end a key with dependents.

    Why this code: KMS's model has it, SDKs show its text and do not send the call again, and no program takes it for a
    key that is pending deletion already, as programs do with KMSInvalidStateException.
    """
    found = await lists.page(call, count, [key])
    call.facts["dependents"] = found.facts
    return KmsFault(
        "ConflictException",
        f"{key.arn} is still needed, and what it encrypts is lost without it; {found.phrase}. To see them all, run "
        f"fuin key dependents {key.arn} --list. To go on nevertheless, give the key the tag {ALLOWING_TAG} with the "
        f"value {ALLOWING_VALUE}, and ask again.",
    )


async def warn(call: Call, what: str, count: Callable[[Connection], Dependents]) -> None:
    """Say in the record and in the server's log what depends on keys; `what` names the keys for people.

    The change has been made, so it is a success also if the count fails.
    """
    did = f"{call.operation} of {what}, request {call.request_id}"
    try:
        found = await call.services.store.page(count)
    except (StoreUnavailable, TooManyLists) as error:
        _log.warning("%s: what depends on it could not be counted: %s", did, error)
        return
    if any(found.facts.values()):
        call.facts["dependents"] = found.facts
        _log.warning("%s: it is still needed; %s", did, found.phrase)


def count(conn: Connection, keys: Sequence[KeyPlace]) -> Dependents:
    """Return how much depends on keys."""
    totals, buckets, disks = Totals(), 0, VolumeTotals()
    for key in keys:
        totals += dependents.count(conn, key.arn)
        disks += volume_dependents.count(conn, key.arn)
        buckets += dependents.count_buckets(conn, aliases.list_key_arns(conn, *key))
    return Dependents(totals, buckets, disks)


def count_in_key_store(conn: Connection, store_id: str) -> Dependents:
    """Return how much depends on the keys of a custom key store."""
    return count(conn, [KeyPlace(*each) for each in key_stores.list_keys(conn, store_id)])
