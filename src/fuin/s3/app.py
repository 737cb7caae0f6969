"""The HTTP edge of S3: from a request to an answer, in numbered steps.

Rights are checked before a body is read, so a client that sends `Expect: 100-continue` is refused without sending it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access import sigv4
from fuin.access.principal import ANONYMOUS
from fuin.caller import authenticate
from fuin.closing import refuse
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import Call
from fuin.request import Answer, ClientGone
from fuin.s3 import addressing, answers, authentication, faults, index, operations, routes
from fuin.s3.addressing import Address
from fuin.s3.exchange import Exchange, Stream
from fuin.s3.faults import S3Fault

if TYPE_CHECKING:
    from fuin.caller import Caller, DayKeys
    from fuin.request import Request, Send
    from fuin.services import Services


async def handle(services: Services, day_keys: DayKeys, request: Request, send: Send) -> None:
    """Answer one S3 request; raises ClientGone when nobody is left to answer."""
    call = _unknown_call(services, request)
    x: Exchange | None = None
    try:
        # 1. what the request asks for
        address = addressing.of(request, services.settings.s3_domains)
        query = addressing.query_of(request)
        given = addressing.hoisted(query) | request.headers
        call.operation = routes.match(request.method, address.level, query, given)
        call.facts.update(_named(address))
        # 2. who asks
        caller = await _identify(services, day_keys, request, call)
        request.headers = given  # only now: the signature covers the query as it came
        # 3. rights, then work: the operation's first line is its check
        x = Exchange(call, request, caller, address, query)
        answer = await operations.run(x)
        # 4. the record, durable before the answer leaves; a use of a key has made it already
        if not call.recorded:
            await call.conclude()
        index.drop_replaced(x)
    except ClientGone:
        await _recorded(call, S3Fault("ClientGone", "The client closed the connection."))
        raise
    except Exception as error:  # the one place where any error becomes an answer
        answer = await _refusal(call, request, error)
    finally:
        call.end()
        if x is not None:
            x.release()
    # 5. the answer
    if isinstance(answer, Stream):
        broken = await answers.stream(answer, request, send)
        if broken is not None:
            await _recorded(call, S3Fault("InternalError", f"The answer broke off: {type(broken).__name__}."))
    else:
        await answers.whole(answer, request, send)


def _unknown_call(services: Services, request: Request) -> Call:
    """Return the call as it is before anything is known of it: so refusals are recorded as well."""
    return Call(
        services, request.id, "s3", "Unknown", ANONYMOUS, "", services.settings.region, request.now, request.source_ip,
        request.secure, request.headers,
    )  # fmt: skip


def _named(address: Address) -> dict[str, str]:
    named = {"bucket": address.bucket, "key": address.key}
    return {name: value for name, value in named.items() if value}


async def _identify(services: Services, day_keys: DayKeys, request: Request, call: Call) -> Caller | None:
    """Find out who asks and put it into the call; None for a request without any signature."""
    try:
        signed = sigv4.parse(request)
    except AuthenticationFailed as error:
        if error.reason is AuthReason.MISSING:
            return None
        raise authentication.fault(error, request) from None
    call.access_key_id = signed.credential.access_key_id
    call.prove_by(_authenticated, day_keys, request, signed)
    caller = await _authenticated(services, day_keys, request, signed)
    call.principal, call.region = caller.principal, caller.region
    if caller.session is not None:
        call.facts["session"] = caller.session
    return caller


async def _authenticated(services: Services, day_keys: DayKeys, request: Request, signed: sigv4.Signed) -> Caller:
    try:
        return await authenticate(services, day_keys, request, signed)
    except AuthenticationFailed as error:
        raise authentication.fault(error, request, signed) from None


async def _refusal(call: Call, request: Request, error: Exception) -> Answer:
    """Return the error answer, after its record."""
    fault = await _recorded(call, error)
    answer = Answer(fault.status, list(fault.headers))
    if request.method != "HEAD" and fault.status != 304:
        resource = request.path.decode("latin-1")
        answer.headers.append((b"Content-Type", b"application/xml"))
        answer.body = faults.document(fault, resource, request.id, answers.host_id(request.id))
    return answer


async def _recorded(call: Call, error: Exception) -> S3Fault:
    return await refuse(call, error, lambda error: faults.of(error, call.request_id), lambda fault: fault.message)
