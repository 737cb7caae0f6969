"""AWS STS, the part that there is: GetCallerIdentity. The protocol is AWS Query: a form in, XML out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from fuin.access import sigv4
from fuin.access.principal import ANONYMOUS
from fuin.caller import authenticate
from fuin.errors import AuthenticationFailed, AuthReason, Fault, KeyholderUnavailable, StoreUnavailable
from fuin.gate import Call
from fuin.request import Answer, BodyTooLarge

if TYPE_CHECKING:
    from fuin.caller import Caller, DayKeys
    from fuin.gate import Services
    from fuin.request import Request, Send

BODY_LIMIT = 64 * 1024
FIELDS_AT_MOST = 64
_STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

AUTH_CODES: dict[AuthReason, tuple[int, str]] = {
    AuthReason.MISSING: (403, "MissingAuthenticationToken"),
    AuthReason.MALFORMED: (400, "IncompleteSignature"),
    AuthReason.INCOMPLETE: (400, "IncompleteSignature"),
    AuthReason.UNKNOWN_KEY: (403, "InvalidClientTokenId"),
    AuthReason.EXPIRED: (403, "SignatureDoesNotMatch"),
}
_OTHER_AUTH = (403, "SignatureDoesNotMatch")


class QueryFault(Fault):
    """An error of the query protocol; `code` and `status` vary."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


async def handle(services: Services, day_keys: DayKeys, request: Request, send: Send) -> None:
    """Serve one request for STS, or refuse one for IAM; every answer has its record first."""
    draft = Call(services, request.id, "sts", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
                 request.source_ip, request.secure)  # fmt: skip
    error: str | None = None
    try:
        answer = await _respond(services, day_keys, request, draft)
    except Fault as fault:
        answer, error = _failure(request, fault), fault.code
    try:
        await services.keyholder.record(draft.draft(error=error))
    except KeyholderUnavailable:
        answer = _failure(request, QueryFault(503, "ServiceUnavailable", "The service cannot record requests now."))
    await answer.send(send)


async def _respond(services: Services, day_keys: DayKeys, request: Request, call: Call) -> Answer:
    try:
        body = await request.body(BODY_LIMIT)
        caller = await _caller(services, day_keys, request, body)
        call.principal, call.access_key_id, call.service = caller.principal, caller.access_key_id, caller.service
        form = parse_qs(body.decode("ascii"), max_num_fields=FIELDS_AT_MOST)
    except BodyTooLarge:
        raise QueryFault(413, "RequestEntityTooLarge", "The request is too large.") from None
    except AuthenticationFailed as failure:
        status, code = AUTH_CODES.get(failure.reason, _OTHER_AUTH)
        raise QueryFault(status, code, failure.detail) from None
    except (KeyholderUnavailable, StoreUnavailable):
        raise QueryFault(503, "ServiceUnavailable", "The service is unavailable; try again.") from None
    except ValueError:
        raise QueryFault(400, "MalformedQueryString", "The request is not a well-formed form.") from None
    action = form.get("Action", [""])[0]
    call.operation = action if action in ACTIONS else "Unknown"
    if caller.service != "sts" or action not in ACTIONS:
        text = f"Could not find operation {action[:64]} for version NO_VERSION_SPECIFIED"
        raise QueryFault(400, "InvalidAction", text)
    return ACTIONS[action](request, caller)


async def _caller(services: Services, day_keys: DayKeys, request: Request, body: bytes) -> Caller:
    signed = sigv4.parse(request, hashlib.sha256(body).hexdigest())
    return await authenticate(services, day_keys, request, signed)


def get_caller_identity(request: Request, caller: Caller) -> Answer:
    """Answer who signed the request; it needs no right."""
    who = caller.principal
    return _xml(
        request,
        200,
        f'<GetCallerIdentityResponse xmlns="{_STS_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>{escape(who.arn)}</Arn><UserId>{escape(who.id)}</UserId><Account>{escape(who.account)}</Account>"
        f"</GetCallerIdentityResult><ResponseMetadata><RequestId>{request.id}</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>",
    )


ACTIONS = {"GetCallerIdentity": get_caller_identity}


def _failure(request: Request, fault: Fault) -> Answer:
    kind = "Sender" if fault.status < 500 else "Receiver"
    return _xml(
        request,
        fault.status,
        f'<ErrorResponse xmlns="{_STS_NAMESPACE}"><Error><Type>{kind}</Type><Code>{escape(fault.code)}</Code>'
        f"<Message>{escape(fault.message or '')}</Message></Error><RequestId>{request.id}</RequestId></ErrorResponse>",
    )


def _xml(request: Request, status: int, text: str) -> Answer:
    headers = [(b"content-type", b"text/xml"), (b"x-amzn-requestid", request.id.encode())]
    return Answer(status, headers, text.encode())
