"""Bodies that are documents (XML, policies): read into memory, with every digest of the request checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FormatError
from fuin.s3.payload.declaration import new_decoder, parse_declaration
from fuin.s3.payload.digests import Digests
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.operation import CHECKED_DOCUMENT

if TYPE_CHECKING:
    from fuin.s3.request.call import S3Call

_WITHOUT = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"


async def read(call: S3Call, *, of_object: bool = False) -> bytes:
    """Return the request's body, which must bring Content-MD5 or a checksum where the service model says so.

    With `of_object`, checksum headers are about an object, not about this body (CompleteMultipartUpload).

    Raises MaxMessageLengthExceeded, InvalidRequest, IncompleteBody, BadDigest and XAmzContentSHA256Mismatch.
    """
    limit = call.services.settings.s3_document_limit
    try:
        declaration = parse_declaration(call, limit, may_be_empty=True, of_object=of_object)
    except S3Fault as fault:
        raise S3Fault("MaxMessageLengthExceeded") if fault.code == "EntityTooLarge" else fault from None
    if call.row.body == CHECKED_DOCUMENT and declaration.md5 is None and declaration.checksum is None:
        raise S3Fault("InvalidRequest", _WITHOUT)
    decoder = new_decoder(call, declaration)
    raw = await call.request.body(limit if decoder is None else 2 * limit)
    trailers: dict[str, str] = {}
    if decoder is not None:
        try:
            raw = b"".join(decoder.feed(raw))
            trailers = decoder.finish()
        except FormatError as error:
            raise S3Fault("IncompleteBody", str(error)) from None
    if len(raw) != declaration.length:
        raise S3Fault("IncompleteBody")
    digests = Digests(declaration, (), etag=False)
    digests.update(raw)
    digests.check(trailers)
    return raw
