"""Temporary credentials of STS: made by the keyholder, sealed into their own token, stored nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.errors import FormatError
from fuin.formats import session_token
from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from fuin.formats.session_token import Claims
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

PACKED_LIMIT = 2048  # bytes that a session's policies and tags may take in its token
PLAIN_LIMIT = 2048  # characters; AWS: the policies of a session as they are passed


async def issue(call: Call, given: Given, claims: Claims, duration: int) -> Output:
    """Return an answer's members for new credentials, which are good for `duration` seconds from now.

    The access key's id and its end are noted for the record. Raises QueryFault (PackedPolicyTooLarge), and
    AuthenticationFailed when the caller was deleted before the credentials were made.
    """
    key_id = ids.new_session_key_id()
    expiry = int(call.now) + duration
    try:
        packed = session_token.pack_claims(claims, given.get("MinimumSessionTokenSize", 0))
    except FormatError:
        raise too_large(101) from None
    secret, token = await call.services.keyholder.new_session(key_id, expiry, packed)
    await call.authenticate_again()  # who is given credentials keeps them for hours
    text = session_token.to_text(token)
    call.facts["issued"] = {"accessKey": key_id, "until": session_token.iso(expiry)}
    return {
        "Credentials": {
            "AccessKeyId": key_id, "SecretAccessKey": secret, "SessionToken": text, "Expiration": expiry,
        },
        "SessionTokenSize": len(text),
        "SessionTokenUtilization": _percent(len(text), session_token.TEXT_LIMIT),
    }  # fmt: skip


def packed_percent(policy: str, arns: tuple[str, ...], tags: tuple[tuple[str, str], ...]) -> int | None:
    """Return PackedPolicySize, None when there is nothing to pack; raises QueryFault (PackedPolicyTooLarge)."""
    if not (policy or arns or tags):
        return None
    plain = _percent(len(policy) + sum(map(len, arns)), PLAIN_LIMIT)
    packed = _percent(session_token.packed_size(policy, arns, tags), PACKED_LIMIT)
    if max(plain, packed) > 100:
        raise too_large(max(plain, packed))
    return packed


def too_large(percent: int) -> QueryFault:
    """Return AWS's error for policies and tags that do not fit."""
    text = f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
    return QueryFault("PackedPolicyTooLarge", text)


def _percent(part: int, whole: int) -> int:
    return -(-100 * part // whole)
