"""The wire of KMS: JSON 1.1 in, JSON 1.1 out. The steps of a request are in `server/edge.py`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Never

import msgspec

from fuin.access.principal import ANONYMOUS
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import cors
from fuin.gate.call import Call
from fuin.gate.http import Answer
from fuin.gate.wire import Wire
from fuin.kms import operations
from fuin.kms.model import faults
from fuin.kms.reach import throttling
from fuin.signing import sigv4

if TYPE_CHECKING:
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Request
    from fuin.gate.services import Services
    from fuin.kms.model.faults import KmsFault
    from fuin.kms.operations import KmsOperation
    from fuin.signing.sigv4 import Signed

_encode = msgspec.json.Encoder().encode
_TYPE = (b"Content-Type", b"application/x-amz-json-1.1")


class KmsCall(Call):
    """A call with what its request brings: the body, and the row of the operation that it names."""

    body: bytes = b""
    row: KmsOperation | None = None


class KmsWire(Wire[KmsCall, "KmsFault", Never]):
    """How KMS reads requests and words answers."""

    def new_call(self, services: Services, request: Request) -> KmsCall:
        """Return the call before anybody is known to make it."""
        return KmsCall(
            services, request.id, "kms", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
            request.source_ip, request.secure, request.headers,
        )  # fmt: skip

    async def read(self, call: KmsCall, request: Request) -> None:
        """Read the whole body, and the operation that the target header names."""
        call.body = await request.body(call.services.settings.kms_body_limit)
        call.row = row = operations.find_operation(request.method, request.headers.get(b"x-amz-target"))
        call.operation = row.name

    def signature(self, call: KmsCall, request: Request) -> Signed:
        """Return what the request claims to have signed; raises AuthenticationFailed."""
        signed = sigv4.parse(request, hashlib.sha256(call.body).hexdigest())
        if signed.credential.service != "kms":
            detail = "Credential should be scoped to correct service: 'kms'. "
            raise AuthenticationFailed(AuthReason.WRONG_SCOPE, detail)
        return signed

    async def run(self, call: KmsCall, request: Request, caller: Caller | None) -> Answer:
        """Decode the input by the model, admit the request by its quota, and run the operation."""
        row = call.row
        if row is None:
            raise faults.KmsFault("UnknownOperationException")
        input = row.decode(call.body)
        if call.services.throttle.rates:
            await call.consult(throttling.admit, input)
        output = await row.run(call, input)
        return _answer(call, 200, b"{}" if output is None else _encode(output))

    def fault(self, call: KmsCall, error: Exception) -> KmsFault:
        """Return KMS's error for any error."""
        return faults.from_error(error, call.request_id)

    def refusal(self, call: KmsCall, request: Request, fault: KmsFault) -> Answer:
        """Return the answer that reports an error to the client."""
        body = {"__type": fault.code} if not fault.message else {"__type": fault.code, "message": fault.message}
        answer = _answer(call, fault.status, _encode(body))
        answer.headers.append((b"x-amzn-ErrorType", fault.code.encode()))
        return answer


WIRE = KmsWire()


def _answer(call: Call, status: int, body: bytes) -> Answer:
    headers = [(b"x-amzn-RequestId", call.request_id.encode()), _TYPE]
    if b"origin" in call.headers:  # of a page, which may read it
        headers.extend(cors.ANSWERED)
    return Answer(status, headers, body)
