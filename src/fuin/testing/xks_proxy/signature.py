"""The check of a request's Signature V4 (specification, appendix A)."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING

from fuin.testing.xks_proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "kms-xks-proxy"
SKEW = 300  # seconds

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z2-7]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_REQUIRED_HEADERS = {"host", "x-amz-date"}


def check(credentials: Mapping[str, str], path: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raise Refusal (AuthenticationFailedException) unless the request is signed with one of the credentials.

    `headers` have lower-case names; `credentials` maps access key ids to secret access keys.
    """
    found = _HEADER.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise _authentication_failure("The request has no signature.")
    access_key_id, date, region, service, names, signature = found.groups()
    moment = headers.get("x-amz-date", "")
    if service != SERVICE or access_key_id not in credentials or not set(names.split(";")) >= _REQUIRED_HEADERS:
        raise _authentication_failure("The credential is not known here.")
    _check_time(moment, date)
    scope = f"{date}/{region}/{service}/aws4_request"
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names.split(";"))
    canonical = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials[access_key_id]}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex(), signature):
        raise _authentication_failure("The signature does not match.")


def _check_time(moment: str, date: str) -> None:
    try:
        sent = calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise _authentication_failure("The request has no date.") from None
    if moment[:8] != date or abs(time.time() - sent) > SKEW:
        raise _authentication_failure("The request is not of this time.")


def _authentication_failure(message: str) -> Refusal:
    return Refusal("AuthenticationFailedException", message)
