"""`fuin audit`: show the log and verify it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from fuin.audit import reader, verify
from fuin.audit.reader import Entry
from fuin.cli.options import DEFAULT_DATA, Data, Json
from fuin.cli.request_story import moment
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.keyholder import offline
from fuin.settings import Settings

app = typer.Typer(help="The tamper-evident log of every use of a key and every request.", no_args_is_help=True)

Tail = Annotated[int, typer.Option(min=1, help="How many of the newest records to show.")]
Operation = Annotated[str | None, typer.Option(help="Only this operation, such as s3:PutObject.")]
Principal = Annotated[str | None, typer.Option(help="Only this principal: its ARN, or the ARN's end.")]
Refused = Annotated[
    bool, typer.Option("--refused", help="Only requests that ended with an error, or were refused in part.")
]
Head = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="SEQUENCE:HASH",
        help="A head that you noted earlier, elsewhere; a log without it was cut off or changed.",
    ),
]
Key = Annotated[
    Path | None, typer.Option(help="A copy of the log's public key, kept elsewhere; by default the key beside the log.")
]


@app.command("show")
def show(
    data: Data = DEFAULT_DATA,
    tail: Tail = 20,
    operation: Operation = None,
    principal: Principal = None,
    refused: Refused = False,
    json_output: Json = False,
) -> None:
    """Show the newest records, the oldest of these first; with --json one object on each line.

    **Example**: `fuin audit show --data ./fuin-data --operation s3:PutObject --tail 5`
    """
    entries = filter_entries(reader.entries(_folder(data)), operation, principal, refused)
    newest = deque(entries, maxlen=tail)
    for entry in newest:
        typer.echo(json.dumps(as_json(entry)) if json_output else as_line(entry))


@app.command("verify")
def verify_log(data: Data = DEFAULT_DATA, expect: Head = None, public_key: Key = None) -> None:
    """Verify the whole log: every record's place in the chain, every signature, every segment.

    Prints the head. Note it outside this machine: only such a note can show later that the log's end was cut off.

    **Example**: `fuin audit verify --data ./fuin-data --expect 1041:9f86d0…`
    """
    folder = _folder(data)
    check = offline.audit_checker(folder) if public_key is None else checker(public_key)
    report = verify.verify(folder, check, parse_head(expect))
    typer.echo(f"the log holds: {report.records} records in {report.segments} segments, all signatures good")
    typer.echo(f"head {report.sequence}:{report.head.hex()}")


def checker(file: Path) -> offline.AuditChecker:
    """Return the check of signatures by the public key in a file, 64 hex digits; raises FuinError."""
    try:
        return offline.AuditChecker(bytes.fromhex(file.read_text().strip()))
    except ValueError:
        raise FuinError(f"{file} is not a public key in hex") from None


def parse_head(text: str | None) -> tuple[int, bytes] | None:
    """Return the sequence and hash of SEQUENCE:HASH; raises FuinError."""
    if text is None:
        return None
    try:
        sequence, _, digest = text.partition(":")
        return int(sequence), bytes.fromhex(digest)
    except ValueError:
        raise FuinError("--expect takes SEQUENCE:HASH, as `fuin audit verify` prints it") from None


def filter_entries(
    entries: Iterable[Entry], operation: str | None, principal: str | None, refused: bool
) -> Iterator[Entry]:
    """Yield the entries that pass all given filters."""
    for entry in entries:
        draft = entry.draft
        if operation is not None and draft.get("operation") != operation:
            continue
        if principal is not None and not str(draft.get("principal", "")).endswith(principal):
            continue
        if refused and not _is_refused(entry):
            continue
        yield entry


def _is_refused(entry: Entry) -> bool:
    """Return whether a request ended with an error, or succeeded with some things refused."""
    return "error" in entry.draft or entry.outcome != "ok" or bool(entry.draft.get("facts", {}).get("refused"))


def as_json(entry: Entry) -> dict[str, object]:
    """Return an entry as one flat object."""
    found = {"sequence": entry.sequence, "time": moment(entry), "did": entry.use, "outcome": entry.outcome}
    if entry.key_id:
        found |= {"keyId": entry.key_id, "keyMaterialId": entry.material_id}
    return found | entry.draft


def as_line(entry: Entry) -> str:
    """Return an entry as one line: record, time, operation, use, principal, outcome, request id."""
    draft = entry.draft
    words = (
        f"{entry.sequence:7}",
        moment(entry),
        draft.get("operation", "-"),
        draft.get("use", "-"),
        draft.get("principal", "-"),
        draft.get("error", f"piece {draft['piece']}" if "piece" in draft else entry.outcome),
        draft.get("request", "-"),
    )
    return escape("  ".join(str(word) for word in words))


def _folder(data: Path) -> Path:
    folder = Settings(data=data.absolute()).audit
    if not folder.is_dir():
        raise FuinError(f"{data} holds no audit log")
    return folder
