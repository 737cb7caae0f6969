"""Grant tokens in requests: made by CreateGrant, accepted wherever AWS takes them as long as their grant exists.

A grant holds in every worker when CreateGrant returns, so a token is never needed; it names a grant and helps nobody.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fuin.errors import FormatError
from fuin.formats import grant_token
from fuin.kms.model.faults import KmsFault

if TYPE_CHECKING:
    from fuin.access.grants import Grant
    from fuin.gate.call import Call


def issue_token(grant_id: str) -> str:
    """Return a fresh token of a grant; each is different, and all of a grant's tokens are as good."""
    return grant_token.encode(bytes.fromhex(grant_id), os.urandom(grant_token.UNIQUE_LENGTH))


def grant_by_token(call: Call, token: str) -> Grant:
    """Return the grant that a token names; raises InvalidGrantTokenException if the call's Region has no such grant."""
    try:
        grant_id = grant_token.decode(token).hex()
    except FormatError:
        raise KmsFault("InvalidGrantTokenException", "The grant token is not valid.") from None
    grant = call.services.store.catalog().grant(grant_id)
    if grant is None or grant.region != call.region:  # retired, revoked, or gone with its key
        raise KmsFault("InvalidGrantTokenException", "The grant token is not valid.")
    return grant


def check_grant_tokens(call: Call, tokens: list[str] | None) -> None:
    """Refuse tokens that name no grant. They may name anybody's grants, since they give no rights."""
    for token in tokens or ():
        grant_by_token(call, token)


async def consult_grant_tokens(call: Call, tokens: list[str] | None) -> None:
    """Refuse tokens that name no grant, as a decision of its own; nearly every request has no token."""
    if tokens:
        await call.consult(check_grant_tokens, tokens)
