"""A bucket in memory that speaks as much S3 as a store of blobs needs, and that fails as a test says."""

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

BUCKET = "bucket"


class FakeS3(ThreadingHTTPServer):
    """The bucket; `before` is called with each request, and may answer it in its own way: then it returns True."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        if tls is not None:  # the handshake is the thread's of the connection
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.url = f"https://localhost:{self.server_address[1]}"
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.seen: list[str] = []  # the method, the key and the query of each request
        self.before: Callable[[_Handler], bool] = lambda _request: False
        self.after: Callable[[_Handler], bool] = lambda _request: False  # when it was done; True: no answer
        self.lock = threading.Lock()

    def fail(self, chosen: Callable[["_Handler"], bool], how: Callable[["_Handler"], None], times: int = 1) -> None:
        """Let the next requests of a kind fail in a way."""
        left = [times]

        def before(request: _Handler) -> bool:
            with self.lock:
                meant = left[0] > 0 and chosen(request)
                left[0] -= meant
            if meant:
                how(request)
            return meant

        self.before = before

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client goes away."""


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[FakeS3]:
    """Give a running bucket, with a certificate for `localhost` where there is one."""
    with FakeS3(tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def busy(request: "_Handler") -> None:
    """Answer 503, as AWS does when it has too much to do; the body is not read."""
    request.close_connection = True
    request.answer(503, b"<Error><Code>SlowDown</Code><Message>less</Message></Error>")


def silent(request: "_Handler") -> None:
    """Take the request, and say nothing for longer than anybody waits here."""
    time.sleep(3)
    request.close_connection = True


def cut(request: "_Handler") -> None:
    """Close the connection at once."""
    request.close_connection = True


def cut_in_the_middle(request: "_Handler") -> None:
    """Give half of what was asked for, and close the connection."""
    content, headers, status = request.span()
    request.headers_of(status, len(content), headers)
    request.wfile.write(content[: len(content) // 2])
    request.close_connection = True


def wrong_length(request: "_Handler") -> None:
    """Give fewer bytes than were asked for, and say that these are all."""
    content, headers, status = request.span()
    request.answer(status, content[:-1], headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeS3
    key: str
    query: dict[str, str]

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""

    def handle_one_request(self) -> None:
        """Serve a request; a client that goes away ends the connection."""
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _serve(self) -> None:
        parsed = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parsed.query, keep_blank_values=True).items()}
        self.key = unquote(parsed.path.removeprefix(f"/{BUCKET}").removeprefix("/"))
        with self.server.lock:
            self.server.seen.append(f"{self.command} {self.key} {parsed.query}")
        if self.server.before(self):
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content, headers = getattr(self, f"_{self.command.lower()}")(body)
        if self.server.after(self):
            self.close_connection = True
            return
        self.answer(status, content, headers)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        self.headers_of(status, len(content), headers or {})
        if self.command != "HEAD":
            self.wfile.write(content)

    def headers_of(self, status: int, length: int, headers: dict[str, str]) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(length)} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def span(self) -> tuple[bytes, dict[str, str], int]:
        """Return the bytes that the request asks for, their headers and the status."""
        content = self.server.objects[self.key][0]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked is None:
            return content, {"ETag": '"e"'}, 200
        first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
        return content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": '"e"'}, 206

    def _get(self, _body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if "list-type" in self.query:
            return 200, self._list().encode(), {}
        if "uploads" in self.query:
            return 200, self._list_uploads().encode(), {}
        if self.key not in self.server.objects:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
        if "Range" in self.headers and not self.server.objects[self.key][0]:
            return 416, b"<Error><Code>InvalidRange</Code></Error>", {}
        content, headers, status = self.span()
        return status, content, headers

    def _head(self, _body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if not self.key:
            return 200, b"", {}
        if self.key not in self.server.objects:
            return 404, b"", {}
        return 200, b"", {"Content-Length": str(len(self.server.objects[self.key][0]))}

    def _put(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if len(body) != int(self.headers["Content-Length"]):
            return 400, b"<Error><Code>IncompleteBody</Code></Error>", {}
        with self.server.lock:
            if "uploadId" in self.query:
                if self.query["uploadId"] not in self.server.uploads:
                    return 404, b"<Error><Code>NoSuchUpload</Code></Error>", {}
                self.server.uploads[self.query["uploadId"]][1][int(self.query["partNumber"])] = body
            elif self.headers.get("If-None-Match") == "*" and self.key in self.server.objects:
                return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
            else:
                self.server.objects[self.key] = (body, time.time())
        return 200, b"", {"ETag": '"e"'}

    def _post(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        with self.server.lock:
            if "uploads" in self.query:
                upload = f"u{len(self.server.seen)}"
                self.server.uploads[upload] = (self.key, {})
                text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                return 200, text.encode(), {}
            if "delete" in self.query:
                for found in ElementTree.fromstring(body).iter():
                    if found.tag.endswith("Key"):
                        self.server.objects.pop(found.text or "", None)
                return 200, b"<DeleteResult/>", {}
            if self.query["uploadId"] not in self.server.uploads:
                return 404, b"<Error><Code>NoSuchUpload</Code></Error>", {}
            key, parts = self.server.uploads.pop(self.query["uploadId"])
            self.server.objects[key] = (b"".join(parts[number] for number in sorted(parts)), time.time())
        return 200, b"<CompleteMultipartUploadResult/>", {}

    def _delete(self, _body: bytes) -> tuple[int, bytes, dict[str, str]]:
        with self.server.lock:
            if "uploadId" in self.query:
                self.server.uploads.pop(self.query["uploadId"], None)
            else:
                self.server.objects.pop(self.key, None)
        return 204, b"", {}

    def _list(self) -> str:
        with self.server.lock:
            start, size = self.query.get("continuation-token", ""), int(self.query["max-keys"])
            keys = [key for key in sorted(self.server.objects) if key.startswith(self.query["prefix"]) and key > start]
            entries = "".join(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{_time_of(self.server.objects[key][1])}</LastModified>"
                f"<Size>{len(self.server.objects[key][0])}</Size></Contents>"
                for key in keys[:size]
            )
        more = f"<NextContinuationToken>{escape(keys[size - 1])}</NextContinuationToken>" if len(keys) > size else ""
        return f"<ListBucketResult>{entries}{more}</ListBucketResult>"

    def _list_uploads(self) -> str:
        with self.server.lock:
            found = sorted((key, upload) for upload, (key, _) in self.server.uploads.items())
        entries = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{upload}</UploadId></Upload>"
            for key, upload in found
            if key.startswith(self.query.get("prefix", ""))
        )
        return f"<ListMultipartUploadsResult>{entries}</ListMultipartUploadsResult>"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the answer."""
        return formatdate(time.time() if timestamp is None else timestamp, usegmt=True)


def _time_of(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))
