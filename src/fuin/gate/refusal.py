"""The end of every refusal, the same for all services: first the record, then the answer.

| what goes wrong with the record | the answer | the log |
|---|---|---|
| nothing | the refusal | its record |
| it cannot be made, by a fault of ours | an internal error | a small record that says so |
| the keyholder does not take it | an error that says to try again | what it holds already |
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fuin.errors import FuinError, KeyholderFailed, KeyholderUnavailable
from fuin.gate import drafts

if TYPE_CHECKING:
    from fuin.gate.call import Call

log = logging.getLogger("fuin.records")


class ServiceFault(Protocol):
    """An error as a service answers it."""

    @property
    def code(self) -> str:
        """Return the error's code, which its record holds."""


F = TypeVar("F", bound=ServiceFault)


class Wording(Protocol[F]):
    """The part of a service's `Wire` that writes its errors."""

    def fault(self, call: Any, error: Exception) -> F:
        """Return the service's own error for whatever was raised."""

    def recorded_message(self, fault: F) -> str | None:
        """Return the text of an error that its record holds beside the code."""


class RecordNotMade(FuinError):
    """A record could not be made, so the only possible answer is an internal error."""


async def refuse(wording: Wording[F], call: Call, error: Exception) -> F:
    """Return the answer to an error once its record is on the disk; without one it is another error, of status 5xx."""
    fault = wording.fault(call, error)
    if call.record.refused or (isinstance(error, KeyholderUnavailable) and not isinstance(error, KeyholderFailed)):
        return fault  # a keyholder that could not be reached cannot record either: the client waits only once
    try:
        await call.conclude(error=fault.code, message=wording.recorded_message(fault))
    except KeyholderUnavailable as unavailable:
        return wording.fault(call, unavailable)
    except Exception as failure:  # whatever it is, it must not hide that something was asked for
        return await _refuse_without_record(wording, call, failure)
    return fault


async def _refuse_without_record(wording: Wording[F], call: Call, failure: Exception) -> F:
    """Return the answer to a request whose record cannot be made, after the small record that says so."""
    fault = wording.fault(call, RecordNotMade())
    log.error("request %s: its record could not be made: %s", call.request_id, type(failure).__name__)
    small = drafts.DraftMembers(
        call.request_id, f"{call.service}:{call.operation}", call.principal.arn, call.access_key_id, call.region,
        call.source_ip, error=fault.code, message=f"the record could not be made: {type(failure).__name__}",
        pieces=call.record.pieces or None,
    )  # fmt: skip
    try:
        await call.services.keyholder.record(drafts.encode(small, stranger=True))
    except KeyholderUnavailable as unavailable:
        return wording.fault(call, unavailable)
    except Exception:  # nothing of the request is in these members, or it is bounded
        log.exception("request %s: nor could the small record be made", call.request_id)
    return fault
