"""The form of POST Object: a browser uploads an object, signed by its form's fields (multipart/form-data).

Source: Amazon S3 API Reference, "POST Object" and "Browser-based uploads using POST (AWS Signature Version 4)". The
fields up to the file are read before anybody is known to ask, so they are bounded. Then each field becomes the header
that it stands for, and the upload is a PutObject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.s3.request import addressing, fields, metadata, multipart_form, post_policy, tags, xml
from fuin.s3.request.addressing import Address
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.signing import sigv4
from fuin.signing.authorization import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate.http import Request
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.post_policy import SizeRange
    from fuin.signing.sigv4 import Signed

KEY, POLICY = "key", "policy"
_FILE_NAME = "${filename}"
_ALGORITHM, _CREDENTIAL, _DATE, _SIGNATURE = (
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "signature")
)
_SESSION = "x-amz-security-token"
_OF_SIGNATURE = (_ALGORITHM, _CREDENTIAL, _DATE, _SIGNATURE)
_OF_VERSION_2 = ("awsaccesskeyid", "signature")
_VERSION_2 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_TWO_SIGNATURES = "A form is signed by its fields, not by the Authorization header or the query."
_CONFLICT = "Conflicting values provided in HTTP headers and POST form fields."

# Fields that stand for headers under another name, beside the standard headers and x-amz-….
_RENAMED = {
    "acl": "x-amz-acl", "x-amz-checksum-algorithm": "x-amz-sdk-checksum-algorithm",
    "content-md5": "content-md5",
}  # fmt: skip
_TAGGING = "tagging"  # as a document
_STANDARD = frozenset(name.decode() for name in metadata.STANDARD)
_AMZ, _COPY = "x-amz-", "x-amz-copy-source"
_NO_HEADERS = frozenset({*_OF_SIGNATURE, _SESSION, "x-amz-content-sha256"})
# Headers of the request that hold for a form; of the others, those that would say something about the object must say
# what the fields say. Browsers send none of them.
_TAKEN = (b"host", b"if-match", b"if-none-match")
_OF_SENDERS = frozenset({b"x-amz-cf-id", b"x-amz-user-agent"})


@dataclass(slots=True, repr=False)  # its values may be a customer key
class Form:
    """A form whose file has begun to arrive.

    `values` have the file's name put in; `names` are the names as they were sent; both are by names in lower case. A
    field that comes more than once has all its values, separated by commas, as AWS has it. `file_length` is the file's
    length in bytes if nothing follows it, and more than that otherwise. `rest` is what has come of the body behind the
    fields, and `has_more` says whether more may follow.
    """

    values: dict[str, str]
    names: dict[str, str]
    delimiter: bytes
    file_length: int
    rest: bytes
    has_more: bool
    sizes: SizeRange = post_policy.ANY_SIZE  # that the policy allows for the file


async def read(call: S3Call, request: Request) -> None:
    """Read the fields of a call's form, and put them and the key that they name into the call.

    Raises S3Fault for what is no form, or none with a key and a file.
    """
    parser = multipart_form.FieldsParser(multipart_form.parse_boundary(request.header(b"content-type") or ""))
    if b"authorization" in request.headers or b"X-Amz-" in request.query:
        raise S3Fault("InvalidRequest", _TWO_SIGNATURES)
    length = _length(request)
    has_more = await request.gather_pieces(parser.feed)
    if not has_more and not parser.is_done:
        raise multipart_form.malformed_body()
    if not parser.has_file:
        raise multipart_form.no_file()
    values, names = _collect(parser)
    file_length = max(0, length - parser.size - multipart_form.closing_length(parser.delimiter))
    call.form = Form(values, names, parser.delimiter, file_length, parser.rest, has_more)
    key = values.get(KEY)
    if not key:
        raise _missing_field(KEY, KEY)
    addressing.check_key(key)
    call.address = Address(call.bucket, key)


def _length(request: Request) -> int:
    """Return the length of the body, which the request must give."""
    text = request.headers.get(b"content-length", b"")
    if not text.isdigit() or len(text) > 18:
        raise S3Fault("MissingContentLength")
    return int(text)


def _collect(parser: multipart_form.FieldsParser) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields' values and their names as they were sent, by names in lower case."""
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value in parser.fields:
        lower = name.lower()
        values[lower] = f"{values[lower]},{value}" if lower in values else value
        names.setdefault(lower, name)
    if parser.file_name is not None:  # else AWS stores an object of that name
        values = _put_in(values, parser.file_name.replace("\\", "/").rpartition("/")[2])
    return values, names


def _put_in(values: Mapping[str, str], file_name: str) -> dict[str, str]:
    """Return the values with the file's name in them, which may not make them larger than a form may be."""
    more = len(file_name) * sum(value.count(_FILE_NAME) for value in values.values())
    multipart_form.check_size(more + sum(map(len, values.values())))
    return {name: value.replace(_FILE_NAME, file_name) for name, value in values.items()}


def headers(form: Form, sent: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the headers of the PutObject that a form stands for; `sent` are those of its request.

    Raises InvalidRequest where they say something else than the form, and what is wrong with the fields.
    """
    found = {name: sent[name] for name in _TAKEN if name in sent}
    for name, value in form.values.items():
        if name.startswith(_COPY):  # or policies that allow copies only would allow uploads
            raise invalid_argument(name, value[:100], "A form uploads a file, and copies no object.")
        if name == _TAGGING:
            given = tags.parse_document(xml.parse(value.encode(), "Tagging"), tags.OF_OBJECTS)
            _add(found, tags.HEADER, urlencode(given).encode())
        elif name in _RENAMED or name in _STANDARD or (name.startswith(_AMZ) and name not in _NO_HEADERS):
            fields.check_name(name)
            _add(found, _RENAMED.get(name, name).encode(), _header_value(name, value))
    for header, raw in sent.items():
        if header.startswith(_AMZ.encode()) and header not in _OF_SENDERS and found.get(header) != raw:
            raise S3Fault("InvalidRequest", _CONFLICT)
    return found


def _header_value(name: str, value: str) -> bytes:
    """Return a field's value; that of user metadata may be any text, which answers encode (`encoded_words.py`)."""
    return value.encode() if name.encode().startswith(metadata.META) else fields.parse_value(name, value)


def _add(headers: dict[bytes, bytes], name: bytes, value: bytes) -> None:
    if headers.setdefault(name, value) != value:
        raise S3Fault("InvalidRequest", _CONFLICT)


# The signature


def parse_signature(form: Form) -> Signed | None:
    """Return what a form claims to be signed with, or None for an anonymous one.

    Raises InvalidArgument if a part of the signature is missing or malformed, AuthenticationFailed for a signature that
    cannot be one, and InvalidRequest for Signature Version 2. A policy without a signature makes no claim.
    """
    values = form.values
    if not any(name in values for name in (*_OF_SIGNATURE, _SESSION)):
        if any(name in values for name in _OF_VERSION_2):
            raise S3Fault("InvalidRequest", _VERSION_2)
        return None
    for name in (*_OF_SIGNATURE, POLICY):
        if name not in values:
            raise _missing_field(name, name.title() if name != POLICY else name)
    if values[_ALGORITHM] != ALGORITHM:
        text = f'X-Amz-Algorithm only supports "{ALGORITHM}"'
        raise invalid_argument("X-Amz-Algorithm", values[_ALGORITHM][:100], text)
    try:
        credential = sigv4.parse_form_credential(values[_CREDENTIAL])
    except AuthenticationFailed as error:
        raise invalid_argument("X-Amz-Credential", values[_CREDENTIAL][:100], error.detail) from None
    try:
        return sigv4.parse_form(
            values[POLICY], credential, values[_DATE], values[_SIGNATURE], values.get(_SESSION, "")
        )  # fmt: skip
    except AuthenticationFailed as error:
        if error.reason is AuthReason.BAD_SIGNATURE:
            raise
        raise invalid_argument("X-Amz-Date", values[_DATE][:100], error.detail) from None


def _missing_field(name: str, spelled: str) -> S3Fault:
    text = f"Bucket POST must contain a field named '{spelled}'.  If it is specified, please check the order of the "
    return invalid_argument(spelled, "", f"{text}fields.")
