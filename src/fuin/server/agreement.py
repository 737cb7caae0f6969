"""Checks at each start, before anything is changed, that database, log and blobs are from the same time.

Each of the three holds evidence about the others: the log has the serial of every acknowledged commit, the database has
a place in the log and the serial of the blobs' mark, and the mark has the installation and a serial. If one is behind,
it was restored, damaged or taken away. Then nothing is created or removed: the server does not start.

Of many nodes each has a log of its own, whose commits are numbered by the node's own gate in the database, and the
database has a place in each log. The blobs' mark has the number of all commits together.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.audit import witness
from fuin.audit.segments import segments
from fuin.blobs.configuration import configured_store
from fuin.errors import FuinError, StoreUnavailable
from fuin.store.engine import installation
from fuin.store.engine.configuration import configured_engine

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore, Marker
    from fuin.settings import Settings
    from fuin.store.engine.glance import Glance


class Finding(enum.Enum):
    """A disagreement: its name, and the setting that accepts it, if there is one."""

    NO_DATABASE = ("no database", "")
    OLDER_DATABASE = ("older database", "accept_older_database")
    OLDER_LOG = ("older log", "accept_older_log")
    OTHER_BLOBS = ("other blobs", "")
    NO_BLOBS = ("no blobs", "accept_older_blobs")
    OLDER_BLOBS = ("older blobs", "accept_older_blobs")

    def __init__(self, title: str, option: str) -> None:
        self.title = title
        self.option = option


# What is wrong, and what to do; the numbers come from `findings`, the places from the settings.
_SENTENCES = {
    Finding.NO_DATABASE: "{database} is missing or was never finished, but {evidence}: this is not a first start. "
    "Restore the database, with its -wal file if it has one, or give the server an empty data folder",
    Finding.OLDER_DATABASE: "{database} is older than {newer} (at change {serial} instead of {known}): an "
    "older copy was restored, or its -wal file is lost or damaged. Put the newer one back, or restore database, log "
    "and blobs of one moment; to continue without the later changes, start with --accept-older-database",
    Finding.OLDER_LOG: "{audit} does not hold record {noted}, which {database} has seen: the log was cut off, or an "
    "older copy was restored. Put the newer one back; to continue with this one, start with --accept-older-log",
    Finding.OTHER_BLOBS: "{blobs} belongs to another installation, by its {mark}: mount or restore this server's blobs",
    Finding.NO_BLOBS: "{blobs} is not the folder of this server's blobs: {mark} is missing, but {database} names "
    "objects. Is a disk not mounted? To continue without them, start with --accept-older-blobs",
    Finding.OLDER_BLOBS: "{blobs} is older than {database} (at change {marked} instead of {known}): an older copy was "
    "restored. Put the newer one back; to continue without the later objects, start with --accept-older-blobs",
}


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The evidence from all three; `holds_noted` is whether the log has the record that the database has seen."""

    database: Glance | None
    commit: int
    history: bool
    holds_noted: bool
    mark: Marker | None
    any_blobs: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A finding, and the numbers for its sentence."""

    finding: Finding
    values: dict[str, object]


def findings(seen: Witnesses) -> list[Refused]:
    """Return all disagreements; empty when all three agree, and for a first start, even an interrupted one."""
    database = seen.database
    if database is None or not database.account:
        evidence = [
            name
            for name, speaks in (("the audit log has records", seen.history),
                                 ("there are blobs", seen.any_blobs or seen.mark is not None))
            if speaks
        ]  # fmt: skip
        return [Refused(Finding.NO_DATABASE, {"evidence": " and ".join(evidence)})] if evidence else []
    return [*_database(database, seen), *_log(database, seen), *_blobs(database, seen)]


def _database(database: Glance, seen: Witnesses) -> list[Refused]:
    marked = 0 if seen.mark is None or _is_foreign(database, seen.mark) else seen.mark.serial
    witnesses = [("the audit log", database.serial, seen.commit), ("the blobs' mark", database.total, marked)]
    newer, serial, known = max(witnesses, key=lambda witness: witness[2] - witness[1])
    if serial >= known and not _is_before_marks(database, seen.mark):
        return []
    return [Refused(Finding.OLDER_DATABASE, {"newer": newer, "serial": serial, "known": known})]


def _is_before_marks(database: Glance, mark: Marker | None) -> bool:
    """Return whether the database has never seen the mark: an upgrade made its id, perhaps in a killed start."""
    return mark is not None and database.blobs is None and database.installation != mark.installation


def _is_foreign(database: Glance, mark: Marker) -> bool:
    return database.blobs is not None and database.installation != mark.installation


def _log(database: Glance, seen: Witnesses) -> list[Refused]:
    if database.log is None or seen.holds_noted:
        return []
    return [Refused(Finding.OLDER_LOG, {"noted": database.log.sequence})]


def _blobs(database: Glance, seen: Witnesses) -> list[Refused]:
    if seen.mark is None:
        missing = database.blobs is not None or not seen.any_blobs
        return [Refused(Finding.NO_BLOBS, {})] if missing and database.names_blobs else []
    if _is_foreign(database, seen.mark):
        return [Refused(Finding.OTHER_BLOBS, {})]
    if seen.mark.serial < (database.blobs or 0):
        return [Refused(Finding.OLDER_BLOBS, {"marked": seen.mark.serial, "known": database.blobs})]
    return []


async def ask(settings: Settings, blobs: BlobStore) -> Witnesses:
    """Return the evidence of database, log and blobs; raises StoreUnavailable when one of them cannot be read."""
    # In this order, since a server may run meanwhile: a commit is in the database before the log knows of it, and a
    # record is in the log before the database has seen it.
    commit, history = witness.highest_commit(settings.audit), witness.has_history(settings.audit)
    try:
        database = configured_engine(settings).look()
    except StoreUnavailable as error:
        if settings.database_url:
            raise
        raise StoreUnavailable(f"{error}. The file is damaged: restore it, with log and blobs of one moment") from None
    noted = None if database is None else database.log
    holds = noted is None or witness.chain_hash_at(settings.audit, noted.sequence) == noted.head
    mark = await blobs.read_marker()
    return Witnesses(database, commit, history, holds, mark, mark is None and await blobs.holds_any())


async def check(
    settings: Settings, *, new_log: bool = False, moves_to: str = ""
) -> tuple[Witnesses, list[Refused]]:  # fmt: skip
    """Return the evidence and the disagreements that the settings accept; raises FuinError for any other.

    `new_log` is whether this start has begun a log where there was no log. `moves_to` is the place to which the
    installation is being moved: an earlier run may have closed it for that place.
    """
    blobs = configured_store(settings)
    seen = await ask(settings, blobs)
    if seen.database is not None:
        place = configured_engine(settings).place
        installation.require_finished_move(seen.database.moving, place)
        if not moves_to or seen.database.moved != moves_to:
            installation.require_here(seen.database.moved, place)
    _check_root_key(settings, seen)
    accepted = []
    for refused in findings(seen):
        option = refused.finding.option
        accepts = bool(option) and getattr(settings, option)
        if not accepts and not (refused.finding is Finding.OLDER_LOG and new_log):  # --new-audit-log accepts that too
            raise FuinError(_sentence(settings, blobs, refused))
        accepted.append(refused)
    return seen, accepted


def _check_root_key(settings: Settings, seen: Witnesses) -> None:
    """Raise FuinError when the root key is gone, and the log with it: a keyholder refuses only beside a log."""
    if segments(settings.audit) or settings.root_key.exists():
        return
    if seen.database is not None and seen.database.account:
        raise FuinError(
            f"{settings.root_key} is missing, but {configured_engine(settings).place} has keys that only it opens: "
            "a new one could open nothing. Put back the root.key that belongs to this data, from your copy of it"
        )


def _sentence(settings: Settings, blobs: BlobStore, refused: Refused) -> str:
    places = {
        "database": configured_engine(settings).place, "audit": settings.audit, "blobs": blobs.place,
        "mark": blobs.marker_place,
    }  # fmt: skip
    return _SENTENCES[refused.finding].format(**places, **refused.values)
