"""A small KMS on loopback for tests of its clients: real HTTP, real AES-256-GCM, no signature check, one key."""

from __future__ import annotations

import base64
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

KEY_ID = "11111111-2222-3333-4444-555555555555"
ALIAS = "alias/stand-in"
ARN = f"arn:aws:kms:eu-central-1:123456789012:key/{KEY_ID}"
OTHER_ARN = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"


class Refusal(Exception):
    """An error answer: its AWS code."""


class KmsStandIn:
    """Answers GenerateDataKey and Decrypt; `requests` holds what came, `refuse` makes it refuse everything."""

    def __init__(self) -> None:
        self._cipher = AESGCM(os.urandom(32))
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.refuse: str | None = None
        self.claims = ARN  # the KeyId in answers
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer's members; raises Refusal."""
        self.requests.append((operation, request))
        if self.refuse:
            raise Refusal(self.refuse)
        if request.get("KeyId", ARN) not in (ARN, KEY_ID, ALIAS):
            raise Refusal("NotFoundException")
        context = json.dumps(request.get("EncryptionContext", {}), sort_keys=True).encode()
        if operation == "GenerateDataKey":
            plaintext, iv = os.urandom(32), os.urandom(12)
            blob = iv + self._cipher.encrypt(iv, plaintext, context)
            return {"KeyId": self.claims, "Plaintext": _text(plaintext), "CiphertextBlob": _text(blob)}
        blob = base64.b64decode(request["CiphertextBlob"])
        try:
            plaintext = self._cipher.decrypt(blob[:12], blob[12:], context)
        except InvalidTag:
            raise Refusal("InvalidCiphertextException") from None
        return {"KeyId": self.claims, "Plaintext": _text(plaintext), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _handler(kms: KmsStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            try:
                status, answer = 200, kms.answer(operation, body)
            except Refusal as refusal:
                status, answer = 400, {"__type": str(refusal), "message": f"no:\n{refusal}"}
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Handler


def serve_kms(patch: pytest.MonkeyPatch) -> Iterator[KmsStandIn]:
    """Run a stand-in that the environment names; there is no default Region."""
    stand_in = KmsStandIn()
    patch.setenv("AWS_ENDPOINT_URL_KMS", stand_in.url)
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret")
    patch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield stand_in
    stand_in.close()
