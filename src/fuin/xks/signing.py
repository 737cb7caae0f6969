"""Signature V4 for requests to a proxy (specification, appendix A), with day keys that the keyholder derives.

The credential's secret access key never comes here: the store holds it sealed, and only the keyholder opens it.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from fuin.signing import canonical
from fuin.signing.sigv4 import SigningKey

if TYPE_CHECKING:
    from fuin.keyholder.wire.client import Keyholder
    from fuin.xks.proxy import Proxy

SERVICE = "kms-xks-proxy"
_KEY_LIMIT = 256
_SIGNED_HEADERS = "host;x-amz-date"


class Signer:
    """Makes signed requests; keeps the day keys in use."""

    def __init__(self, keyholder: Keyholder) -> None:
        self._keyholder = keyholder
        self._keys: OrderedDict[tuple[bytes, str, str], SigningKey] = OrderedDict()

    async def request(self, proxy: Proxy, path: str, body: bytes) -> bytes:
        """Return the bytes of a signed POST request to a path below the proxy's own."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        key = await self._day_key(proxy, moment[:8])
        path = f"{proxy.path}{path}"
        signed_path = canonical.service_path(path.encode()).decode()
        headers = f"host:{proxy.host}\nx-amz-date:{moment}\n"
        whole = f"POST\n{signed_path}\n\n{headers}\n{_SIGNED_HEADERS}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{proxy.region}/{SERVICE}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
        head = (
            f"POST {path} HTTP/1.1\r\n"
            f"Host: {proxy.host}\r\n"
            f"X-Amz-Date: {moment}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={proxy.access_key_id}/{scope}, "
            f"SignedHeaders={_SIGNED_HEADERS}, Signature={key.sign(text.encode())}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    async def _day_key(self, proxy: Proxy, date: str) -> SigningKey:
        index = (proxy.sealed_secret, date, proxy.region)
        key = self._keys.get(index)
        if key is None:
            key = SigningKey(
                await self._keyholder.signing_key(proxy.sealed_secret, proxy.access_key_id, date, proxy.region, SERVICE)
            )
            self._keys[index] = key
            if len(self._keys) > _KEY_LIMIT:
                self._keys.popitem(last=False)
        return key
