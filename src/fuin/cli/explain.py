"""`fuin explain REQUEST-ID`: show a request as numbered steps, and evaluate its decisions."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.advice.retrace import CannotRetrace, retrace
from fuin.audit import reader
from fuin.cli import evaluation
from fuin.cli.audit import as_json
from fuin.cli.node_logs import CopiesAuthority, CopiesEndpoint, CopiesUrl, open_logs
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, settings_of
from fuin.cli.reading import reading
from fuin.cli.request_story import request_steps
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.formats import notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fuin.audit.reader import Entry
    from fuin.store.store import Store

RequestId = Annotated[str, typer.Argument(metavar="REQUEST-ID", help="x-amz-request-id or x-amzn-RequestId.")]


def explain(
    request_id: RequestId, data: Data = DEFAULT_DATA, database: Database = "", blobs: CopiesUrl = "",
    blobs_endpoint: CopiesEndpoint = "", blobs_ca: CopiesAuthority = None, json_output: Json = False,
) -> None:  # fmt: skip
    """Show what happened in a request: who asked, which key, why it was allowed or refused, what was stored.

    Then comes the evaluation of each decision: every policy and statement, each failed condition with its values, and
    for a refusal the smallest change that would allow it. Only users who may read the data folder see this. The id is
    in every answer; `fuin audit show` lists it too.

    **Example**: `fuin explain 6f1c…-…-… --data ./fuin-data`
    """
    settings = settings_of(data, database)
    entries = find_request(request_id, data, blobs, blobs_endpoint, blobs_ca, database=database)
    if not entries:
        raise FuinError(f"the log has no record of a request {request_id}")
    if not database and not settings.database.exists():  # a copy of the log alone also says what happened
        _show(entries, [], as_objects=json_output)
        return
    with reading(settings) as store:
        _show(entries, list(_evaluations(store, entries, as_objects=json_output)), as_objects=json_output)


def find_request(
    request_id: str, data: Path, url: str = "", endpoint: str = "", authority: Path | None = None, *, database: str = ""
) -> list[Entry]:
    """Return the records of a request, from the log of the node that answered it; empty without any."""
    with open_logs(data, url, endpoint, authority, database=database) as found:
        for log in found.logs:
            if entries := reader.find(log.source, request_id):
                return [replace(entry, node=log.node) for entry in entries]
    return []


def _show(entries: Sequence[Entry], evaluated: Sequence[Any], *, as_objects: bool) -> None:
    if as_objects:
        told = [as_json(entry) for entry in entries]
        if evaluated:
            told[-1]["evaluations"] = evaluated
        typer.echo(json.dumps(told, indent=1))
        return
    for number, step in enumerate(request_steps(entries), 1):
        typer.echo(
            textwrap.fill(
                escape(step), 118, initial_indent=f"{number:2}. ", subsequent_indent="    ", break_on_hyphens=False
            )
        )
    for line in evaluated:
        typer.echo(line)


def _evaluations(store: Store, entries: Sequence[Entry], *, as_objects: bool) -> Iterator[Any]:
    """Yield each decision's evaluation once: later records repeat the earlier decisions."""
    seen: set[str] = set()
    for entry in reversed(entries):  # the last one holds most
        for decision in entry.decisions:
            text = json.dumps(decision, sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            yield from _evaluation(store, _key_use_record(entries, decision) or entry, decision, as_objects=as_objects)


def _key_use_record(entries: Sequence[Entry], decision: Mapping[str, Any]) -> Entry | None:
    """Return the record of the key use that a decision was about: it has that use's encryption context."""
    about = (decision["action"], decision["resource"])
    return next((entry for entry in entries if (entry.draft.get("use"), entry.draft.get("key")) == about), None)


def _evaluation(store: Store, entry: Entry, decision: Mapping[str, Any], *, as_objects: bool) -> Iterator[Any]:
    head = {name: decision[name] for name in ("action", "resource", "resources", "allowed") if name in decision}
    more = len(reader.resources_of(decision)) - 1
    others = f", and the same on {more:,} more" if more else ""
    verdict = "ALLOWED" if decision["allowed"] else "REFUSED"
    if not as_objects:
        yield ""
        yield escape(f"{decision['action']} on {notes.display_text(decision['resource'])}{others}: {verdict}")
    try:
        retraced = store.read_sync(retrace, entry.draft, decision)
    except CannotRetrace as reason:
        told = escape(f"  It cannot be evaluated again: {reason}.")
        yield {**head, "cannotEvaluate": str(reason)} if as_objects else told
        return
    if as_objects:
        yield {**head, **evaluation.as_object(retraced)}
    else:
        yield from evaluation.lines(retraced)
        if more and not decision["allowed"]:
            yield f"  That is for the first one; the {more:,} others need the same under their own names."
