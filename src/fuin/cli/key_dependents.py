"""`fuin key dependents`: how much depends on a KMS key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin import ids
from fuin.advice import targets
from fuin.cli.options import DEFAULT_DATA, Data, Database, check_account, settings_of
from fuin.cli.reading import reading
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.store.engine import installation
from fuin.store.kms import aliases, materials
from fuin.store.s3 import dependents
from fuin.store.s3.dependents import Totals
from fuin.store.volumes import dependents as volume_dependents
from fuin.store.volumes.dependents import VolumeTotals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from fuin.store.store import Store

Named = Annotated[str, typer.Argument(metavar="KEY", help="A key: its id, ARN or alias.")]
OfAccount = Annotated[str, typer.Option("--account", help="The account of a key without an ARN; the first one.")]
OfRegion = Annotated[str, typer.Option("--region", help="The Region of a key without an ARN; the server's own.")]
List = Annotated[bool, typer.Option("--list", help="Print each object, upload, volume and bucket, one a line.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object; with --list one for each line.")]

_PAGE = 1000
_GONE = "no such key"
_UNKNOWN = "not named"


@dataclass(frozen=True, slots=True)
class Summary:
    """How much depends on a key and on each of its materials; `state` says whether the key exists."""

    arn: str
    state: str
    materials: dict[bytes | None, Totals]
    states: dict[bytes, str]  # of the materials that the key has
    buckets: list[str]
    disks: VolumeTotals  # volumes and snapshots


def key_dependents(
    key: Named, account: OfAccount = "", region: OfRegion = "", each: List = False, data: Data = DEFAULT_DATA,
    database: Database = "", json_output: JsonLines = False,
) -> None:  # fmt: skip
    """Show how much depends on a key, and on each of its key materials: exact numbers, and plaintext bytes.

    These are the objects, older versions of objects, uploads under way, volumes and snapshots that nobody can open
    without the key, and the buckets whose default encryption names it. A key that does not exist any longer is named
    by its ARN. It works whether the server runs or not.

    **Example**: `fuin key dependents alias/reports --data ./fuin-data`
    """
    if account:
        check_account(account)
    with reading(settings_of(data, database)) as store:
        summary = store.read_sync(_read_summary, key, account, region)
        if each:
            for entry in _entries(store, summary):
                typer.echo(json.dumps(entry) if json_output else escape(_entry_line(entry)))
        elif json_output:
            typer.echo(json.dumps(_as_object(summary), indent=1))
        else:
            for line in _lines(summary):
                typer.echo(line)


def _read_summary(conn: Connection, text: str, account: str, region: str) -> Summary:
    known = installation.find_meta(conn)
    if known is None:
        raise FuinError("the server has not finished its first start")
    arn, state = _find_key(conn, text, account or known.account, region or known.region)
    region, account, resource = arn.split(":", 5)[3:]
    key_id = resource.removeprefix("key/")
    versions = materials.list_versions(conn, key_id, region)
    counted = dependents.count_by_material(conn, arn)
    order: list[bytes | None] = [version.material_id for version in versions]
    order += [material_id for material_id in counted if material_id not in order]
    return Summary(
        arn,
        state,
        {material_id: counted.get(material_id, Totals()) for material_id in order},
        {version.material_id: version.import_state or version.state for version in versions},
        dependents.list_buckets(conn, aliases.list_key_arns(conn, account, region, key_id)),
        volume_dependents.count(conn, arn),
    )


def _find_key(conn: Connection, text: str, account: str, region: str) -> tuple[str, str]:
    """Return a key's ARN and its state; an ARN may also be that of a key that has ended. Raises FuinError."""
    try:
        found = targets.find_key(conn, text, account, region)
    except FuinError:
        parts = text.split(":", 5)
        if len(parts) == 6 and parts[:3] == ["arn", "aws", "kms"] and ids.is_key_id(parts[5].removeprefix("key/")):
            return text, _GONE
        raise
    return found.arn, found.state


def _lines(summary: Summary) -> Iterator[str]:
    yield f"{summary.arn}  {summary.state}"
    total = sum(summary.materials.values(), Totals())
    table = [["", "objects", "bytes", "older versions", "bytes", "uploads", "bytes"], _row("in all", total)]
    for material_id, totals in summary.materials.items():
        table.append(_row(_material_name(summary, material_id), totals))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *numbers in table:
        cells = [first.ljust(widths[0]), *(n.rjust(width) for n, width in zip(numbers, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
    yield f"buckets whose default names it: {len(summary.buckets)}"
    disks = summary.disks
    yield f"volumes: {disks.volumes:,} ({disks.volume_size:,} GiB)"
    yield f"snapshots of volumes: {disks.snapshots:,} ({disks.snapshot_size:,} GiB)"


def _row(name: str, totals: Totals) -> list[str]:
    numbers = (
        totals.objects, totals.object_bytes, totals.versions, totals.version_bytes, totals.uploads, totals.upload_bytes,
    )  # fmt: skip
    return [name, *(f"{number:,}" for number in numbers)]


def _material_name(summary: Summary, material_id: bytes | None) -> str:
    if material_id is None:
        return f"material {_UNKNOWN}"
    return f"material {material_id.hex()} {summary.states.get(material_id, '')}".rstrip()


def _as_object(summary: Summary) -> dict[str, Any]:
    total = sum(summary.materials.values(), Totals())
    return {
        "key": summary.arn,
        "state": None if summary.state == _GONE else summary.state,
        **_numbers(total),
        "buckets": summary.buckets,
        "volumes": {"number": summary.disks.volumes, "gibibytes": summary.disks.volume_size},
        "snapshots": {"number": summary.disks.snapshots, "gibibytes": summary.disks.snapshot_size},
        "materials": [
            {
                "material": None if material_id is None else material_id.hex(),
                "state": None if material_id is None else summary.states.get(material_id),
                **_numbers(totals),
            }
            for material_id, totals in summary.materials.items()
        ],
    }


def _numbers(totals: Totals) -> dict[str, Any]:
    return {
        "objects": {"number": totals.objects, "bytes": totals.object_bytes},
        "olderVersions": {"number": totals.versions, "bytes": totals.version_bytes},
        "uploads": {"number": totals.uploads, "bytes": totals.upload_bytes},
    }


def _entries(store: Store, summary: Summary) -> Iterator[dict[str, Any]]:
    """Yield each dependent as a JSON object, with one page of them in memory."""
    for material_id in summary.materials:
        after = 0
        while page := store.read_sync(dependents.list_objects, summary.arn, material_id, after, _PAGE):
            for found in page:
                yield {
                    "kind": "object", "bucket": found.name.bucket, "key": found.name.key,
                    "version": found.name.version, "current": found.is_current, "bytes": found.size,
                    "material": _hex(material_id),
                }  # fmt: skip
            after = page[-1].number
    mark = ""
    while uploads := store.read_sync(dependents.list_uploads, summary.arn, mark, _PAGE):
        for one in uploads:
            yield {
                "kind": "upload", "bucket": one.name.bucket, "key": one.name.key, "upload": one.upload_id,
                "material": _hex(one.material_id),
            }  # fmt: skip
        mark = uploads[-1].upload_id
    yield from _disk_entries(store, summary.arn)
    yield from ({"kind": "bucket", "bucket": name} for name in summary.buckets)


def _disk_entries(store: Store, key_arn: str) -> Iterator[dict[str, Any]]:
    """Yield each volume and snapshot, with one page of them in memory."""
    for kind, read_page in (
        ("volume", volume_dependents.list_volumes), ("snapshot", volume_dependents.list_snapshots),
    ):  # fmt: skip
        after = ""
        while page := store.read_sync(read_page, key_arn, after, _PAGE):
            for disk in page:
                material = _hex(disk.material_id)
                yield {"kind": kind, "id": disk.resource_id, "gibibytes": disk.size, "material": material}
            after = page[-1].resource_id


def _hex(material_id: bytes | None) -> str | None:
    return None if material_id is None else material_id.hex()


def _entry_line(entry: dict[str, Any]) -> str:
    if entry["kind"] == "bucket":
        return f"bucket  {entry['bucket']}"
    material = f"material {entry['material'] or _UNKNOWN}"
    if "gibibytes" in entry:
        return f"{entry['kind']}  {entry['id']}  {entry['gibibytes']} GiB  {material}"
    place = f"s3://{entry['bucket']}/{entry['key']}"
    if entry["kind"] == "upload":
        return f"upload  {place}  {entry['upload']}  {material}"
    kind = "object" if entry["current"] else "version"
    return f"{kind}  {place}  {entry['version']}  {entry['bytes']} bytes  {material}"
