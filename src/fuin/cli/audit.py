"""`fuin audit`: show the log and verify it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fuin.audit import reader, verify, witness
from fuin.audit.chain import Check
from fuin.audit.copies import read_key
from fuin.audit.reader import Entry
from fuin.audit.verify import LogTampered
from fuin.cli.node_logs import CopiesAuthority, CopiesEndpoint, CopiesUrl, NodeLog, NodeLogs, open_logs
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json
from fuin.cli.request_story import moment
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.keyholder import offline

app = typer.Typer(help="The tamper-evident log of every use of a key and every request.", no_args_is_help=True)

Tail = Annotated[int, typer.Option(min=1, help="How many of the newest records to show.")]
Operation = Annotated[str | None, typer.Option(help="Only this operation, such as s3:PutObject.")]
Principal = Annotated[str | None, typer.Option(help="Only this principal: its ARN, or the ARN's end.")]
Refused = Annotated[
    bool, typer.Option("--refused", help="Only requests that ended with an error, or were refused in part.")
]
Head = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="[NODE=]SEQUENCE:HASH",
        help="A head that you noted earlier, elsewhere; a log without it was cut off or changed. May be repeated.",
    ),
]
Key = Annotated[
    Path | None, typer.Option(help="A copy of the log's public key, kept elsewhere; by default the key beside the log.")
]


@app.command("show")
def show(
    data: Data = DEFAULT_DATA, tail: Tail = 20, operation: Operation = None, principal: Principal = None,
    refused: Refused = False, database: Database = "", blobs: CopiesUrl = "", blobs_endpoint: CopiesEndpoint = "",
    blobs_ca: CopiesAuthority = None, json_output: Json = False,
) -> None:  # fmt: skip
    """Show the newest records, the oldest of these first; with --json one object on each line.

    With many nodes, the records of all nodes are shown, by time, with the name of their node.

    **Example**: `fuin audit show --data ./fuin-data --operation s3:PutObject --tail 5`
    """
    newest: list[Entry] = []
    with open_logs(data, blobs, blobs_endpoint, blobs_ca, database=database) as found:
        for log in found.logs:
            if operation or principal or refused:
                chosen = filter_entries(reader.entries(log.source), operation, principal, refused)
                entries = list(deque(chosen, maxlen=tail))
            else:
                entries = reader.last(log.source, tail)
            newest += [replace(entry, node=log.node) for entry in entries]
    newest.sort(key=lambda entry: (entry.time, entry.node, entry.sequence) if entry.node else (0, "", entry.sequence))
    for entry in newest[-tail:]:
        typer.echo(json.dumps(as_json(entry)) if json_output else as_line(entry))


@app.command("verify")
def verify_log(
    data: Data = DEFAULT_DATA, expect: Head = None, public_key: Key = None, database: Database = "",
    blobs: CopiesUrl = "",
    blobs_endpoint: CopiesEndpoint = "", blobs_ca: CopiesAuthority = None,
) -> None:  # fmt: skip
    """Verify the whole log: every record's place in the chain, every signature, every segment.

    Prints the head. Note it outside this machine: only such a note can show later that the log's end was cut off. With
    many nodes, each node's log is verified, from its folder and from its copies, and both must agree.

    **Example**: `fuin audit verify --data ./fuin-data --expect 1041:9f86d0…`
    """
    heads = dict(parse_head(text) for text in expect or ())
    with open_logs(data, blobs, blobs_endpoint, blobs_ca, database=database) as found:
        unknown = sorted(heads.keys() - {log.node for log in found.logs})
        if unknown:
            raise FuinError(f"there is no log of {unknown[0] or 'a server without a name'}, whose head was noted")
        check = public_checker(found, public_key)
        problems: list[str] = []
        for log in found.logs:
            problems += _verify_one(log, check, heads.get(log.node))
    if problems:
        raise LogTampered(tuple(problems))


def _verify_one(log: NodeLog, check: Check, expected: tuple[int, bytes] | None) -> list[str]:
    """Verify a log and its copy, print how they are, and return their problems."""
    name = f"{log.node}: " if log.node else ""
    copy = log.copy if log.copy is not None and log.copy.segments() else None
    source = log.folder or copy
    if source is None:
        if expected is not None:
            return [f"{name}there are no copies, but record {expected[0]} was noted"]
        typer.echo(f"{name}has no copies yet")
        return []
    try:  # the copies first: a running server adds to its folder first
        copied = verify.verify(copy, check) if copy is not None and log.folder is not None else None
        report = verify.verify(source, check, expected)
    except LogTampered as error:
        return [f"{name}{problem}" for problem in error.problems]
    where = ", from its copies" if log.folder is None else ""
    held = f"{report.records} records in {report.segments} segments, all signatures good{where}"
    typer.echo(f"{name or 'the log holds: '}{held}")
    typer.echo(f"{name}head {report.sequence}:{report.head.hex()}")
    return _compare_copy(log, copied) if log.folder is not None and log.node else []


def _compare_copy(log: NodeLog, copied: verify.Report | None) -> list[str]:
    """Print how far the copies of the folder's log go, and return the problem if they are of another log."""
    if copied is None:
        typer.echo(f"{log.node}: has no copies yet")
    elif log.folder is None or witness.chain_hash_at(log.folder, copied.sequence) != copied.head:
        return [f"{log.node}: the folder lacks record {copied.sequence} of its copies: the log was cut off or changed"]
    else:
        typer.echo(f"{log.node}: its copies agree, up to record {copied.sequence}")
    return []


def public_checker(found: NodeLogs, file: Path | None) -> Check:
    """Return the check of signatures: by the key in a file, beside the log, or the one that all copies name."""
    folder = found.logs[0].folder if found.logs else None
    if file is not None:
        return checker(file)
    if folder is not None:
        return offline.audit_checker(folder)
    copies = found.copies
    keys = {read_key(copies, log.node) for log in found.logs} if copies is not None else set()
    if len(keys) != 1:
        raise FuinError("the copies have no public key, or more than one: give your own copy of it with --public-key")
    return offline.AuditChecker(keys.pop())


def checker(file: Path) -> offline.AuditChecker:
    """Return the check of signatures by the public key in a file, 64 hex digits; raises FuinError."""
    try:
        return offline.AuditChecker(bytes.fromhex(file.read_text().strip()))
    except ValueError:
        raise FuinError(f"{file} is not a public key in hex") from None


def parse_head(text: str) -> tuple[str, tuple[int, bytes]]:
    """Return the node, the sequence and the hash of [NODE=]SEQUENCE:HASH; raises FuinError."""
    node, _, head = text.rpartition("=")
    try:
        sequence, _, digest = head.partition(":")
        return node, (int(sequence), bytes.fromhex(digest))
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
    node = {"node": entry.node} if entry.node else {}
    found = {**node, "sequence": entry.sequence, "time": moment(entry), "did": entry.use, "outcome": entry.outcome}
    if entry.key_id:
        found |= {"keyId": entry.key_id, "keyMaterialId": entry.material_id}
    return found | entry.draft


def as_line(entry: Entry) -> str:
    """Return an entry as one line: the node if many, record, time, operation, use, principal, outcome, request id."""
    draft = entry.draft
    words = (
        *([entry.node] if entry.node else ()),
        f"{entry.sequence:7}",
        moment(entry),
        draft.get("operation", "-"),
        draft.get("use", "-"),
        draft.get("principal", "-"),
        draft.get("error", f"piece {draft['piece']}" if "piece" in draft else entry.outcome),
        draft.get("request", "-"),
    )
    return escape("  ".join(str(word) for word in words))
