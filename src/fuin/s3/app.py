"""The wire of S3: REST in, headers, XML and streams out. The steps of a request are in `server/edge.py`.

Rights are checked before a body is read, so a client that sends `Expect: 100-continue` is refused without sending it.
Only the fields of a form are read before, since they hold its signature (`request/form.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.principal import ANONYMOUS
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate.http import Answer
from fuin.gate.refusal import refuse
from fuin.gate.wire import Wire
from fuin.s3 import operations, routes
from fuin.s3.buckets import cors
from fuin.s3.objects import index
from fuin.s3.request import addressing, answers, authentication, faults, form
from fuin.s3.request.call import S3Call, Stream
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.operation import FORM
from fuin.s3.sealing import secure_transport
from fuin.signing import sigv4

if TYPE_CHECKING:
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Request, Send
    from fuin.gate.services import Services
    from fuin.s3.request.addressing import Address
    from fuin.signing.sigv4 import Signed


class S3Wire(Wire[S3Call, S3Fault, Stream]):
    """How S3 reads requests and words answers."""

    def new_call(self, services: Services, request: Request) -> S3Call:
        """Return the call before anybody is known to make it."""
        return S3Call(
            services, request.id, "s3", "Unknown", ANONYMOUS, "", services.settings.region, request.now,
            request.source_ip, request.secure, request.headers, request=request,
        )  # fmt: skip

    async def read(self, call: S3Call, request: Request) -> None:
        """Read the bucket, the key and the operation that the target, the query and the headers name."""
        call.address = address = addressing.parse_address(request, call.services.settings.s3_domains)
        if b"origin" in request.headers:  # a browser's page asks, which shall read errors too
            call.cors = await call.consult(cors.find_headers)
        call.query = query = addressing.parse_query(request)
        call.hoisted = headers = addressing.headers_in_query(query) | request.headers
        call.row = row = routes.match(request.method, address.level, query, headers)
        call.operation = row.name
        call.facts.update(_address_facts(address))
        if row.body == FORM:
            await form.read(call, request)
            call.facts["key"] = call.key

    def signature(self, call: S3Call, request: Request) -> Signed | None:
        """Return what the request claims to have signed, None for an anonymous one; raises AuthenticationFailed."""
        if call.form is not None:
            call.signed = form.parse_signature(call.form)
            return call.signed
        try:
            call.signed = sigv4.parse(request)
        except AuthenticationFailed as error:
            if error.reason is not AuthReason.MISSING:
                raise
        return call.signed

    async def run(self, call: S3Call, request: Request, caller: Caller | None) -> Answer | Stream:
        """Run the operation, whose first line is its check of rights."""
        # Only now: the signature covers the query as it came, and the fields of a form.
        request.headers = call.hoisted if call.form is None else form.headers(call.form, request.headers)
        call.caller = caller
        if call.lacks_tls:
            secure_transport.check_headers(call)
        answer = await operations.run(call)
        answer.headers[:0] = answers.common_headers(request)
        answer.headers += call.cors
        return answer

    def finish_success(self, call: S3Call) -> None:
        """Let blobs go that the request has replaced: now the record says by whom."""
        index.discard_replaced(call)

    def fault(self, call: S3Call, error: Exception) -> S3Fault:
        """Return S3's error for whatever was raised."""
        if isinstance(error, AuthenticationFailed):
            return authentication.fault(error, call.request, call.signed)
        return faults.from_error(error, call.request_id)

    def recorded_message(self, fault: S3Fault) -> str | None:
        """Return the text of an error that its record holds beside the code."""
        return fault.message

    def refusal(self, call: S3Call, request: Request, fault: S3Fault) -> Answer:
        """Return the answer that tells the client of an error."""
        answer = Answer(fault.status, [*answers.common_headers(request), *fault.headers, *call.cors])
        if request.method != "HEAD" and fault.status != 304:
            resource = request.path.decode("latin-1")
            answer.headers.append((b"Content-Type", b"application/xml"))
            answer.body = faults.document(fault, resource, request.id, answers.host_id(request.id))
        return answer

    async def drop_stream(self, answer: Answer | Stream) -> None:
        """Close the blobs that an answer was to be read from."""
        if isinstance(answer, Stream):
            await answer.rest.close()

    async def send_stream(self, call: S3Call, request: Request, answer: Stream, send: Send) -> None:
        """Send a stream; one that breaks off is recorded as well."""
        broken = await answers.send_stream(answer, request, send)
        if broken is not None:
            await refuse(self, call, S3Fault("InternalError", f"The answer broke off: {type(broken).__name__}."))


WIRE = S3Wire()


def _address_facts(address: Address) -> dict[str, str]:
    facts = {"bucket": address.bucket, "key": address.key}
    return {name: value for name, value in facts.items() if value}
