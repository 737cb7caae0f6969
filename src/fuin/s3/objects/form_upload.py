"""POST Object: what a browser's form uploads is stored as PutObject stores it, if the form's policy allows it.

Source: Amazon S3 API Reference, "POST Object".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit

from fuin.gate.http import Answer
from fuin.s3.objects import objects
from fuin.s3.request import hosts, multipart_form, post_policy, xml
from fuin.s3.request.call import XML_TYPE
from fuin.s3.request.form import POLICY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from fuin.s3.request.call import S3Call
    from fuin.s3.request.form import Form

_REDIRECTS = ("success_action_redirect", "redirect")  # AWS: the second is deprecated
_STATUS, _CREATED, _STATUSES = "success_action_status", 201, {"200": 200, "201": 201, "204": 204}
_SEE_OTHER = 303
_URL_CHARACTERS = "%:/?#[]@!$&'()*+,;=~"  # that a redirect keeps


async def post_object(call: S3Call) -> Answer:
    """Store the file of a form; the answer is what the form asks for: a redirect, a document or an empty one."""
    form = call.form
    if form is None:
        raise RuntimeError("PostObject without a form")
    if call.caller is not None:
        form.sizes = post_policy.check(form.values[POLICY], form.values, form.names, call.bucket, call.now)
        # What follows the file is as small as what precedes it, so the file is at least so long.
        form.sizes.check_most(form.file_length - multipart_form.FIELDS_LIMIT, form.file_length)
    stored = await objects.put_object(call)
    return _answer(call, form, stored)


def _answer(call: S3Call, form: Form, stored: Answer) -> Answer:
    """Return the answer, with all that PutObject tells of the object."""
    etag = next(value for name, value in stored.headers if name == b"ETag").decode()
    redirect = _find_redirect(form.values)
    if redirect is not None:
        pairs = f"bucket={call.bucket}&key={quote_plus(call.key)}&etag={quote_plus(etag)}"
        url = redirect._replace(query=f"{redirect.query}&{pairs}" if redirect.query else pairs).geturl()
        return Answer(_SEE_OTHER, [*stored.headers, (b"Location", quote(url, safe=_URL_CHARACTERS).encode())])
    status = _STATUSES.get(form.values.get(_STATUS, ""), 204)
    location = _location(call)
    headers = [*stored.headers, (b"Location", location.encode())]
    if status != _CREATED:
        return Answer(status, headers)
    content = [
        xml.text("Location", location), xml.text("Bucket", call.bucket), xml.text("Key", call.key),
        xml.text("ETag", etag),
    ]  # fmt: skip
    return Answer(status, [XML_TYPE, *headers], xml.bare_document("PostResponse", "".join(content)))


def _find_redirect(values: Mapping[str, str]) -> SplitResult | None:
    """Return the URL to which the browser shall go; AWS ignores one that it cannot interpret, and so a relative one."""
    text = next((values[name] for name in _REDIRECTS if name in values), "")
    try:
        url = urlsplit(text)
    except ValueError:
        return None
    return url if url.scheme in ("http", "https") and url.hostname else None


def _location(call: S3Call) -> str:
    """Return the URL of the object, on the host that the request names."""
    host = call.header(b"host") or ""
    is_in_host = hosts.bucket_in_host(host, call.services.settings.s3_domains) is not None
    path = quote(call.key, safe="") if is_in_host else f"{call.bucket}/{quote(call.key, safe='')}"
    return f"{'https' if call.request.secure else 'http'}://{host}/{path}"
