"""The wire of the EBS direct APIs: REST JSON and blocks in, JSON and blocks out.

PutSnapshotBlock signs its body only over plain HTTP; over TLS the signature covers the checksum alone, which is why it
is always verified. The signature does not say which of the two it is, so both are tried.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Never

import msgspec

from fuin.access.principal import ANONYMOUS
from fuin.ebs import faults, operations, routes
from fuin.ebs.call import EbsCall
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate.http import Answer, BodyTooLarge
from fuin.gate.wire import Wire
from fuin.signing import sigv4
from fuin.snapshots.pack import BLOCK

if TYPE_CHECKING:
    from fuin.ebs.faults import EbsFault
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Request
    from fuin.gate.services import Services
    from fuin.signing.sigv4 import Signed

_BODY_LIMIT = 256 * 1024  # of StartSnapshot
_TYPE = (b"Content-Type", b"application/json")
_encode = msgspec.json.Encoder().encode


class EbsWire(Wire[EbsCall, "EbsFault", Never]):
    """How the EBS direct APIs read requests and write answers."""

    def new_call(self, services: Services, request: Request) -> EbsCall:
        """Return the new call of a request, before the caller is known."""
        return EbsCall(
            services, request.id, "ebs", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
            request.source_ip, request.secure, request.headers, target=routes.UNKNOWN,
        )  # fmt: skip

    async def read(self, call: EbsCall, request: Request) -> None:
        """Read what the target names, and the whole body."""
        call.target = target = routes.match(request.method, request.path)
        call.operation = target.operation
        if target.snapshot:
            call.facts["snapshot"] = target.snapshot
        call.query = routes.parse_query(request.query)
        is_block = target.operation == "PutSnapshotBlock"
        call.body = await _read_block(request) if is_block else await request.body(_BODY_LIMIT)
        call.digest = hashlib.sha256(call.body).digest()

    def signature(self, call: EbsCall, request: Request) -> Signed:
        """Return the request's signature; raises AuthenticationFailed."""
        whole = call.digest.hex()
        signed = sigv4.parse(request, whole)
        if signed.credential.service != "ebs":
            detail = "Credential should be scoped to correct service: 'ebs'. "
            raise AuthenticationFailed(AuthReason.WRONG_SCOPE, detail)
        if call.operation == "PutSnapshotBlock":
            unsigned = sigv4.parse(request, sigv4.UNSIGNED_PAYLOAD)
            return msgspec.structs.replace(signed, other_text=unsigned.string_to_sign)
        return signed

    async def run(self, call: EbsCall, request: Request, caller: Caller | None) -> Answer:
        """Run the operation, whose first line is its check of rights."""
        answer = await operations.OPERATIONS[call.operation](call)
        answer.headers.append((b"x-amzn-RequestId", call.request_id.encode()))
        return answer

    def finish_success(self, call: EbsCall) -> None:
        """Let blobs go that no snapshot needs any longer: now the record says by whom."""
        if call.removed:
            call.services.blobs.remove(call.removed)

    def fault(self, call: EbsCall, error: Exception) -> EbsFault:
        """Return the error of the EBS direct APIs for any exception."""
        return faults.from_error(error, call.request_id)

    def recorded_message(self, fault: EbsFault) -> str | None:
        """Return the text of an error, with its reason."""
        reason = fault.details.get("Reason")
        return f"{reason}: {fault.message}" if reason else fault.message

    def refusal(self, call: EbsCall, request: Request, fault: EbsFault) -> Answer:
        """Return the answer to an error."""
        body = {"Message": fault.message or "", **fault.details}
        headers = [
            (b"x-amzn-RequestId", call.request_id.encode()), _TYPE, (b"x-amzn-ErrorType", fault.code.encode()),
        ]  # fmt: skip
        return Answer(fault.status, headers, _encode(body))


WIRE = EbsWire()


async def _read_block(request: Request) -> bytes:
    """Return a body of a block's length at most; raises BodyTooLarge. Its pieces are copied once, not twice."""
    pieces: list[bytes] = []
    size = 0

    def take(piece: bytes) -> bool:
        nonlocal size
        pieces.append(piece)
        size += len(piece)
        return size > BLOCK

    await request.gather_pieces(take)
    if size > BLOCK:
        raise BodyTooLarge(f"the body is longer than {BLOCK} bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
