"""SSE-C: objects under a key of the client's, which is nowhere kept; with AWS's answers to wrong ones.

The texts are those of localstack, TestS3SSECEncryption, which was run against AWS.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from fuin.envelope import customer_key as wrapping
from fuin.errors import TamperedError
from fuin.s3.sealing import customer_key
from tests.support.place import Place, Reply

PREFIX, SOURCE = customer_key.PREFIX.decode(), customer_key.SOURCE_PREFIX.decode()
SSE = "x-amz-server-side-encryption"
KEY, OTHER = os.urandom(32), os.urandom(32)
DATA = os.urandom(300_000)
Headers = Mapping[str, str]


def named(key: bytes = KEY, prefix: str = PREFIX) -> dict[str, str]:
    """Return the headers of a key."""
    digest = base64.b64encode(hashlib.md5(key).digest()).decode()
    return {f"{prefix}algorithm": "AES256", f"{prefix}key": base64.b64encode(key).decode(), f"{prefix}key-md5": digest}


def allow(place: Place, bucket: str, kind: str = "NONE") -> None:
    """Let a bucket take customer keys, or block them again."""
    rule = f"<BlockedEncryptionTypes><EncryptionType>{kind}</EncryptionType></BlockedEncryptionTypes>"
    body = f"<ServerSideEncryptionConfiguration><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>".encode()
    assert place.send("PUT", f"/{bucket}?encryption", place.md5(body), body).status == 200


@pytest.fixture
def open_bucket(place: Place, bucket: str) -> str:
    """Give a bucket that takes customer keys."""
    allow(place, bucket)
    return bucket


def put(place: Place, bucket: str, headers: Headers, key: str = "k", body: bytes = DATA) -> Reply:
    """Write an object."""
    return place.send("PUT", f"/{bucket}/{key}", headers, body)


def get(place: Place, bucket: str, headers: Headers, key: str = "k", method: str = "GET") -> Reply:
    """Read an object."""
    return place.send(method, f"/{bucket}/{key}", headers)


def test_an_object_opens_with_its_key_only(place: Place, open_bucket: str) -> None:
    """Whole, in ranges and by HEAD; answers repeat the key's MD5, and never name another encryption."""
    stored = put(place, open_bucket, named())
    assert stored.status == 200
    for reply in (stored, get(place, open_bucket, named()), get(place, open_bucket, named(), method="HEAD")):
        assert reply.headers[f"{PREFIX}algorithm"] == "AES256"
        assert reply.headers[f"{PREFIX}key-md5"] == named()[f"{PREFIX}key-md5"]
        assert SSE not in reply.headers
        assert reply.headers["etag"] == stored.headers["etag"]
    assert stored.headers["etag"] != f'"{hashlib.md5(DATA).hexdigest()}"'
    assert get(place, open_bucket, named()).body == DATA
    part = get(place, open_bucket, named() | {"range": "bytes=262140-262150"})
    assert (part.status, part.body) == (206, DATA[262140:262151])
    without, wrong = get(place, open_bucket, {}), get(place, open_bucket, named(OTHER))
    assert (without.status, without.code) == (400, "InvalidRequest")
    assert without.message.startswith("The object was stored using a form of Server Side Encryption.")
    assert (wrong.status, wrong.code) == (403, "AccessDenied")
    assert wrong.message.endswith("must provide the correct secret key.")
    no_digest = {name: value for name, value in named().items() if not name.endswith("md5")}
    assert get(place, open_bucket, no_digest).code == "AccessDenied"
    assert [get(place, open_bucket, headers, method="HEAD").status for headers in ({}, named(OTHER))] == [400, 403]


def test_what_reads_attributes_needs_the_key_too(place: Place, open_bucket: str) -> None:
    """Lists and deletes do not."""
    put(place, open_bucket, named())
    path, asked = f"/{open_bucket}/k?attributes", {"x-amz-object-attributes": "ETag,Checksum"}
    assert place.send("GET", path, asked).code == "InvalidRequest"
    assert place.send("GET", path, asked | named(OTHER)).code == "AccessDenied"
    assert place.send("GET", path, asked | named()).text("ChecksumType") == "FULL_OBJECT"
    assert place.s3().list_objects_v2(Bucket=open_bucket)["KeyCount"] == 1
    assert place.send("DELETE", f"/{open_bucket}/k").status == 204


def test_new_buckets_block_it(place: Place, bucket: str) -> None:
    """Until the bucket's setting says otherwise; objects that are there are read as before."""
    shown = place.send("GET", f"/{bucket}?encryption")
    assert shown.text("EncryptionType") == "SSE-C"
    for _ in range(2):
        refused = put(place, bucket, named())
        assert (refused.status, refused.code) == (403, "AccessDenied")
        assert place.send("POST", f"/{bucket}/k?uploads", named()).code == "AccessDenied"
        allow(place, bucket)
        assert place.send("GET", f"/{bucket}?encryption").text("EncryptionType") == "NONE"
        assert put(place, bucket, named()).status == 200
        allow(place, bucket, "SSE-C")
        assert get(place, bucket, named()).body == DATA
        place.send("DELETE", f"/{bucket}?encryption")


def test_blocking_ends_uploads_under_way(place: Place, open_bucket: str) -> None:
    """Their parts bring a customer key, which the bucket no longer takes; without a key they can be completed."""
    path = f"/{open_bucket}/k"
    upload = place.send("POST", f"{path}?uploads", named()).text("UploadId")
    target = f"{path}?uploadId={upload}"
    etag = place.send("PUT", f"{target}&partNumber=1", named(), DATA).headers["etag"]
    allow(place, open_bucket, "SSE-C")
    for headers in (named(), named() | {"x-amz-copy-source": f"{open_bucket}/other"}):
        refused = place.send("PUT", f"{target}&partNumber=2", headers, b"x" if len(headers) == 3 else b"")
        assert (refused.status, refused.code) == (403, "AccessDenied")
        assert "is blocked by the encryption setting of this bucket" in refused.message
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    assert place.send("POST", target, named(), body).code == "AccessDenied"
    assert place.send("POST", target, {}, body).status == 200
    assert get(place, open_bucket, named()).body == DATA


def test_the_setting_is_on_the_record(place: Place, open_bucket: str) -> None:
    """A record of PutBucketEncryption says whether customer keys are taken, and whether bucket keys are used."""
    for kind, taken in (("SSE-C", False), ("NONE", True)):
        allow(place, open_bucket, kind)
        facts = place.last_record().draft["facts"]
        assert (facts["customerKeys"], facts["bucketKey"]) == (taken, False)


NEEDS = "Requests specifying Server Side Encryption with Customer provided keys must provide"
WRONG = [
    ({f"{PREFIX}algorithm": "KMS"}, "InvalidEncryptionAlgorithmError", "The Encryption request you specified is not"),
    ({f"{PREFIX}algorithm": ""}, "InvalidArgument", f"{NEEDS} a valid encryption algorithm."),
    ({f"{PREFIX}key": ""}, "InvalidArgument", f"{NEEDS} an appropriate secret key."),
    ({f"{PREFIX}key": base64.b64encode(KEY[:16]).decode()}, "InvalidArgument", "The secret key was invalid for the"),
    ({f"{PREFIX}key": "!" * 44}, "InvalidArgument", "The secret key was invalid for the specified algorithm."),
    ({f"{PREFIX}key-md5": named(OTHER)[f"{PREFIX}key-md5"]}, "InvalidArgument", "The calculated MD5 hash of the key"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "message"), WRONG)
def test_wrong_headers_are_refused(
    place: Place, open_bucket: str, changes: dict[str, str], code: str, message: str
) -> None:
    """On writes, reads and the creation of uploads alike; nothing is stored."""
    path = f"/{open_bucket}/k"
    for method, target, body in (("PUT", path, DATA), ("POST", f"{path}?uploads", b""), ("GET", path, b"")):
        reply = place.send(method, target, named() | changes, body)
        assert (reply.status, reply.code) == (400, code)
        assert reply.message.startswith(message)
    assert get(place, open_bucket, {}).code == "NoSuchKey"


def test_headers_that_do_not_fit_together(place: Place, open_bucket: str) -> None:
    """A write needs the digest, and no other encryption; a key for an object that has none is refused."""
    no_digest = {name: value for name, value in named().items() if not name.endswith("md5")}
    assert put(place, open_bucket, no_digest).message == "The secret key was invalid for the specified algorithm."
    both = put(place, open_bucket, named() | {SSE: "AES256"})
    assert (both.code, both.text("ArgumentValue")) == ("InvalidArgument", "AES256")
    assert both.message.startswith("Server Side Encryption with Customer provided key is incompatible")
    put(place, open_bucket, {})
    for method in ("GET", "HEAD"):
        assert get(place, open_bucket, named(), method=method).status == 400
    assert get(place, open_bucket, named()).message == "The encryption parameters are not applicable to this object."


def test_copies_from_and_to_customer_keys(place: Place, open_bucket: str) -> None:
    """Each side has its own headers; without those of the source nothing is copied."""
    put(place, open_bucket, named())
    source = {"x-amz-copy-source": f"{open_bucket}/k"}

    def copy(headers: Headers) -> Reply:
        return place.send("PUT", f"/{open_bucket}/copy", source | dict(headers))

    assert copy({}).code == "InvalidRequest"
    assert copy(named()).code == "InvalidRequest"
    assert copy(named(OTHER, SOURCE)).code == "AccessDenied"
    assert copy(named(KEY, SOURCE) | {f"{SOURCE}algorithm": "KMS"}).code == "InvalidEncryptionAlgorithmError"
    assert get(place, open_bucket, {}, "copy").status == 404
    plain = copy(named(KEY, SOURCE))
    assert (plain.status, plain.headers[SSE]) == (200, "AES256")
    assert get(place, open_bucket, {}, "copy").body == DATA
    again = copy(named(KEY, SOURCE) | named(OTHER))
    assert again.headers[f"{PREFIX}key-md5"] == named(OTHER)[f"{PREFIX}key-md5"]
    assert get(place, open_bucket, named(OTHER), "copy").body == DATA
    assert get(place, open_bucket, named(KEY), "copy").code == "AccessDenied"


def test_uploads_in_parts(place: Place, open_bucket: str) -> None:
    """Each part brings the key of the creation; the completion need not."""
    path = f"/{open_bucket}/k"
    first, last = os.urandom(5 * 1024 * 1024), b"the end"
    plain = place.send("POST", f"{path}?uploads").text("UploadId")
    step = place.send("PUT", f"{path}?partNumber=1&uploadId={plain}", named(), b"x")
    assert (step.code, step.message[:44]) == ("InvalidRequest", "The multipart upload initiate requested encr")
    upload = place.send("POST", f"{path}?uploads", named()).text("UploadId")
    target = f"{path}?uploadId={upload}"
    assert place.send("PUT", f"{target}&partNumber=1", {}, b"x").message == step.message
    other = place.send("PUT", f"{target}&partNumber=1", named(OTHER), b"x")
    assert other.message == "The provided encryption parameters did not match the ones used originally."
    parts = ""
    for number, data in ((1, first), (2, last)):
        done = place.send("PUT", f"{target}&partNumber={number}", named(), data)
        assert done.headers[f"{PREFIX}key-md5"] == named()[f"{PREFIX}key-md5"]
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{done.headers['etag']}</ETag></Part>"
    put(place, open_bucket, named(OTHER), "source", b"copied " * 10)
    from_other = {"x-amz-copy-source": f"{open_bucket}/source"} | named(OTHER, SOURCE)
    assert place.send("PUT", f"{target}&partNumber=3", from_other).message == step.message
    copied = place.send("PUT", f"{target}&partNumber=3", from_other | named())
    assert copied.status == 200, copied.body
    assert place.send("GET", target).status == 200
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert place.send("POST", target, named(OTHER), body).code == "InvalidRequest"
    complete = place.send("POST", target, {}, body)
    assert complete.status == 200, complete.body
    assert not [name for name in complete.headers if name.startswith((PREFIX, SSE))]
    assert get(place, open_bucket, named()).body == first + last
    assert get(place, open_bucket, {}).code == "InvalidRequest"


def test_the_key_is_nowhere_kept(place: Place, open_bucket: str) -> None:
    """Neither the key nor the plaintext is in any file of the server; KMS is not asked, and the log has the write."""
    put(place, open_bucket, named())
    request = put(place, open_bucket, named()).headers["x-amz-request-id"]
    get(place, open_bucket, named())
    get(place, open_bucket, named(OTHER))
    needles = (KEY, base64.b64encode(KEY), KEY.hex().encode(), base64.b64encode(OTHER), DATA[:16], DATA[1000:1016])
    files = [path for path in Path(place.settings.data).rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        held = path.read_bytes()
        assert not [needle for needle in needles if needle in held], path
    before, after = place.drafts(request)  # the write is on the record before it is made
    assert (before["about"], before["facts"]["encryption"]) == ("change", "SSE-C")
    assert "etag" in after["facts"]
    assert "keyArn" not in before["facts"].keys() | after["facts"].keys()
    given = customer_key.parse({name.encode(): value.encode() for name, value in named().items()})
    assert base64.b64encode(KEY).decode() not in repr(given)
    assert repr(KEY) not in repr(given)


def test_a_data_key_opens_for_its_key_and_context_only() -> None:
    """And each wrapping is another one."""
    data_key, context = os.urandom(32), {"aws:s3:arn": "arn:aws:s3:::b/k"}
    wrapped = wrapping.wrap(KEY, data_key, context)
    assert wrapping.unwrap(KEY, wrapped, context) == data_key
    assert wrapping.wrap(KEY, data_key, context) != wrapped
    changed = bytes((wrapped[0] ^ 1,)) + wrapped[1:]
    for key, blob, pairs in (
        (OTHER, wrapped, context), (KEY, wrapped, {}), (KEY, changed, context), (KEY, wrapped[:-1], context),
        (KEY, b"", context),
    ):  # fmt: skip
        with pytest.raises(TamperedError):
            wrapping.unwrap(key, blob, pairs)
