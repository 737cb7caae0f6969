"""`fuin verify`: the proof at rest, that each stored object is what the index and KMS say."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.admin import with_server
from fuin.cli.options import (
    DEFAULT_DATA,
    Blobs,
    BlobsAuthority,
    BlobsEndpoint,
    Data,
    Database,
    Json,
    PassphraseFile,
    ProxyAuthority,
    ProxyHosts,
    check_proxy_hosts,
    settings_of,
)
from fuin.cli.progress import progress_bars
from fuin.cli.reading import reading
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.ledger.blobs import open_blobs
from fuin.proof.data_keys import new_data_keys
from fuin.proof.finding import FAULT, ORPHAN, UNPROVEN
from fuin.proof.pace import Pace
from fuin.proof.proof import Counts, Proof
from fuin.proof.scope import Scope, parse_scope, stored_bytes
from fuin.server import joining

if TYPE_CHECKING:
    from fuin.keyholder.wire.client import Keyholder
    from fuin.proof.finding import Finding
    from fuin.settings import Settings
    from fuin.store.store import Store

Where = Annotated[
    str | None, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Which objects; by default the whole store.")
]
StructureOnly = Annotated[
    bool, typer.Option("--structure-only", help="Use no key: prove headers, frames and lengths, and open nothing.")
]
Rate = Annotated[float, typer.Option("--rate", min=0, metavar="MB/S", help="Read at most so many megabytes a second.")]
Listed = Annotated[int, typer.Option("--limit", min=0, help="How many findings to name; all are counted.")]
_LISTED = 10_000
_MEGABYTE = 1_000_000
HOLDS, FAULTY, NOT_LOOKED = 0, 1, 3  # exit statuses; 2 is that of a wrong command line


def verify(
    where: Where = None, data: Data = DEFAULT_DATA, database: Database = "", blobs: Blobs = "",
    blobs_endpoint: BlobsEndpoint = "", blobs_ca: BlobsAuthority = None, passphrase_file: PassphraseFile = None,
    structure_only: StructureOnly = False, rate: Rate = 0.0, limit: Listed = _LISTED, xks_host: ProxyHosts = None,
    xks_ca: ProxyAuthority = None, json_output: Json = False,
) -> None:  # fmt: skip
    """Prove on the raw store that each object is whole, opens through KMS only, and is what the index says.

    Every version, and every part of an upload under way, is read from its blob. It must be one message, bound to its
    bucket, key and version; KMS must open its data key, and each use is in the audit log; all of it must open, and have
    the checksum, the length and the ETag of the index. Blobs that no row names, and rows without a blob, are named.
    No object and no row is changed. It works whether the server runs or not.

    The exit status is 0 if all holds, 1 if something is wrong, and 3 if something could not be looked at, such as an
    object whose KMS key is disabled.

    **Examples**

    * `fuin verify --data ./fuin-data`
    * `fuin verify s3://backups/2026/ --rate 100 --json`
    * `fuin verify --structure-only`
    """
    try:
        check_proxy_hosts(xks_host or [])
        settings = replace(
            settings_of(data, database), blobs_url=blobs, blobs_endpoint=blobs_endpoint,
            blobs_ca=blobs_ca and blobs_ca.absolute(), xks_hosts=tuple(xks_host or ()),
            xks_ca=xks_ca and xks_ca.absolute(),
        )  # fmt: skip
        if database:
            settings = joining.with_blobs(settings, joining.read_values(settings))
        run = _Run(settings, parse_scope(where), Pace(rate * _MEGABYTE), limit, json_output)
        if structure_only:
            counts = asyncio.run(run.prove_structure())
        else:
            counts = with_server(settings, passphrase_file, run.prove_content)
    except (FuinError, OSError) as error:
        sys.stderr.write(f"fuin: {error}\n")
        raise typer.Exit(NOT_LOOKED) from None
    run.end(counts, structure_only=structure_only)


@dataclass
class _Run:
    """One run of the command, and the findings that it names."""

    settings: Settings
    scope: Scope
    pace: Pace
    limit: int
    as_json: bool

    def __post_init__(self) -> None:
        self.named: list[dict[str, Any]] = []
        self._count = 0

    async def prove_structure(self) -> Counts:
        """Prove the structure, without a key."""
        with reading(self.settings) as store:
            return await self._prove(store, None)

    async def prove_content(self, store: Store, keyholder: Keyholder, _account: str) -> Counts:
        """Prove everything, with a keyholder."""
        return await self._prove(store, keyholder)

    async def _prove(self, store: Store, keyholder: Keyholder | None) -> Counts:
        blobs = await open_blobs(self.settings, store)
        keys = None if keyholder is None else new_data_keys(self.settings, store, keyholder, blobs)
        try:
            with progress_bars() as bars:
                total = await stored_bytes(store, self.scope) if bars.are_shown else 0
                report = bars.begin("verify", total, is_bytes=True)
                return await Proof(store, blobs, keys, self.scope, self._show, report, self.pace).run()
        finally:
            if keys is not None:
                await keys.close()

    def _show(self, found: Finding) -> None:
        self._count += 1
        if self._count > self.limit:
            return
        if self.as_json:
            self.named.append(asdict(found))
        else:
            typer.echo(escape(found.sentence))

    def end(self, counts: Counts, *, structure_only: bool) -> None:
        """Print the report, and end with the exit status."""
        kinds = {kind: counts.findings.get(kind, 0) for kind in (FAULT, ORPHAN, UNPROVEN)}
        if self.as_json:
            typer.echo(json.dumps(_as_json(self, counts, kinds, structure_only=structure_only), indent=1))
        else:
            typer.echo("\n".join(_as_lines(self.scope, counts, kinds, structure_only=structure_only)))
        if kinds[FAULT] or kinds[ORPHAN]:
            raise typer.Exit(FAULTY)
        if kinds[UNPROVEN]:
            raise typer.Exit(NOT_LOOKED)


def _as_json(run: _Run, counts: Counts, kinds: dict[str, int], *, structure_only: bool) -> dict[str, Any]:
    return {
        "scope": str(run.scope), "structureOnly": structure_only, "versions": counts.versions,
        "uploads": counts.uploads, "messages": counts.messages, "storedBytes": counts.stored_bytes,
        "opened": counts.opened, "underCustomerKeys": counts.under_customer_keys,
        "changedMeanwhile": counts.changed, "orphansMoved": counts.moved_orphans, "faults": kinds[FAULT],
        "orphans": kinds[ORPHAN], "unproven": kinds[UNPROVEN], "named": run.named,
    }  # fmt: skip


def _as_lines(scope: Scope, counts: Counts, kinds: dict[str, int], *, structure_only: bool) -> list[str]:
    megabytes = counts.stored_bytes / _MEGABYTE
    lines = [
        f"{scope}: {counts.versions:,} versions and {counts.uploads:,} uploads under way",
        f"{counts.messages:,} messages read ({megabytes:,.1f} MB), {counts.opened:,} of them opened through KMS",
    ]
    if structure_only:
        lines.append("structure only: no key was used, and no content was compared")
    if counts.under_customer_keys:
        number = f"{counts.under_customer_keys:,}"
        lines.append(f"{number} messages are under keys that only clients have (SSE-C): structure and length only")
    if counts.changed:
        lines.append(f"{counts.changed:,} times something was replaced or deleted while it was looked at")
    if counts.moved_orphans:
        lines.append(f"{counts.moved_orphans:,} orphans wait out of the way, where a sweep has moved them")
    lines.append(f"{kinds[FAULT]:,} faults, {kinds[ORPHAN]:,} orphans, {kinds[UNPROVEN]:,} could not be looked at")
    return [escape(line) for line in lines]
