"""`fuin rewrap`: bring stored objects under another KMS key, or the newest material of theirs, without moving them.

What has to be done, and what is left at the end, is read from the ledger in the database. Each object is changed by a
request to the running server, with the caller's own credentials, so the caller's rights to each object and key decide
and each change has its record. An object that is done is not in the ledger's list any longer: a second run goes on
where the first one ended.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from fuin.advice import targets
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, settings_of
from fuin.cli.progress import progress_bars
from fuin.cli.reading import reading
from fuin.cli.rewrap_requests import Change, Outcome, Server, send_all
from fuin.cli.rewrap_volumes import rewrap_volume
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.store.engine import installation
from fuin.store.kms import keys
from fuin.store.s3 import dependents, key_scopes
from fuin.store.s3.dependents import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from fuin.store.kms.keys import Key
    from fuin.store.s3.key_use import KeyUse
    from fuin.store.store import Store

Scope = Annotated[
    str, typer.Argument(metavar="s3://BUCKET/PREFIX", help="Which objects; s3:// for all buckets, vol-… for a volume.")
]
To = Annotated[str, typer.Option("--to", metavar="KEY", help="The KMS key to use: its id, ARN or alias.")]
FromMaterial = Annotated[
    str,
    typer.Option(
        "--from-material", metavar="ID", help="Take only what depends on this key material, and keep its key."
    ),
]
AllVersions = Annotated[bool, typer.Option("--all-versions", help="Take older versions of objects too.")]
ServiceKeys = Annotated[
    bool, typer.Option("--sse-s3", help="Take objects under SSE-S3 too; they come under SSE-KMS. It needs --to.")
]
Rate = Annotated[float, typer.Option("--rate", min=0, help="At most so many objects in a second; 0: no limit.")]
Parallel = Annotated[int, typer.Option("--parallel", min=1, max=256, help="So many requests at once.")]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="The running server; default: AWS_ENDPOINT_URL_S3."),
]
Listed = Annotated[int, typer.Option("--limit", min=0, help="How many refused objects to name; all are counted.")]

_PAGE = 1000
_LISTED = 1000
_MATERIAL_DIGITS = 64


class Source(NamedTuple):
    """A KMS key and a key material that objects shall not depend on any longer."""

    key_arn: str
    material_id: bytes | None

    @property
    def name(self) -> str:
        """Return the source for people."""
        material = "key material that is not named" if self.material_id is None else self.material_id.hex()
        return f"{material} of {self.key_arn}"


@dataclass(frozen=True, slots=True)
class Goal:
    """Which objects get which key."""

    buckets: list[str]
    prefix: str
    to: Key | None  # None: each object keeps its key
    material_id: bytes | None  # that alone is to be left; None: all but the newest of `to`
    all_versions: bool
    sse_s3: bool

    def key_for(self, use: KeyUse) -> str | None:
        """Return the ARN of the key that an object is to get, None if it stays as it is."""
        if not use.is_under_kms:  # SSE-C has no key here, and SSE-S3 is only taken where that was asked for
            return self.to.arn if self.sse_s3 and self.to is not None and use.key_arn else None
        if self.material_id is not None:
            return (self.to.arn if self.to else use.key_arn) if use.material_id == self.material_id else None
        if self.to is None or (use.key_arn, use.material_id) == (self.to.arn, self.to.current_material):
            return None
        return self.to.arn


@dataclass(slots=True)
class Left:
    """How much depends on a source."""

    objects: int = 0
    versions: int = 0
    uploads: int = 0

    @property
    def number(self) -> int:
        """Return how much it is in all."""
        return self.objects + self.versions + self.uploads


@dataclass(slots=True)
class Ledger:
    """What the ledger says below the prefix: what is to be re-wrapped, and what stays as it is, by scheme."""

    left: dict[Source, Left] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    pending: int = 0  # objects and versions that a run takes


@dataclass(slots=True)
class Report:
    """What a run has done."""

    limit: int
    done: int = 0
    bytes: int = 0
    overtaken: int = 0
    refused: int = 0
    named: list[Outcome] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.is_done:
            self.done += 1
            self.bytes += outcome.change.size
        elif outcome.is_overtaken:
            self.overtaken += 1
        else:
            self.refused += 1
            if len(self.named) < self.limit:
                self.named.append(outcome)


def rewrap(
    scope: Scope, to: To = "", from_material: FromMaterial = "", all_versions: AllVersions = False,
    sse_s3: ServiceKeys = False, rate: Rate = 0, parallel: Parallel = 8, endpoint_url: Endpoint = None,
    limit: Listed = _LISTED, data: Data = DEFAULT_DATA, database: Database = "", json_output: Json = False,
) -> None:  # fmt: skip
    """Encrypt the data keys of stored objects, or of a volume, under another KMS key, or under its newest material.

    No byte of an object is moved; ETag, checksums, dates, version ids and tags stay, and readers notice nothing. With
    `--to`, every object under SSE-KMS or DSSE-KMS comes under that key and its newest material. With `--from-material`
    only what depends on that key material is taken, and keeps its key unless there is `--to`.

    The ledger says what has to be done, so this runs where the server's data is (or with `--database`). Each change is
    a request to the running server with your AWS credentials; it needs `s3:UpdateObjectEncryption` on the object,
    `kms:ReEncryptFrom` on its key and `kms:ReEncryptTo` on the new one. Run it again to go on where it was ended. The
    exit status is 1 unless nothing is left there; uploads under way are counted, and have to be completed or aborted.

    For a volume, which must not be attached, it needs `ec2:ModifyVolume` instead, and only `--to`.

    **Examples**

    * `fuin rewrap s3://reports/2025/ --to alias/reports-2026 --all-versions`
    * `fuin rewrap s3:// --from-material 9c1e…51d0 --all-versions --rate 500`
    * `fuin rewrap vol-0123456789abcdef0 --to alias/disks-2026`
    """
    if scope.startswith("vol-"):
        typer.echo(f"{scope}  {rewrap_volume(scope, to, endpoint_url)}")
        return
    with reading(settings_of(data, database)) as store:
        goal = store.read_sync(_parse_goal, scope, to, from_material, all_versions, sse_s3)
        before = _read_ledger(store, goal)
        report = Report(limit)
        if before.pending:
            region = goal.to.region if goal.to else _region_in(next(iter(before.left)).key_arn)
            _run(store, goal, before.pending, report, Server(endpoint_url, region, parallel), parallel, rate)
        after, everywhere = _read_after(store, goal, before)
    _print(scope, goal, report, after, everywhere, json_output)
    if report.refused or any(left.number for left in after.left.values()):
        raise typer.Exit(1)


def _read_after(store: Store, goal: Goal, before: Ledger) -> tuple[Ledger, int | None]:
    """Return the numbers that are left for each source, and for a key material in all buckets."""
    after = _read_ledger(store, goal)
    for source in before.left:
        after.left.setdefault(source, Left())
    if goal.material_id is None:
        return after, None
    return after, store.read_sync(_count_everywhere, goal.material_id, {source.key_arn for source in before.left})


def _parse_goal(conn: Connection, scope: str, to: str, from_material: str, all_versions: bool, sse_s3: bool) -> Goal:
    """Return what the options ask for; raises FuinError."""
    if not scope.startswith("s3://"):
        raise FuinError(f"{scope} does not begin with s3://")
    if not to and not from_material:
        raise FuinError("give --to KEY, or --from-material ID, or both")
    if sse_s3 and not to:
        raise FuinError("--sse-s3 needs --to: objects under SSE-S3 have no key of their own")
    known = installation.find_meta(conn)
    if known is None:
        raise FuinError("the server has not finished its first start")
    bucket, _, prefix = scope.removeprefix("s3://").partition("/")
    buckets = key_scopes.list_buckets(conn)
    if bucket and bucket not in buckets:
        raise FuinError(f"there is no bucket {bucket}")
    key = targets.find_key(conn, to, known.account, known.region) if to else None
    material_id = _parse_material(conn, from_material, key) if from_material else None
    return Goal([bucket] if bucket else buckets, prefix, key, material_id, all_versions, sse_s3)


def _parse_material(conn: Connection, text: str, to: Key | None) -> bytes:
    try:
        material_id = bytes.fromhex(text)
    except ValueError:
        material_id = b""
    if len(text) != _MATERIAL_DIGITS or not material_id:
        raise FuinError(f"--from-material takes the {_MATERIAL_DIGITS} digits of a key material's id")
    found = [keys.find_key(conn, *each) for each in key_scopes.list_keys_of_material(conn, material_id)]
    if not found:  # to say that 0 is left on it would sound like a proof
        raise FuinError(f"no key has the key material {text}")
    for key in found:
        if key is not None and key.current_material == material_id and (to is None or to.arn == key.arn):
            raise FuinError(
                f"{text} is the newest key material of {key.arn}; rotate the key first, or give another --to"
            )
    return material_id


def _region_in(key_arn: str) -> str:
    return key_arn.split(":")[3]


def _read_ledger(store: Store, goal: Goal) -> Ledger:
    found = Ledger()
    for bucket in goal.buckets:
        for count in store.read_sync(key_scopes.count_versions, bucket, goal.prefix):
            wanted = goal.key_for(count.use) is not None
            if not wanted or count.use.key_arn is None:
                if not count.use.is_under_kms:
                    found.others[count.use.scheme or "?"] += count.number
                continue
            left = found.left.setdefault(Source(count.use.key_arn, count.use.material_id), Left())
            if count.is_current:
                left.objects += count.number
            else:
                left.versions += count.number
            found.pending += count.number if count.is_current or goal.all_versions else 0
        for use, number in store.read_sync(key_scopes.count_uploads, bucket, goal.prefix):
            if goal.key_for(use) is not None and use.key_arn is not None:
                found.left.setdefault(Source(use.key_arn, use.material_id), Left()).uploads += number
    return found


def _run(
    store: Store, goal: Goal, total: int, report: Report, server: Server, parallel: int, rate: float
) -> None:  # fmt: skip
    with progress_bars() as bars:
        advance = bars.begin("objects", total)

        def take(outcome: Outcome) -> None:
            report.take(outcome)
            advance(1)

        try:
            send_all(server, _changes(store, goal), take, parallel=parallel, rate=rate)
        finally:
            server.close()


def _changes(store: Store, goal: Goal) -> Iterator[Change]:
    """Yield each change that the goal needs, with one page of the ledger in memory."""
    for bucket in goal.buckets:
        place = None
        while page := _read_page(store, goal, bucket, place):
            for version in page:
                key_arn = goal.key_for(version.use)
                if key_arn is not None:
                    yield Change(version.name, version.size, key_arn, _source_header(version.use))
            place = page[-1].place


def _read_page(store: Store, goal: Goal, bucket: str, after: key_scopes.Place | None) -> list[key_scopes.StoredVersion]:
    return store.read_sync(
        key_scopes.list_versions, bucket, goal.prefix, after, _PAGE, all_versions=goal.all_versions
    )  # fmt: skip


def _source_header(use: KeyUse) -> str | None:
    """Return what the server has to find under the object's name, None for SSE-S3: its key is nobody's."""
    if not use.is_under_kms or use.key_arn is None:
        return None
    return use.key_arn if use.material_id is None else f"{use.key_arn} {use.material_id.hex()}"


def _count_everywhere(conn: Connection, material_id: bytes, arns: set[str]) -> int:
    """Return how much depends on a key material in all buckets; `arns` are keys that may not exist any longer."""
    found = [keys.find_key(conn, *each) for each in key_scopes.list_keys_of_material(conn, material_id)]
    total = Totals()
    for arn in arns | {key.arn for key in found if key is not None}:
        total += dependents.count_by_material(conn, arn).get(material_id, Totals())
    return total.objects + total.versions + total.uploads


def _print(
    scope: str, goal: Goal, report: Report, after: Ledger, everywhere: int | None, json_output: bool
) -> None:  # fmt: skip
    if json_output:
        typer.echo(json.dumps(_as_object(report, after, everywhere), indent=1))
        return
    for line in _lines(scope, goal, report, after, everywhere):
        typer.echo(escape(line))


def _lines(scope: str, goal: Goal, report: Report, after: Ledger, everywhere: int | None) -> Iterator[str]:
    for outcome in report.named:
        name = outcome.change.name
        yield f"s3://{name.bucket}/{name.key}, version {name.version}: {outcome.code}: {outcome.message}"
    yield f"re-wrapped: {report.done:,} ({report.bytes:,} bytes, none of them moved)"
    if report.refused or report.overtaken:
        yield f"refused: {report.refused:,}; changed meanwhile: {report.overtaken:,}"
    for scheme, number in sorted(after.others.items()):
        yield f"as they are: {number:,} under {scheme}"
    for source, left in sorted(after.left.items(), key=lambda item: item[0].name):
        more = "" if goal.all_versions or not left.versions else " (--all-versions takes them)"
        yield (
            f"{left.number:,} left on {source.name} in {scope}: objects {left.objects:,}, older versions "
            f"{left.versions:,}{more}, uploads under way {left.uploads:,}"
        )
    if goal.material_id is None and not any(left.number for left in after.left.values()) and goal.to is not None:
        yield f"0 left in {scope} on anything but {Source(goal.to.arn, goal.to.current_material).name}"
    if everywhere is not None and goal.material_id is not None:
        yield f"{everywhere:,} left on {goal.material_id.hex()} in all buckets"


def _as_object(report: Report, after: Ledger, everywhere: int | None) -> dict[str, Any]:
    return {
        "rewrapped": report.done, "bytes": report.bytes, "refused": report.refused, "changed": report.overtaken,
        "named": [
            {**outcome.change.name._asdict(), "code": outcome.code, "message": outcome.message}
            for outcome in report.named
        ],
        "asTheyAre": dict(after.others),
        "left": [
            {
                "key": source.key_arn, "material": source.material_id and source.material_id.hex(),
                "objects": left.objects, "olderVersions": left.versions, "uploads": left.uploads,
            }
            for source, left in after.left.items()
        ],
        "leftInAllBuckets": everywhere,
    }  # fmt: skip
