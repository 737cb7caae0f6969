"""The wire of IAM and STS: AWS Query in, XML or JSON out. The steps of a request are in `server/edge.py`."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, Never

from fuin.access.principal import ANONYMOUS
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import cors, lists, parameters, query_form
from fuin.gate.call import Call
from fuin.gate.http import Answer
from fuin.gate.wire import Wire
from fuin.identity.operations import IAM, SERVICES, STS, QueryOperation, Service
from fuin.identity.sts import sts
from fuin.identity.wire import faults, notation, query
from fuin.identity.wire.faults import QueryFault
from fuin.signing import sigv4

if TYPE_CHECKING:
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Request
    from fuin.gate.query_form import Tree
    from fuin.gate.services import Services
    from fuin.identity.wire.notation import Notation
    from fuin.signing.sigv4 import Signed

BODY_LIMIT = 1024 * 1024
_OF_IAM = f"Version={IAM.model.version}".encode()
# Never in a record, also where the operation is not built: what the models call sensitive, and the codes of devices.
SECRET = frozenset({
    "AddPrivateKey", "AuthenticationCode1", "AuthenticationCode2", "NewPassword", "OldPassword", "Password",
    "PrivateKey", "SAMLAssertion", "TokenCode", "TradeInToken", "WebIdentityToken",
})  # fmt: skip


class QueryCall(Call):
    """A call with the body of its request, the service that it is for, and the notation of the answer."""

    body: bytes = b""
    meant: Service = STS
    notation: Notation = notation.XML


class QueryWire(Wire[QueryCall, QueryFault, Never]):
    """The wire of IAM and STS: how they read requests and write answers."""

    def new_call(self, services: Services, request: Request) -> QueryCall:
        """Return the new call of a request, before the caller is known."""
        return QueryCall(
            services, request.id, "sts", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
            request.source_ip, request.secure, request.headers,
            notation=notation.requested_notation(request.headers, request.query),
        )  # fmt: skip

    async def read(self, call: QueryCall, request: Request) -> None:
        """Read the whole body, and guess the service, which words the errors until the signature names the service."""
        call.body = body = await request.body(BODY_LIMIT)
        call.notation = notation.requested_notation(request.headers, request.query, body)
        if _OF_IAM in request.query or _OF_IAM in body:
            call.service, call.meant = "iam", IAM

    def signature(self, call: QueryCall, request: Request) -> Signed:
        """Return the request's signature, and set the service that it names; raises AuthenticationFailed."""
        try:
            signed = sigv4.parse(request, hashlib.sha256(call.body).hexdigest())
        except AuthenticationFailed as error:
            if error.reason is AuthReason.MISSING:
                _refuse_unsigned(call, request.query, call.body)
            raise
        service = SERVICES.get(signed.credential.service)
        if service is None:
            detail = "Credential should be scoped to correct service: 'sts'. "
            raise AuthenticationFailed(AuthReason.WRONG_SCOPE, detail)
        call.service, call.meant = signed.credential.service, service
        return signed

    async def run(self, call: QueryCall, request: Request, caller: Caller | None) -> Answer:
        """Decode the form by the model, and run the operation that it names."""
        call.region = call.meant.region or call.region
        sts.check_session(call.principal, call.service)
        form = query.parse(request.query, call.body)
        await call.meant.model.ensure_loaded()
        operation = _operation(call, form)
        input = call.meant.model.read(operation.name, form)
        call.facts["parameters"] = parameters.members(_remove_secrets(input))
        output = await operation.run(call, input)
        write = partial(call.notation.response, call.meant.model, operation.name, output, call.request_id)
        is_page = output is not None and "IsTruncated" in output  # of a list, which may be long
        return _answer(call, 200, await lists.run_beside(call, write) if is_page else write())

    def fault(self, call: QueryCall, error: Exception) -> QueryFault:
        """Return the error of IAM or STS for any exception."""
        return faults.from_error(error)

    def refusal(self, call: QueryCall, request: Request, fault: QueryFault) -> Answer:
        """Return the answer to an error."""
        return _answer(call, fault.status, call.notation.failure(call.meant.model, fault, call.request_id))


WIRE = QueryWire()


def _refuse_unsigned(call: Call, *forms: bytes) -> None:
    """Refuse unsigned requests with an identity provider's token: this server has no identity providers.

    An unsigned body is searched for such an operation, but not parsed, which costs much more.
    """
    for form in forms:
        if found := sts.UNSIGNED.search(form):
            call.operation = found[1].decode()
            text = f"The operation {call.operation} is not built in this server: it knows no identity providers."
            raise QueryFault("InvalidAction", text)


def _operation(call: QueryCall, form: Tree) -> QueryOperation:
    """Return the operation that a form names; raises InvalidAction, with another text for operations that AWS has."""
    service = call.meant
    action = query_form.text_of(form, "Action") or ""
    version = query_form.text_of(form, "Version") or "NO_VERSION_SPECIFIED"
    if version != service.model.version or not service.model.knows(action):
        text = f"Could not find operation {action[:64]} for version {version[:32]}"
        raise QueryFault("InvalidAction", text)
    call.operation = action
    operation = service.operations.get(action)
    if operation is None:
        raise QueryFault("InvalidAction", f"The operation {action} is not built in this server.")
    sts.check_session(call.principal, call.service, action)
    return operation


def _remove_secrets(value: Any) -> Any:
    """Return the parameters as the record holds them: without secrets and long texts."""
    if isinstance(value, dict):
        return {name: _remove_secrets(below) for name, below in value.items() if name not in SECRET}
    if isinstance(value, list):
        return [_remove_secrets(below) for below in value]
    return parameters.text(value) if isinstance(value, str) else value


def _answer(call: QueryCall, status: int, body: bytes) -> Answer:
    headers = [(b"x-amzn-RequestId", call.request_id.encode()), (b"Content-Type", call.notation.content_type)]
    if call.service == "sts" and b"origin" in call.headers:  # AWS: pages of other origins reach STS, and not IAM
        headers.extend(cors.ANSWERED)
    return Answer(status, headers, body)
