"""The HTTP edge of IAM and STS: AWS Query in, XML or JSON out, and a durable record before any answer leaves.

`handle` shows the steps of a request in their order. What is raised anywhere becomes an answer in `faults.wire`, once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from fuin import caller, cors, lists, shown
from fuin.access import sigv4
from fuin.access.principal import ANONYMOUS
from fuin.closing import refuse
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import Call
from fuin.identity import faults, notation, query, sts
from fuin.identity.faults import QueryFault
from fuin.identity.operations import IAM, SERVICES, STS, Operation, Service
from fuin.request import Answer, ClientGone

if TYPE_CHECKING:
    from fuin.caller import DayKeys
    from fuin.identity.model import Output
    from fuin.identity.notation import Notation
    from fuin.identity.query import Tree
    from fuin.request import Request, Send
    from fuin.services import Services

BODY_LIMIT = 1024 * 1024
_OF_IAM = f"Version={IAM.model.version}".encode()
# Never in a record, also where the operation is not built: what the models call sensitive, and the codes of devices.
SECRET = frozenset({
    "AddPrivateKey", "AuthenticationCode1", "AuthenticationCode2", "NewPassword", "OldPassword", "Password",
    "PrivateKey", "SAMLAssertion", "TokenCode", "TradeInToken", "WebIdentityToken",
})  # fmt: skip


async def handle(services: Services, day_keys: DayKeys, request: Request, send: Send) -> None:
    """Answer one request to IAM or STS. Raises ClientGone when nobody is left to be answered."""
    call = _stranger(services, request)
    service, answers = STS, notation.asked(request.headers, request.query)
    try:
        body = await request.body(BODY_LIMIT)  # 1. the whole body, bounded
        answers = notation.asked(request.headers, request.query, body)
        service = _meant(call, request.query, body)
        service = await _authenticate(call, day_keys, request, body)  # 2. who asks, and which service
        form = query.parse(request.query, body)  # 3. the form
        await service.model.ready()
        operation = _named(call, service, form)  # 4. what is asked
        given = service.model.read(operation.name, form)  # 5. types and the model's constraints
        call.facts["parameters"] = shown.members(_shown(given))
        output = await operation.run(call, given)  # 6. rights, state, work
        answer = await _written(call, service, operation, answers, output)
        await call.conclude()  # 7. the record
    except ClientGone:
        raise
    except Exception as error:
        answer = await _failed(call, service, answers, error)
    finally:
        call.end()
    await answer.send(send)  # 8. the answer leaves


def _stranger(services: Services, request: Request) -> Call:
    """Return the call before anybody is known to make it."""
    return Call(
        services, request.id, "sts", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
        request.source_ip, request.secure, request.headers,
    )  # fmt: skip


def _meant(call: Call, *forms: bytes) -> Service:
    """Return the service that is likely meant, which tells what is wrong until a signature says which it is."""
    if any(_OF_IAM in form for form in forms):
        call.service = "iam"
        return IAM
    return STS


async def _authenticate(call: Call, day_keys: DayKeys, request: Request, body: bytes) -> Service:
    """Put the caller into the call and return the service that was signed for; raises AuthenticationFailed."""
    try:
        signed = sigv4.parse(request, hashlib.sha256(body).hexdigest())
    except AuthenticationFailed as error:
        if error.reason is AuthReason.MISSING:
            _refuse_unsigned(call, request.query, body)
        raise
    credential = signed.credential
    service = SERVICES.get(credential.service)
    if service is None:
        detail = "Credential should be scoped to correct service: 'sts'. "
        raise AuthenticationFailed(AuthReason.WRONG_SCOPE, detail)
    call.service = credential.service
    call.prove_by(caller.authenticate, day_keys, request, signed)
    known = await caller.authenticate(call.services, day_keys, request, signed)
    call.principal = known.principal
    call.access_key_id = known.access_key_id
    call.region = service.region or known.region
    if known.session is not None:
        call.facts["session"] = known.session
    sts.check_session(known.principal, credential.service)
    return service


def _refuse_unsigned(call: Call, *forms: bytes) -> None:
    """Tell clients that sign nothing, because they bring the word of an identity provider, that there is none.

    What nobody has signed is looked through for that, but not taken apart, which costs much more.
    """
    for form in forms:
        if found := sts.UNSIGNED.search(form):
            call.operation = found[1].decode()
            text = f"The operation {call.operation} is not built in this server: it knows no identity providers."
            raise QueryFault(400, "InvalidAction", text)


def _named(call: Call, service: Service, form: Tree) -> Operation:
    """Return the operation that a form names; one that AWS has and this server has not is told from none at all."""
    action = query.text_of(form, "Action") or ""
    version = query.text_of(form, "Version") or "NO_VERSION_SPECIFIED"
    if version != service.model.version or not service.model.knows(action):
        text = f"Could not find operation {action[:64]} for version {version[:32]}"
        raise QueryFault(400, "InvalidAction", text)
    call.operation = action
    operation = service.operations.get(action)
    if operation is None:
        raise QueryFault(400, "InvalidAction", f"The operation {action} is not built in this server.")
    sts.check_session(call.principal, call.service, action)
    return operation


def _shown(value: Any) -> Any:
    """Return what the record says of the parameters: no secret, and no text of any length."""
    if isinstance(value, dict):
        return {name: _shown(below) for name, below in value.items() if name not in SECRET}
    if isinstance(value, list):
        return [_shown(below) for below in value]
    return shown.text(value) if isinstance(value, str) else value


async def _failed(call: Call, service: Service, answers: Notation, error: Exception) -> Answer:
    """Return the answer to an error, recorded."""
    fault = await refuse(call, error, faults.wire, lambda _: None)
    return _answer(call, fault.status, answers, answers.failure(service.model, fault, call.request_id))


async def _written(
    call: Call, service: Service, operation: Operation, answers: Notation, output: Output | None
) -> Answer:
    """Return the answer with an output; a page of a list, which may be long, is written beside the event loop."""
    given = service.model, operation.name, output, call.request_id
    if output is not None and "IsTruncated" in output:
        return _answer(call, 200, answers, await lists.beside(call, answers.response, *given))
    return _answer(call, 200, answers, answers.response(*given))


def _answer(call: Call, status: int, answers: Notation, body: bytes) -> Answer:
    headers = [(b"x-amzn-RequestId", call.request_id.encode()), (b"Content-Type", answers.content_type)]
    if call.service == "sts" and b"origin" in call.headers:  # AWS: pages of other origins reach STS, and not IAM
        headers.extend(cors.ANSWERED)
    return Answer(status, headers, body)
