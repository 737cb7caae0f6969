"""AWS STS: the identity of a caller, temporary credentials of the caller itself, and the accounts of access keys.

AssumeRole is in `assume_role.py`, GetFederationToken in `federation.py`. The unsigned operations AssumeRoleWithSAML and
AssumeRoleWithWebIdentity would need identity providers, which this server does not have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fuin.access.resources.own import OwnResource
from fuin.clock import CLOCK
from fuin.errors import AccessDenied, AuthenticationFailed, AuthReason
from fuin.formats.session_token import Claims
from fuin.gate.permit import permit
from fuin.identity.sts import credentials
from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from fuin.access.principal import Principal
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output
    from fuin.store.identity.access_keys import AccessKey

UNSIGNED = re.compile(rb"(?:^|&)Action=(AssumeRoleWithSAML|AssumeRoleWithWebIdentity)(?:&|$)")  # in a form
_USUAL, _OF_ROOT = 43_200, 3600  # seconds
_OF_SESSIONS = {
    "user": frozenset({"AssumeRole", "GetCallerIdentity"}), "root": frozenset({"AssumeRole", "GetCallerIdentity"}),
    "federated": frozenset({"GetCallerIdentity"}),
}  # fmt: skip


def check_session(principal: Principal, service: str, operation: str = "") -> None:
    """Refuse what AWS refuses to federated users and to GetSessionToken's sessions without MFA (here all of them).

    AWS: "You cannot call any IAM API operations", and of STS "any API except AssumeRole or GetCallerIdentity"; to
    federated users AssumeRole neither. With an empty `operation` only the service is judged.
    """
    if not principal.session_facts or principal.kind == "role":
        return
    if service == "iam":
        detail = "The security token included in the request is invalid"
        raise AuthenticationFailed(AuthReason.BAD_SESSION, detail)
    if operation and operation not in _OF_SESSIONS[principal.kind]:
        raise AccessDenied(f"Cannot call {operation} with session credentials")


async def get_caller_identity(call: Call, _given: Given) -> Output:
    """Return the identity that signed the request; this needs no right."""
    who = call.principal
    return {"UserId": who.id, "Account": who.account, "Arn": who.arn}


async def get_session_token(call: Call, given: Given) -> Output:
    """Return temporary credentials of the calling user, with all its rights; this needs no right."""
    who = call.principal
    if who.kind not in ("user", "root") or who.session_facts:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    if "SerialNumber" in given or "TokenCode" in given:
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    duration: int = given.get("DurationSeconds", _USUAL)
    claims = Claims(
        kind="root" if who.kind == "root" else "user", account=who.account, id=who.id,
        issued=int(CLOCK.issue_time(call.now)), issuer=who.arn, issuer_key=call.access_key_id,
    )  # fmt: skip
    return await credentials.issue(call, given, claims, min(duration, _OF_ROOT) if who.kind == "root" else duration)


def _access_key(call: Call, access_key_id: str) -> AccessKey | None:
    return call.services.store.catalog().access_key(access_key_id)


async def get_access_key_info(call: Call, given: Given) -> Output:
    """Return the account of a long-lived access key, whatever state it is in.

    The ids of temporary credentials are only in their tokens, so their account is not known.
    """
    await call.consult(permit, "sts:GetAccessKeyInfo", OwnResource("*", call.account))
    found = await call.consult(_access_key, given["AccessKeyId"])
    if found is None:
        raise QueryFault("ValidationError", "The access key id is not that of a long-lived access key of this server.")
    return {"Account": found.account}


async def decode_authorization_message(call: Call, _given: Given) -> Output:
    """Refuse every message: this server's refusals say why themselves, and encode nothing."""
    await call.consult(permit, "sts:DecodeAuthorizationMessage", OwnResource("*", call.account))
    text = "The message is not valid: this server issues no encoded authorization messages; see fuin explain."
    raise QueryFault("InvalidAuthorizationMessageException", text)
