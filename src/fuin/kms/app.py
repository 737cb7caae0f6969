"""The HTTP edge of KMS: JSON 1.1 in, JSON 1.1 out, and a durable record before any answer leaves.

`handle` shows the steps of a request in their order. What is raised anywhere becomes an answer in `faults.wire`, once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fuin import caller, cors
from fuin.access import sigv4
from fuin.access.principal import ANONYMOUS
from fuin.closing import refuse
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import Call
from fuin.kms import faults, operations, throttling
from fuin.request import Answer, ClientGone

if TYPE_CHECKING:
    from fuin.caller import Caller, DayKeys
    from fuin.request import Request, Send
    from fuin.services import Services

_encode = msgspec.json.Encoder().encode
_TYPE = (b"Content-Type", b"application/x-amz-json-1.1")


async def handle(services: Services, day_keys: DayKeys, request: Request, send: Send) -> None:
    """Answer one request to KMS. Raises ClientGone when nobody is left to be answered."""
    call = _stranger(services, request)
    try:
        body = await request.body(services.settings.kms_body_limit)  # 1. the whole body, bounded
        operation = operations.named(request.method, request.headers.get(b"x-amz-target"))  # 2. what is asked
        call.operation = operation.name
        signed = _signed(call, day_keys, request, body)  # 3. who asks
        known = caller.at_hand(services, day_keys, request, signed)
        _identify(call, known or await caller.authenticate(services, day_keys, request, signed))
        given = operation.decode(body)  # 4. JSON, types, the model's constraints
        if services.throttle.rates:
            throttling.admit(call, given)
        output = await operation.run(call, given)  # 5. rights, state, work
        answer = _answer(call, 200, b"{}" if output is None else _encode(output))
        if not call.recorded:  # 6. uses of keys are recorded by the keyholder, all else here
            await call.conclude()
    except ClientGone:
        raise
    except Exception as error:
        answer = await _failed(call, error)
    finally:
        call.end()
    await answer.send(send)  # 7. the answer leaves


def _stranger(services: Services, request: Request) -> Call:
    """Return the call before anybody is known to make it."""
    return Call(
        services, request.id, "kms", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
        request.source_ip, request.secure, request.headers,
    )  # fmt: skip


def _signed(call: Call, day_keys: DayKeys, request: Request, body: bytes) -> sigv4.Signed:
    """Return what the request claims to have signed; raises AuthenticationFailed."""
    signed = sigv4.parse(request, hashlib.sha256(body).hexdigest())
    service = signed.credential.service
    if service != "kms":
        detail = "Credential should be scoped to correct service: 'kms'. "
        raise AuthenticationFailed(AuthReason.WRONG_SCOPE, detail)
    call.prove_by(caller.authenticate, day_keys, request, signed)
    return signed


def _identify(call: Call, known: Caller) -> None:
    """Put the caller into the call."""
    call.principal = known.principal
    call.access_key_id = known.access_key_id
    call.region = known.region
    if known.session is not None:
        call.facts["session"] = known.session


async def _failed(call: Call, error: Exception) -> Answer:
    """Return the answer to an error, recorded."""
    wire = await refuse(call, error, lambda error: faults.wire(error, call.request_id), lambda _: None)
    body = {"__type": wire.code} if not wire.message else {"__type": wire.code, "message": wire.message}
    answer = _answer(call, wire.status, _encode(body))
    answer.headers.append((b"x-amzn-ErrorType", wire.code.encode()))
    return answer


def _answer(call: Call, status: int, body: bytes) -> Answer:
    headers = [(b"x-amzn-RequestId", call.request_id.encode()), _TYPE]
    if b"origin" in call.headers:  # of a page, which may read it
        headers.extend(cors.ANSWERED)
    return Answer(status, headers, body)
