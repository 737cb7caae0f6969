"""`fuin policy suggest`: the least policy that covers what the audit log shows of a principal."""

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
from fuin.access.suggest import Need, suggest
from fuin.audit import reader
from fuin.audit.reader import Entry
from fuin.cli.options import DEFAULT_DATA, Data
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.settings import Settings

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DELETES = "s3:DeleteObjects"  # up to a thousand, of which the record has some
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/]+)/.*")

Who = Annotated[str, typer.Option("--principal", help="The ARN of a user or role, or its end, such as user/alice.")]
Since = Annotated[str, typer.Option(help="Only what was done since: 30d, 12h, 45m ago, or a date as 2026-11-23.")]
WithRefused = Annotated[bool, typer.Option("--with-refused", help="Allow also what was refused.")]


def suggest_policy(
    principal: Who, since: Since = "30d", with_refused: WithRefused = False, data: Data = DEFAULT_DATA
) -> None:
    """Print the least policy that covers what the audit log shows of a user or role; standard error has the remarks.

    Rights on keys that the object store asked for on the caller's behalf are for S3 only. More than five objects of a
    bucket become the folder that holds all of them. A right that was not used within the time is not in it.

    **Example**: `fuin policy suggest --principal user/alice --since 7d --data ./fuin-data > alice.json`
    """
    begin = parse_since(since, time.time())
    used, refused, hidden = _needs(reader.entries(_folder(data)), principal, begin)
    chosen = used | refused if with_refused else used
    if not chosen:
        raise FuinError(f"the log shows nothing of {principal} since {since}")
    policy = suggest(chosen)
    typer.echo(json.dumps(policy, indent=2))
    for remark in _remarks(policy, refused - used, with_refused=with_refused):
        typer.echo(escape(remark), err=True)
    if hidden:
        typer.echo(f"{hidden} objects were deleted many at once and do not stand in the log one by one", err=True)


def _needs(entries: Iterable[Entry], principal: str, begin: float) -> tuple[set[Need], set[Need], int]:
    """Return what was allowed to a principal, what was refused, and how many decisions are in no record.

    Raises FuinError where several are called so.
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
            raise FuinError(f"{principal} is several: {' and '.join(sorted(meant))}; give the whole ARN")
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
    """Return how many objects a record of DeleteObjects has no decision of, as in logs of an earlier version."""
    if "piece" in entry.draft or "pieces" in entry.draft:
        return 0
    named = sum(len(reader.resources_of(decision)) for decision in entry.decisions)
    return max(0, int(entry.draft.get("facts", {}).get("objects", 0)) - named)


def _asking_service(decision: dict[str, Any], draft: dict[str, Any]) -> str:
    """Return the service that asked; records of an earlier version say it of a whole request only."""
    return str(decision.get("via") or (draft.get("via") or "" if decision["action"].startswith("kms:") else ""))


def _identity(arn: str, wanted: str) -> str | None:
    """Return the user or role whose record it is, if it is the one that is meant: of a session, the session's role."""
    session = _SESSION.fullmatch(arn)
    if session is None:
        return arn if _is_named_by(arn, wanted) else None
    role = f"arn:aws:iam::{session[1]}:role/{session[2]}"
    if _is_named_by(arn, wanted):
        return arn
    whose, _, path = wanted.rpartition("role/")  # a session's ARN does not have the role's path
    return role if _is_named_by(role, f"{whose}role/{path.rpartition('/')[2]}") and "role/" in wanted else None


def _is_named_by(arn: str, wanted: str) -> bool:
    """Tell whether an ARN is the one that is wanted, or ends with it as a whole."""
    return arn.endswith(wanted) and arn[: -len(wanted)][-1:] in {"", ":", "/"}


def parse_since(text: str, now: float) -> float:
    """Return the moment, in seconds since 1970, that is so long ago or that a date in UTC names; raises FuinError."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise FuinError("--since takes 30d, 12h, 45m or a date such as 2026-11-23") from None
    return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()


def _remarks(policy: dict[str, Any], refused: set[Need], *, with_refused: bool) -> list[str]:
    """Return what people should know about the policy that they have got."""
    remarks = []
    if refused and not with_refused:
        named = sorted({f"{need.action} on {need.resource}" for need in refused})
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        remarks.append(f"refused in this time, and not in it (--with-refused): {', '.join(named[:3])}{more}")
    size, limit = size_of(json.dumps(policy), PolicyKind.IDENTITY), SIZE_LIMITS[PolicyKind.IDENTITY]
    if size > limit:
        remarks.append(f"it has {size} characters; an inline policy of a user takes {limit}, a managed one more")
    return remarks


def _folder(data: Path) -> Path:
    folder = Settings(data=data.absolute()).audit
    if not folder.is_dir():
        raise FuinError(f"{data} holds no audit log")
    return folder
