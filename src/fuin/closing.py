"""How every refusal ends, whichever service refuses: with a record, and then the answer.

| what goes wrong with the record | the answer | the log |
|---|---|---|
| nothing | the refusal | its record |
| it cannot be made, by a fault of ours | an internal error | a small record that says so |
| the keyholder does not take it | an error that says to try again | what it holds already |
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

from fuin import drafts
from fuin.errors import FuinError, KeyholderFailed, KeyholderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.gate import Call

log = logging.getLogger("fuin.records")


class Answered(Protocol):
    """An error as a service answers it."""

    @property
    def code(self) -> str:
        """Return the error's code, which stands in its record."""


A = TypeVar("A", bound=Answered)


class RecordNotMade(FuinError):
    """A record could not be made, so nothing but an internal error may be answered."""


async def refuse(
    call: Call, error: Exception, answer_of: Callable[[Exception], A], message_of: Callable[[A], str | None]
) -> A:
    """Return the answer to an error once its record is on the disk; without one it is another error, of status 5xx."""
    answer = answer_of(error)
    if call.refused or (isinstance(error, KeyholderUnavailable) and not isinstance(error, KeyholderFailed)):
        return answer  # whoever could not be reached cannot record either: the client waits for that once
    try:
        await call.conclude(error=answer.code, message=message_of(answer))
    except KeyholderUnavailable as unavailable:
        return answer_of(unavailable)
    except Exception as fault:  # whatever it is, it must not hide that something was asked for
        return await _without_record(call, fault, answer_of)
    return answer


async def _without_record(call: Call, fault: Exception, answer_of: Callable[[Exception], A]) -> A:
    """Return the answer to a request whose record cannot be made, after the small record that says so."""
    answer = answer_of(RecordNotMade())
    log.error("request %s: its record could not be made: %s", call.request_id, type(fault).__name__)
    small = drafts.Record(
        call.request_id, f"{call.service}:{call.operation}", call.principal.arn, call.access_key_id, call.region,
        call.source_ip, error=answer.code, message=f"the record could not be made: {type(fault).__name__}",
        pieces=call.pieces or None,
    )  # fmt: skip
    try:
        await call.services.keyholder.record(drafts.encode(small, stranger=True))
    except KeyholderUnavailable as unavailable:
        return answer_of(unavailable)
    except Exception:  # nothing of the request is in these members, or it is bounded
        log.exception("request %s: nor could the small record be made", call.request_id)
    return answer
