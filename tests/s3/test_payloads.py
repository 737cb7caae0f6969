"""The forms in which bodies come, and every digest that may come with them: taken when right, refused when wrong."""

import base64
import hashlib
import os
import socket
import zlib
from collections.abc import Callable
from typing import Any

import botocore.loaders
import pytest
from awscrt import checksums as crt

from fuin.s3.payload import checksums
from fuin.signing import streaming
from tests.s3 import chunks
from tests.support.place import Place, Reply

DATA = os.urandom(300_000)
VALUES: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: crt.crc32c(data).to_bytes(4, "big"),
    "CRC64NVME": lambda data: crt.crc64nvme(data).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA512": lambda data: hashlib.sha512(data).digest(),
    "MD5": lambda data: hashlib.md5(data).digest(),
    "XXHASH64": crt.XXHash.compute_xxhash64,
    "XXHASH3": crt.XXHash.compute_xxhash3_64,
    "XXHASH128": crt.XXHash.compute_xxhash3_128,
}
ALGORITHMS = sorted(VALUES)


def value_of(algorithm: str, data: bytes = DATA) -> str:
    """Return a checksum in base64."""
    return base64.b64encode(VALUES[algorithm](data)).decode()


def stored(place: Place, bucket: str) -> bytes | None:
    """Return what is stored under `k`."""
    reply = place.send("GET", f"/{bucket}/k")
    assert reply.status == 200 or reply.code == "NoSuchKey"
    return reply.body if reply.status == 200 else None


def put_chunked(
    place: Place, bucket: str, form: str, *, trailer: tuple[str, str] | None = None, damage: int | None = None,
    length: int = len(DATA), chunked: bool = False,
) -> Reply:  # fmt: skip
    """Put DATA in chunks of three sizes; `damage` flips a bit of the body, `chunked` leaves the length out."""
    pieces = [DATA[:100_000], DATA[100_000:100_001], DATA[100_001:]]
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(length)}
    trailers = {}
    if trailer is not None:
        headers["x-amz-trailer"] = trailer[0]
        trailers = dict([trailer])
    signed = place.signed("PUT", f"/{bucket}/k", headers, payload_hash=form)
    if form == streaming.UNSIGNED_TRAILER:
        body = chunks.unsigned(pieces, trailers)
    else:
        body = chunks.signed(place.root, signed, pieces, trailers if form == streaming.SIGNED_TRAILER else None)
    if damage is not None:
        body = body[:damage] + bytes((body[damage] ^ 1,)) + body[damage + 1 :]
    if chunked:
        signed["Transfer-Encoding"] = "chunked"
        body = chunks.transfer_chunked(body)
    return place.raw("PUT", f"/{bucket}/k", signed, body)


def test_signed_whole_body(place: Place, bucket: str) -> None:
    """The SHA-256 of the body is signed and checked."""
    assert place.send("PUT", f"/{bucket}/k", {}, DATA).status == 200
    assert stored(place, bucket) == DATA


def test_wrong_hash_of_the_body_is_refused(place: Place, bucket: str) -> None:
    """A body that is not the one that was signed is not stored, and leaves no file."""
    before = set(place.blobs())
    reply = place.send("PUT", f"/{bucket}/k", {}, DATA, payload_hash=hashlib.sha256(b"other").hexdigest())
    assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")
    assert reply.text("S3ComputedContentSHA256") == hashlib.sha256(DATA).hexdigest()
    assert stored(place, bucket) is None
    assert set(place.blobs()) == before


def test_unsigned_payload(place: Place, bucket: str) -> None:
    """UNSIGNED-PAYLOAD takes any body."""
    assert place.send("PUT", f"/{bucket}/k", {}, DATA, payload_hash="UNSIGNED-PAYLOAD").status == 200
    assert stored(place, bucket) == DATA


@pytest.mark.parametrize("form", ["nonsense", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "00"])
def test_unknown_forms_are_refused(place: Place, bucket: str, form: str) -> None:
    """Anything else in x-amz-content-sha256 is refused."""
    reply = place.send("PUT", f"/{bucket}/k", {"x-amz-decoded-content-length": "1"}, b"x", payload_hash=form)
    assert reply.status == 400
    assert reply.code in {"InvalidArgument", "InvalidRequest"}


@pytest.mark.parametrize("form", [streaming.SIGNED, streaming.SIGNED_TRAILER, streaming.UNSIGNED_TRAILER])
@pytest.mark.parametrize("chunked", [False, True])
def test_chunked_forms(place: Place, bucket: str, form: str, chunked: bool) -> None:
    """Chunks come together again, with a length and without, and aws-chunked is no encoding of the object."""
    trailer = None if form == streaming.SIGNED else ("x-amz-checksum-crc32", value_of("CRC32"))
    reply = put_chunked(place, bucket, form, trailer=trailer, chunked=chunked)
    assert reply.status == 200, reply.body
    assert stored(place, bucket) == DATA
    assert "ContentEncoding" not in place.s3().head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("damage", [3, 50_000, 100_100, -3, -60])
def test_damaged_signed_chunks_are_refused(place: Place, bucket: str, damage: int) -> None:
    """A bit flipped anywhere in signed chunks is refused, and nothing is stored."""
    before = set(place.blobs())
    reply = put_chunked(place, bucket, streaming.SIGNED, damage=damage)
    assert 400 <= reply.status < 500
    assert stored(place, bucket) is None
    assert set(place.blobs()) == before


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trailing_checksums(place: Place, bucket: str, algorithm: str) -> None:
    """Each checksum comes as a trailer, is checked, and is given back."""
    header = f"x-amz-checksum-{algorithm.lower()}"
    reply = put_chunked(place, bucket, streaming.UNSIGNED_TRAILER, trailer=(header, value_of(algorithm)))
    assert reply.status == 200, reply.body
    assert reply.headers[header] == value_of(algorithm)
    got = place.s3().head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == value_of(algorithm)
    wrong = put_chunked(place, bucket, streaming.UNSIGNED_TRAILER, trailer=(header, value_of(algorithm, b"other")))
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    assert wrong.message == f"The {algorithm} you specified did not match the calculated checksum."


def test_missing_and_malformed_trailers(place: Place, bucket: str) -> None:
    """A trailer that was announced must come, and must be a checksum."""
    headers = {"x-amz-decoded-content-length": str(len(DATA)), "x-amz-trailer": "x-amz-checksum-crc32"}
    signed = place.signed("PUT", f"/{bucket}/k", headers, payload_hash=streaming.UNSIGNED_TRAILER)
    reply = place.raw("PUT", f"/{bucket}/k", signed, chunks.unsigned([DATA], {}))
    assert (reply.status, reply.code) == (400, "MalformedTrailerError")
    reply = place.raw("PUT", f"/{bucket}/k", signed, chunks.unsigned([DATA], {"x-amz-checksum-crc32": "!!"}))
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert stored(place, bucket) is None


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1])
def test_wrong_decoded_length_is_refused(place: Place, bucket: str, length: int) -> None:
    """The announced length is the length."""
    reply = put_chunked(
        place, bucket, streaming.UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", value_of("CRC32")), length=length
    )
    assert reply.status == 400
    assert stored(place, bucket) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksum_headers(place: Place, bucket: str, algorithm: str) -> None:
    """Each checksum comes as a header, is checked, is given back by GET, and a wrong one stores nothing."""
    header = f"x-amz-checksum-{algorithm.lower()}"
    wrong = place.send("PUT", f"/{bucket}/k", {header: value_of(algorithm, b"other")}, DATA)
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    assert stored(place, bucket) is None
    reply = place.send("PUT", f"/{bucket}/k", {header: value_of(algorithm)}, DATA)
    assert reply.headers[header] == value_of(algorithm)
    assert reply.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    got = place.send("GET", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
    assert got.headers[header] == value_of(algorithm)
    assert header not in place.send("GET", f"/{bucket}/k").headers


@pytest.mark.parametrize(
    ("algorithm", "data", "digest"),
    [
        ("XXHASH64", b"", "ef46db3751d8e999"), ("XXHASH64", b"abc", "44bc2cf5ad770999"),
        ("XXHASH3", b"", "2d06800538d394c2"), ("XXHASH3", b"abc", "78af5f94892f3950"),
        ("XXHASH128", b"", "99aa06d3014798d86001c324468d497f"),
    ],
)  # fmt: skip
def test_xxhash_is_that_of_its_author(algorithm: str, data: bytes, digest: str) -> None:
    """Known answers of the reference implementation, without a seed."""
    running = checksums.ALGORITHMS[algorithm].start()
    for byte in data:
        running.update(memoryview(bytearray([byte])))
    assert running.digest().hex() == digest


def test_every_algorithm_is_tested() -> None:
    """Those of the service model, which the server has all."""
    model = botocore.loaders.Loader().load_service_model("s3", "service-2")["shapes"]["ChecksumAlgorithm"]["enum"]
    assert sorted(model) == ALGORITHMS == sorted(checksums.ALGORITHMS)


def test_default_checksum_is_kept(place: Place, bucket: str) -> None:
    """A PUT without any checksum keeps CRC64NVME, as in AWS."""
    place.send("PUT", f"/{bucket}/k", {}, DATA)
    got = place.send("GET", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
    assert got.headers["x-amz-checksum-crc64nvme"] == value_of("CRC64NVME")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAA"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "****"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": value_of("CRC32"), "x-amz-checksum-sha1": value_of("SHA1")}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "NOPE"}, "InvalidRequest"),
        ({"x-amz-checksum-xxhash64": "AAAAAAAAAAA="}, "BadDigest"),
        ({"x-amz-checksum-xxhash32": "AAAAAAAAAAA="}, "NotImplemented"),
        ({"content-md5": "short"}, "InvalidDigest"),
        ({"content-md5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
    ],
)
def test_wrong_digest_headers(place: Place, bucket: str, headers: dict[str, str], code: str) -> None:
    """Malformed, doubled, unknown and wrong digests are refused with AWS's codes."""
    reply = place.send("PUT", f"/{bucket}/k", headers, DATA)
    assert reply.code == code
    assert stored(place, bucket) is None


def test_content_md5(place: Place, bucket: str) -> None:
    """A right Content-MD5 is taken, with any encryption."""
    md5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    headers = {"content-md5": md5, "x-amz-server-side-encryption": "aws:kms"}
    assert place.send("PUT", f"/{bucket}/k", headers, DATA, payload_hash="UNSIGNED-PAYLOAD").status == 200


def test_length_is_required(place: Place, bucket: str) -> None:
    """Without a length: 411; chunked transfer without the decoded length: NotImplemented."""
    signed = place.signed("PUT", f"/{bucket}/k", {}, payload_hash="UNSIGNED-PAYLOAD")
    reply = place.raw("PUT", f"/{bucket}/k", signed | {"Transfer-Encoding": "chunked"}, chunks.transfer_chunked(DATA))
    assert (reply.status, reply.code) == (501, "NotImplemented")
    signed = place.signed("PUT", f"/{bucket}/k", {}, payload_hash=streaming.UNSIGNED_TRAILER)
    reply = place.raw("PUT", f"/{bucket}/k", signed, b"0\r\n\r\n")
    assert (reply.status, reply.code) == (411, "MissingContentLength")


def test_too_large_is_refused_before_the_body(place: Place, bucket: str) -> None:
    """More than 5 GiB is refused at once, by its announced length."""
    size = 5 * 1024**3 + 1
    headers = place.signed(
        "PUT", f"/{bucket}/k", {"Expect": "100-continue", "Content-Length": str(size)}, payload_hash="UNSIGNED-PAYLOAD"
    )
    reply = place.raw("PUT", f"/{bucket}/k", headers)
    assert (reply.status, reply.code) == (400, "EntityTooLarge")
    assert reply.headers["connection"] == "close"


def test_refusal_comes_before_100_continue(place: Place, bucket: str) -> None:
    """A client that waits for 100 gets 403 instead, without having sent its body."""
    user = place.add_user()
    headers = place.signed(
        "PUT", f"/{bucket}/k", {"Expect": "100-continue", "Content-Length": "1000"}, user=user,
        payload_hash="UNSIGNED-PAYLOAD",
    )  # fmt: skip
    first = _first_line(place, bucket, headers)
    assert first.startswith(b"HTTP/1.1 403")
    headers = place.signed(
        "PUT", f"/{bucket}/k", {"Expect": "100-continue", "Content-Length": "1000"}, payload_hash="UNSIGNED-PAYLOAD"
    )
    assert _first_line(place, bucket, headers) == b"HTTP/1.1 100 Continue"


def _first_line(place: Place, bucket: str, headers: dict[str, str]) -> bytes:
    text = f"PUT /{bucket}/k HTTP/1.1\r\nHost: 127.0.0.1:{place.settings.port}\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() != "host")
    with socket.create_connection(("127.0.0.1", place.settings.port), timeout=60) as connection:
        connection.sendall(f"{text}\r\n".encode())
        return connection.recv(4096).partition(b"\r\n")[0]


def test_client_that_goes_away_leaves_nothing(place: Place, bucket: str) -> None:
    """Half a body and a closed connection: no object, no file."""
    before = set(place.blobs())
    headers = place.signed("PUT", f"/{bucket}/k", {"Content-Length": "3000000"}, payload_hash="UNSIGNED-PAYLOAD")
    with place.connection() as connection:
        connection.putrequest("PUT", f"/{bucket}/k")
        for name, value in headers.items():
            if name.lower() != "host":
                connection.putheader(name, value)
        connection.endheaders(bytes(2_500_000))
        place.wait_for(lambda: set(place.blobs()) != before)
    place.wait_for(lambda: set(place.blobs()) == before)
    assert stored(place, bucket) is None


def test_sdk_default_checksums(place: Place, bucket: str) -> None:
    """boto3's own default checksum passes and is verified by boto3 on the way back."""
    s3: Any = place.s3()
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"):
        put = s3.put_object(Bucket=bucket, Key="k", Body=DATA, ChecksumAlgorithm=algorithm)
        assert put[f"Checksum{algorithm}"] == value_of(algorithm)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA
