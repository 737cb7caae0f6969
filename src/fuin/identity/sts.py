"""AWS STS: who a caller is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuin.gate import Call
    from fuin.identity.model import Given, Output


async def get_caller_identity(call: Call, _given: Given) -> Output:
    """Answer who signed the request; it needs no right."""
    who = call.principal
    return {"UserId": who.id, "Account": who.account, "Arn": who.arn}
