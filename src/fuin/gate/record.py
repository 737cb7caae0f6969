"""The audit record of a request: its content, whether it is durable, and how it is written.

| state | how it comes about | what the edge does at the end |
|---|---|---|
| open | the request has begun, or something was added to the record since it was closed | writes the closing record |
| closed | the keyholder has answered a use of a key, whose record holds all that is known | nothing more |
| refused | the keyholder has refused a use that the caller asked for, and recorded that | answers the refusal |

No operation sets a state. A use of a key closes the record (`Call.use`), and a fact, a decision or a commit that comes
after it opens the record again: the record of the use cannot hold what came later. They are counted, so
a fact that was noted before the use must not be replaced after it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from fuin.gate import drafts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fuin.gate.call import Call

_Draft, _SHORT = drafts.DraftMembers, drafts.SHORT
_DECISIONS_IN_DRAFT = min(drafts.DECISIONS_REPEATED, drafts.DECISIONS_OF_STRANGERS)  # so few are in each draft
_encode = msgspec.json.Encoder().encode


class RequestRecord(msgspec.Struct):
    """The content of one request's audit record so far, and whether a durable record has all of it."""

    facts: dict[str, Any] = {}  # what explain shows: bucket, key, bytes, default key …
    decisions: list[dict[str, Any] | msgspec.Raw] = []  # encoded where the same decision is used again
    pieces: int = 0  # records of this request that hold its long lists
    serial: int = 0  # of the last commit that this request has made
    refused: bool = False  # the keyholder has refused the use of a key, on a durable record
    closed_with: tuple[int, int, int] | None = None  # what the durable record of a use holds

    @property
    def is_open(self) -> bool:
        """Return whether a part of the content is in no durable record yet."""
        return self.closed_with != (len(self.facts), len(self.decisions), self.serial)

    def close(self) -> None:
        """Note that a durable record now has all of the content."""
        self.closed_with = len(self.facts), len(self.decisions), self.serial


async def announce(call: Call, about: str) -> None:
    """Write the record of a change or a deletion before it is made.

    So none can be without a record, even if the keyholder ends before the request's closing record.
    """
    if len(call.record.decisions) > _DECISIONS_IN_DRAFT:
        await _write_long_lists(call, about)
    await call.services.keyholder.record(draft(call, about=about))


async def conclude(call: Call, *, error: str | None = None, message: str | None = None) -> None:
    """Write the closing record, with the outcome of the request: for a refusal, its error code."""
    if len(call.record.decisions) > _DECISIONS_IN_DRAFT:
        await _write_long_lists(call, None)
    await call.services.keyholder.record(draft(call, error=error, message=message))


async def name(call: Call, fact: str, names: Sequence[Any]) -> None:
    """Write the whole of a long list, in as many records as it takes, before anything happens to its members."""
    await _write(
        call, [drafts.DraftMembers(*_first_members(call), facts={fact: one}) for one in drafts.portions(names)]
    )


async def _write_long_lists(call: Call, about: str | None) -> None:
    """Write pieces with the decisions that are too many for each record of the request."""
    decisions, facts = call.record.decisions, call.record.facts
    stranger = about is None and call.principal.kind == "anonymous"
    if len(decisions) > (drafts.DECISIONS_OF_STRANGERS if stranger else drafts.DECISIONS_REPEATED):
        session = {name: facts[name] for name in ("session",) if name in facts}
        portions = list(drafts.pieces(decisions, stranger=stranger))
        decisions.clear()  # before anything is awaited, so that no decision is lost that comes meanwhile
        await _write(
            call, [drafts.DraftMembers(*_first_members(call), None, session, one, about) for one in portions], stranger
        )


async def _write(call: Call, records: Sequence[drafts.DraftMembers], stranger: bool = False) -> None:
    encoded = drafts.encode_numbered(records, call.record.pieces + 1, stranger=stranger)
    call.record.pieces += len(encoded)
    await asyncio.gather(*map(call.services.keyholder.record, encoded))


def _first_members(call: Call) -> tuple[str, str, str, str, str, str]:
    """Return the members that begin every record of the request."""
    operation = f"{call.service}:{call.operation}"
    return call.request_id, operation, call.principal.arn, call.access_key_id, call.region, call.source_ip


def draft(
    call: Call,
    *,
    about: str | None = None,
    error: str | None = None,
    message: str | None = None,
    use: str | None = None,
    key: str | None = None,
    manager: str | None = None,
    context: Mapping[str, str] | None = None,
    dry_run: bool | None = None,
) -> bytes:
    """Return the JSON of the request's audit record; the keyholder adds time, sequence and what it did."""
    own = call.record
    record = _Draft(
        call.request_id, f"{call.service}:{call.operation}", call.principal.arn, call.access_key_id,
        call.region, call.source_ip, call.via, own.facts, own.decisions,
        about, error, message, use, key, manager, context, dry_run, commit=own.serial,
    )  # fmt: skip
    try:
        data = _encode(record)
        if len(data) <= _SHORT and not own.pieces:  # nearly every record: nothing in it can be too long
            return data
    except UnicodeEncodeError:
        pass  # `drafts.encode` writes what is no Unicode as escapes
    record.pieces = own.pieces or None
    return drafts.encode(record, stranger=error is not None and call.principal.kind == "anonymous")
