"""The wire of EC2: AWS Query in, XML out. The steps of a request are in `server/edge.py`."""

from __future__ import annotations

import asyncio
import hashlib
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Never

import msgspec
from botocore.loaders import Loader

from fuin.access.principal import ANONYMOUS
from fuin.ec2.operations import OPERATIONS, Ec2Operation
from fuin.ec2.wire import answers, faults, form
from fuin.ec2.wire.call import Ec2Call
from fuin.ec2.wire.faults import Ec2Fault
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import lists, parameters, query_form
from fuin.gate.http import Answer
from fuin.gate.wire import Wire
from fuin.signing import sigv4

if TYPE_CHECKING:
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Request
    from fuin.gate.query_form import Tree
    from fuin.gate.services import Services
    from fuin.signing.sigv4 import Signed

BODY_LIMIT = 1024 * 1024
_TYPE = (b"Content-Type", b"text/xml;charset=UTF-8")


class Ec2Wire(Wire[Ec2Call, Ec2Fault, Never]):
    """How EC2 reads requests and writes answers."""

    def new_call(self, services: Services, request: Request) -> Ec2Call:
        """Return the new call of a request, before the caller is known."""
        return Ec2Call(
            services, request.id, "ec2", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
            request.source_ip, request.secure, request.headers,
        )  # fmt: skip

    async def read(self, call: Ec2Call, request: Request) -> None:
        """Read the whole body."""
        call.body = await request.body(BODY_LIMIT)

    def signature(self, call: Ec2Call, request: Request) -> Signed:
        """Return the request's signature; raises AuthenticationFailed."""
        signed = sigv4.parse(request, hashlib.sha256(call.body).hexdigest())
        if signed.credential.service != "ec2":
            detail = "Credential should be scoped to correct service: 'ec2'. "
            raise AuthenticationFailed(AuthReason.WRONG_SCOPE, detail)
        return signed

    async def run(self, call: Ec2Call, request: Request, caller: Caller | None) -> Answer:
        """Decode the form by the input of the operation that it names, and run the operation."""
        tree = form.parse(request.query, call.body)
        operation = await _find_operation(call, tree)
        input = form.read_input(operation.input, tree)
        given = msgspec.to_builtins(input)
        call.facts["parameters"] = parameters.members(_shorten(given))
        output = await operation.run(call, input)
        write = partial(answers.response, operation.name, output, call.request_id)
        is_list = any(isinstance(member, list) and len(member) > 50 for member in output.values())
        return _answer(call, 200, await lists.run_beside(call, write) if is_list else write())

    def finish_success(self, call: Ec2Call) -> None:
        """Let blobs go that no snapshot needs any longer: now the record says by whom."""
        if call.removed:
            call.services.blobs.remove(call.removed)

    def fault(self, call: Ec2Call, error: Exception) -> Ec2Fault:
        """Return the error of EC2 for any exception."""
        return faults.from_error(error)

    def recorded_message(self, fault: Ec2Fault) -> str | None:
        """Return the text of an error: EC2's codes alone do not say much."""
        return fault.message

    def refusal(self, call: Ec2Call, request: Request, fault: Ec2Fault) -> Answer:
        """Return the answer to an error."""
        return _answer(call, fault.status, answers.failure(fault, call.request_id))


WIRE = Ec2Wire()


async def _find_operation(call: Ec2Call, tree: Tree) -> Ec2Operation:
    """Return the operation that a form names; raises InvalidAction, with another text for operations that EC2 has."""
    action, version = query_form.text_of(tree, "Action"), query_form.text_of(tree, "Version")
    if not action:
        raise Ec2Fault("MissingParameter", "The request must contain the parameter Action")
    if version and version != answers.VERSION:
        raise Ec2Fault("NoSuchVersion", f"The requested version {version[:32]} is not the one of this server: "
                       f"{answers.VERSION}.")  # fmt: skip
    operation = OPERATIONS.get(action)
    if operation is None:
        if action in await asyncio.to_thread(_operation_names):
            call.operation = action
            raise Ec2Fault("InvalidAction", f"The operation {action} is not built in this server.")
        raise Ec2Fault("InvalidAction", f"The action {action[:64]} is not valid for this web service.")
    call.operation = action
    return operation


@lru_cache(1)
def _operation_names() -> frozenset[str]:
    """Return the names of all operations of EC2, built here or not; botocore's model has them."""
    return frozenset(Loader().load_service_model("ec2", "service-2")["operations"])


def _shorten(value: Any) -> Any:
    """Return the parameters as the record holds them: without long texts, and without what was not given."""
    if isinstance(value, dict):
        return {name: _shorten(below) for name, below in value.items() if below not in (None, False, [], "")}
    if isinstance(value, list):
        return [_shorten(below) for below in value]
    return parameters.text(value) if isinstance(value, str) else value


def _answer(call: Ec2Call, status: int, body: bytes) -> Answer:
    return Answer(status, [(b"x-amzn-RequestId", call.request_id.encode()), _TYPE], body)
