"""The part of a service in the life of a request: its protocol, its operations and its errors.

`server/edge.py` has the life of a request, the same for every service, and calls a service's `Wire` in its steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from fuin.gate.call import Call
from fuin.gate.refusal import ServiceFault

if TYPE_CHECKING:
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Answer, Request, Send
    from fuin.gate.services import Services
    from fuin.signing.sigv4 import Signed

C = TypeVar("C", bound=Call)
F = TypeVar("F", bound=ServiceFault)
A = TypeVar("A")


class Wire(Generic[C, F, A]):
    """The part of one service: C is the type of its calls, F of its errors, A of its streams."""

    def new_call(self, services: Services, request: Request) -> C:
        """Return the new call of a request, before the caller is known."""
        raise NotImplementedError

    async def read(self, call: C, request: Request) -> None:
        """Read as much of the request as the check of its signature needs, and put the operation into the call."""
        raise NotImplementedError

    def signature(self, call: C, request: Request) -> Signed | None:
        """Return the request's signature, None if it need not be signed; raises AuthenticationFailed."""
        raise NotImplementedError

    async def run(self, call: C, request: Request, caller: Caller | None) -> Answer | A:
        """Return the answer of the operation; `caller` is None for a request without a signature."""
        raise NotImplementedError

    def finish_success(self, call: C) -> None:
        """Do the work that must wait until the record of a success is durable."""

    def fault(self, call: C, error: Exception) -> F:
        """Return the service's own error for any exception."""
        raise NotImplementedError

    def recorded_message(self, fault: F) -> str | None:
        """Return the text that the record of an error holds beside its code."""

    def refusal(self, call: C, request: Request, fault: F) -> Answer:
        """Return the answer to an error."""
        raise NotImplementedError

    async def drop_stream(self, answer: Answer | A) -> None:
        """Close an answer that nobody gets, since its record could not be written."""

    async def send_stream(self, call: C, request: Request, answer: A, send: Send) -> None:
        """Send an answer that is not a whole `Answer`."""
        raise NotImplementedError
