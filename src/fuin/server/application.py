"""The one ASGI application: health, then dispatch by the service in the credential scope."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fuin.ebs import app as ebs
from fuin.ec2 import app as ec2
from fuin.errors import FuinError
from fuin.gate import cors
from fuin.gate.authentication import DayKeys
from fuin.gate.http import Answer, ClientGone, Request
from fuin.identity import app as identity
from fuin.kms import app as kms
from fuin.s3 import app as s3
from fuin.s3 import preflight
from fuin.server import edge
from fuin.server.health import PATHS, Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.gate.http import Receive, Scope, Send
    from fuin.gate.services import Services
    from fuin.gate.wire import Wire

_HMAC = b"AWS4-HMAC-SHA256"  # 16 bytes
_PREFLIGHT = b"/"  # no scope can name this service


WIRES: dict[bytes, Wire[Any, Any, Any]] = {
    b"kms": kms.WIRE,
    b"s3": s3.WIRE,
    b"sts": identity.WIRE,
    b"iam": identity.WIRE,
    b"ec2": ec2.WIRE,
    b"ebs": ebs.WIRE,
}


def answer(services: Services, day_keys: DayKeys, request: Request, send: Send) -> Awaitable[None]:
    """Answer one request as the service that it names; a request that names no service is for S3."""
    service = service_of(request)
    if service == _PREFLIGHT:
        return cors.answer_preflight(send)
    if request.method == "OPTIONS" and service == b"s3":
        return preflight.answer_preflight(services, request, send)
    return edge.serve(WIRES.get(service, s3.WIRE), services, day_keys, request, send)


class Application:
    """A worker's ASGI callable; `start` and `stop` are called by the server's lifespan."""

    def __init__(
        self, open_services: Callable[[], Awaitable[Services]], job: Callable[[Services], Awaitable[None]] | None
    ) -> None:
        self._open_services = open_services
        self._job = job
        self._day_keys = DayKeys()
        self._services: Services | None = None
        self._task: asyncio.Future[None] | None = None
        self._health: Health | None = None
        self.failure: Exception | None = None  # of the start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or run the lifespan."""
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        request = Request(scope, receive)
        services = self._services
        if services is None or self._health is None:
            await send(Answer(503, [(b"Retry-After", b"1")]).message())
        elif is_health(request):
            await send((await self._health.answer(request.path)).message())
        else:
            try:
                await answer(services, self._day_keys, request, send)
            except ClientGone:
                return  # the connection is closed; the handler has cleaned up

    async def start(self) -> None:
        """Open the store and the keyholder's connection, and start the timed jobs, if this worker has them."""
        self._services = await self._open_services()
        self._health = Health(self._services)
        if self._job is not None:
            self._task = asyncio.ensure_future(self._job(self._services))

    async def stop(self) -> None:
        """End the timed jobs and close what `start` opened; requests have already been drained."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._services is not None:
            await self._services.proxies.close()
            await self._services.keyholder.close()
            self._services.store.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except (FuinError, OSError) as error:
                    self.failure = error
                    await send({"type": "lifespan.startup.failed"})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def is_health(request: Request) -> bool:
    """Return whether this is an unsigned GET of a health path; a signed one is for a bucket."""
    return request.path in PATHS and request.method in {"GET", "HEAD"} and not is_signed(request)


def is_signed(request: Request) -> bool:
    """Return whether the request carries a signature of any kind."""
    return b"authorization" in request.headers or b"X-Amz-Credential=" in request.query


def service_of(request: Request) -> bytes:
    """Return the service named by the credential scope, without trusting it: the handler verifies the signature.

    A target header means KMS whatever the scope, since only KMS has targets: KMS answers a wrong scope as its clients
    expect. Requests without a scope, unsigned or signed in another way, are recognised by their form.
    """
    if b"x-amz-target" in request.headers:
        return b"kms"
    header = request.headers.get(b"authorization")
    if header is not None:  # AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, …
        parts = header.split(b"/", 4) if header[:16] == _HMAC else ()
    elif b"X-Amz-Credential=" in request.query:
        credential = request.query.split(b"X-Amz-Credential=", 1)[1].split(b"&", 1)[0]
        parts = credential.replace(b"%2F", b"/").replace(b"%2f", b"/").split(b"/")
    else:
        parts = ()
    return parts[3] if len(parts) == 5 else _service_by_form(request)


def _service_by_form(request: Request) -> bytes:
    """Return the service of a request without a scope, so that each service refuses in its own way.

    The Query protocol of STS and IAM posts a form to /, or has an Action in the query; KMS posts JSON. S3 requests to
    a bucket's own host post forms of another type, and documents, which have a query.
    """
    if request.path != b"/":
        return b"s3"
    if b"Action=" in request.query:
        return b"sts"
    kind = request.headers.get(b"content-type", b"").lower()
    if request.method == "POST" and not request.query and not kind.startswith(b"multipart/form-data"):
        return b"kms" if kind.startswith(b"application/x-amz-json") else b"sts"
    return _PREFLIGHT if cors.is_preflight(request) else b"s3"
