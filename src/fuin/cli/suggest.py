"""`fuin policy suggest`: the least policy that covers a principal's requests in the audit log."""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from fuin.access.kinds import SIZE_LIMITS, PolicyKind, size_of
from fuin.advice.suggest import Need, suggest
from fuin.audit import reader
from fuin.audit.reader import Entry
from fuin.cli.options import DEFAULT_DATA, Data
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.settings import Settings

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DELETES = "s3:DeleteObjects"  # up to a thousand objects; the record names some of them
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/]+)/.*")

Who = Annotated[str, typer.Option("--principal", help="The ARN of a user or role, or its end, such as user/alice.")]
Since = Annotated[str, typer.Option(help="Only requests since: 30d, 12h or 45m ago, or a date such as 2026-11-23.")]
WithRefused = Annotated[bool, typer.Option("--with-refused", help="Also allow what was refused.")]


def suggest_policy(
    principal: Who, since: Since = "30d", with_refused: WithRefused = False, data: Data = DEFAULT_DATA
) -> None:
    """Print the least policy that covers the requests of a user or role in the audit log; remarks go to standard error.

    Rights on keys that the object store asked for as the caller are limited to S3. More than five objects of one bucket
    are merged into the folder that holds them. The policy lacks rights that were not used in this period.

    **Example**: `fuin policy suggest --principal user/alice --since 7d --data ./fuin-data > alice.json`
    """
    begin = parse_since(since, time.time())
    used, refused, hidden = _needs(reader.entries(_folder(data)), principal, begin)
    chosen = used | refused if with_refused else used
    if not chosen:
        raise FuinError(f"the log has no requests of {principal} since {since}")
    policy = suggest(chosen)
    typer.echo(json.dumps(policy, indent=2))
    for remark in _remarks(policy, refused - used, with_refused=with_refused):
        typer.echo(escape(remark), err=True)
    if hidden:
        typer.echo(f"{hidden} objects were deleted in bulk; the log does not name each of them", err=True)


def _needs(entries: Iterable[Entry], principal: str, begin: float) -> tuple[set[Need], set[Need], int]:
    """Return the allowed and the refused needs of a principal, and the number of decisions that no record holds.

    Raises FuinError where the name fits several principals.
    """
    hidden: dict[str, int] = {}
    used: set[Need] = set()
    refused: set[Need] = set()
    meant: set[str] = set()
    for entry in entries:
        who = _identity(str(entry.draft.get("principal", "")), principal) if entry.time >= begin else None
        if who is None:
            continue
        meant.add(who)
        if len(meant) > 1:
            raise FuinError(f"{principal} fits several principals: {' and '.join(sorted(meant))}; give the whole ARN")
        if entry.draft.get("operation") == _DELETES:
            hidden[str(entry.draft.get("request"))] = _count_unrecorded(entry)
        for decision in entry.decisions:
            of = used if decision["allowed"] else refused
            of |= {
                Need(decision["action"], resource, _asking_service(decision, entry.draft))
                for resource in reader.resources_of(decision)
                if isinstance(resource, str)
            }
    return used, refused, sum(hidden.values())


def _count_unrecorded(entry: Entry) -> int:
    """Return how many objects a DeleteObjects record has no decision for, as in logs of an earlier version."""
    if "piece" in entry.draft or "pieces" in entry.draft:
        return 0
    named = sum(len(reader.resources_of(decision)) for decision in entry.decisions)
    return max(0, int(entry.draft.get("facts", {}).get("objects", 0)) - named)


def _asking_service(decision: dict[str, Any], draft: dict[str, Any]) -> str:
    """Return the service that asked; records of an earlier version have it for the whole request only."""
    return str(decision.get("via") or (draft.get("via") or "" if decision["action"].startswith("kms:") else ""))


def _identity(arn: str, wanted: str) -> str | None:
    """Return the user or role of a record, for a session its role; None if it is not the wanted one."""
    session = _SESSION.fullmatch(arn)
    if session is None:
        return arn if _is_named_by(arn, wanted) else None
    role = f"arn:aws:iam::{session[1]}:role/{session[2]}"
    if _is_named_by(arn, wanted):
        return arn
    whose, _, path = wanted.rpartition("role/")  # a session's ARN does not have the role's path
    return role if _is_named_by(role, f"{whose}role/{path.rpartition('/')[2]}") and "role/" in wanted else None


def _is_named_by(arn: str, wanted: str) -> bool:
    """Return whether an ARN is the wanted one, or ends with it after a `:` or `/`."""
    return arn.endswith(wanted) and arn[: -len(wanted)][-1:] in {"", ":", "/"}


def parse_since(text: str, now: float) -> float:
    """Return the time of `30d` ago or of a date in UTC, in seconds since 1970; raises FuinError."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise FuinError("--since takes 30d, 12h, 45m or a date such as 2026-11-23") from None
    return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()


def _remarks(policy: dict[str, Any], refused: set[Need], *, with_refused: bool) -> list[str]:
    """Return the remarks about a suggested policy."""
    remarks = []
    if refused and not with_refused:
        named = sorted({f"{need.action} on {need.resource}" for need in refused})
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        listed = f"{', '.join(named[:3])}{more}"
        remarks.append(f"refused during this period and left out (include with --with-refused): {listed}")
    size, limit = size_of(json.dumps(policy), PolicyKind.IDENTITY), SIZE_LIMITS[PolicyKind.IDENTITY]
    if size > limit:
        remarks.append(f"the policy has {size} characters; a user's inline policy may have {limit}, a managed one more")
    return remarks


def _folder(data: Path) -> Path:
    folder = Settings(data=data.absolute()).audit
    if not folder.is_dir():
        raise FuinError(f"{data} holds no audit log")
    return folder
