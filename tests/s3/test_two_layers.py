"""DSSE-KMS: two layers of encryption, each under a data key of its own; all else is as with SSE-KMS."""

import base64
import hashlib
import os
from typing import Any

import pytest

from fuin.envelope.reader import Reader
from fuin.envelope.stream import Opener, parse_header
from tests.s3.test_encryption import default
from tests.support.place import Place, Reply
from tests.support.policies import allow

SSE, DSSE = "x-amz-server-side-encryption", "aws:kms:dsse"
FRAME = 256 * 1024
DATA = os.urandom(2_500_000)
SIZES = [0, 1, FRAME - 500, FRAME - 33, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, len(DATA)]


@pytest.fixture
def new_key(place: Place) -> str:
    """Give the ARN of a KMS key of this test's own."""
    return place.new_key()


@pytest.fixture
def layered(place: Place, bucket: str, new_key: str) -> str:
    """Give a bucket whose default encryption is DSSE-KMS under the test's key; a bucket key has no effect."""
    default(place, bucket, DSSE, new_key, BucketKeyEnabled=True)
    return bucket


def put(place: Place, bucket: str, key: str = "k", body: bytes = DATA, **options: Any) -> Reply:
    """Write an object."""
    return place.send("PUT", f"/{bucket}/{key}", options.pop("headers", {}), body, **options)


def get(place: Place, bucket: str, key: str = "k", **options: Any) -> Reply:
    """Read an object."""
    return place.send(options.pop("method", "GET"), f"/{bucket}/{key}", options.pop("headers", {}), **options)


def uses(place: Place, reply: Reply) -> list[tuple[str, str, dict[str, str]]]:
    """Return the uses of KMS keys that the records of a request hold."""
    drafts = place.drafts(reply.headers["x-amz-request-id"])
    return [(draft["use"], draft["key"], draft["context"]) for draft in drafts if "use" in draft]


def test_answers_and_records(place: Place, layered: str, new_key: str) -> None:
    """The header's name, the key's ARN, no bucket key; two uses of the KMS key to write and two to read."""
    context = {"aws:s3:arn": f"arn:aws:s3:::{layered}/k"}
    stored = put(place, layered)
    fetched, head = get(place, layered), get(place, layered, method="HEAD")
    for reply in (stored, fetched, head):
        assert (reply.status, reply.headers[SSE]) == (200, DSSE)
        assert reply.headers[f"{SSE}-aws-kms-key-id"] == new_key
        assert f"{SSE}-bucket-key-enabled" not in reply.headers
        assert reply.headers["etag"] == stored.headers["etag"]
    assert fetched.body == DATA
    assert hashlib.md5(DATA).hexdigest() not in stored.headers["etag"]
    assert uses(place, stored) == [("kms:GenerateDataKey", new_key, context)] * 2
    assert uses(place, fetched) == [("kms:Decrypt", new_key, context)] * 2
    assert uses(place, head) == []
    *_, written = place.drafts(stored.headers["x-amz-request-id"])
    assert (written["facts"]["encryption"], written["facts"]["keyArn"]) == (DSSE, new_key)
    assert len(place.drafts(fetched.headers["x-amz-request-id"])) == 2, "the second use has all that is known"
    rule = place.send("GET", f"/{layered}?encryption")
    assert (rule.text("SSEAlgorithm"), rule.text("KMSMasterKeyID")) == (DSSE, new_key)


@pytest.mark.parametrize("size", SIZES)
def test_all_sizes_and_ranges(place: Place, layered: str, size: int) -> None:
    """Objects come back whole and in ranges, also at the edges of the frames of both layers."""
    body = DATA[:size]
    put(place, layered, body=body)
    assert get(place, layered).body == body
    edges = {0, 1, size // 2, size - 1, FRAME - 600, FRAME - 33, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 4 * FRAME}
    for first in sorted(edge for edge in edges if 0 <= edge < size):
        for length in (1, 40, FRAME, 5 * FRAME):
            part = get(place, layered, headers={"range": f"bytes={first}-{first + length - 1}"})
            assert (part.status, part.body == body[first : first + length]) == (206, True), (first, length)


def test_what_lies_on_the_disk(place: Place, layered: str, new_key: str) -> None:
    """Two messages, one in the other, with different data keys; neither the plaintext nor the inner one shows."""
    before = set(place.blobs())
    put(place, layered)
    (blob,) = set(place.blobs()) - before
    raw = blob.read_bytes()
    assert DATA[:16] not in raw
    keys = []
    for _ in range(2):
        header = parse_header(raw)
        (entry,) = header.encrypted_data_keys
        assert (entry.provider, entry.info) == ("aws-kms", new_key.encode())
        assert header.context == {"aws:s3:arn": f"arn:aws:s3:::{layered}/k"}
        opened = place.kms().decrypt(CiphertextBlob=entry.ciphertext, EncryptionContext=header.context)
        keys.append(opened["Plaintext"])
        reader = Reader(Opener(header, keys[-1]))
        raw = b"".join(bytes(piece) for piece in reader.feed(memoryview(raw)[header.length :]))
        reader.finish()
    assert raw == DATA
    assert keys[0] != keys[1]


def test_the_key_stops_everything(place: Place, layered: str, new_key: str) -> None:
    """A disabled key, and a caller without the right: nothing is read or written."""
    user = place.add_user(allow("s3:*", "kms:GenerateDataKey"))
    assert put(place, layered, user=user).status == 200
    assert get(place, layered, user=user).code == "AccessDenied"
    place.set_policy(user, allow("s3:*", "kms:Decrypt"))
    assert get(place, layered, user=user).body == DATA
    assert put(place, layered, user=user).code == "AccessDenied"
    checksum = {"x-amz-checksum-mode": "ENABLED"}
    place.set_policy(user, allow("s3:*"))
    assert get(place, layered, method="HEAD", user=user).status == 200
    assert get(place, layered, method="HEAD", headers=checksum, user=user).status == 403
    place.kms().disable_key(KeyId=new_key)
    assert [put(place, layered).code, get(place, layered).code] == ["KMS.DisabledException"] * 2
    assert get(place, layered, headers={}, method="HEAD").status == 200


def test_without_a_key_it_is_the_managed_one(place: Place, bucket: str) -> None:
    """As SSE-KMS; a request that names DSSE-KMS alone, and one with a context."""
    context = base64.b64encode(b'{"tenant":"7"}').decode()
    stored = put(place, bucket, headers={SSE: DSSE, f"{SSE}-context": context})
    managed = place.kms().describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    assert stored.headers[f"{SSE}-aws-kms-key-id"] == managed
    assert base64.b64decode(stored.headers[f"{SSE}-context"]) == b'{"tenant":"7"}'
    assert {use[2]["tenant"] for use in uses(place, get(place, bucket))} == {"7"}
    default(place, bucket, DSSE)
    assert put(place, bucket).headers[f"{SSE}-aws-kms-key-id"] == managed
    place.put_policy(bucket, {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                              "Resource": f"arn:aws:s3:::{bucket}/*"})  # fmt: skip
    assert "require AWS Signature Version 4" in place.raw("GET", f"/{bucket}/k", {}).message


def test_copies_between_schemes(place: Place, layered: str) -> None:
    """In each direction the bytes stay, and each copy has the encryption that was asked for."""
    put(place, layered)
    other = place.bucket()
    steps = [
        (layered, "k", other, {}), (other, "k", layered, {}), (layered, "k", other, {SSE: "aws:kms"}),
        (other, "k", other, {SSE: DSSE}), (other, "k", layered, {SSE: "aws:kms", f"{SSE}-bucket-key-enabled": "true"}),
        (layered, "k", layered, {SSE: DSSE}),
    ]  # fmt: skip
    for source, key, target, headers in steps:
        done = place.send("PUT", f"/{target}/{key}", {"x-amz-copy-source": f"{source}/{key}", **headers})
        assert done.headers[SSE] == headers.get(SSE, DSSE if target == layered else "AES256")
        assert get(place, target).body == DATA


def test_uploads_in_parts(place: Place, layered: str, new_key: str) -> None:
    """Each part is sealed in two layers under the upload's keys, which need kms:Decrypt; whole, parts and ranges."""
    user = place.add_user(allow("s3:*", "kms:GenerateDataKey", "kms:Decrypt"))
    path, first, last = f"/{layered}/parts", os.urandom(5 * 1024 * 1024), b"the end"
    created = place.send("POST", f"{path}?uploads", user=user)
    assert (created.headers[SSE], len(uses(place, created))) == (DSSE, 2)
    target = f"{path}?uploadId={created.text('UploadId')}"
    parts = ""
    for number, data in ((1, first), (2, last)):
        done = place.send("PUT", f"{target}&partNumber={number}", {}, data, user=user)
        assert (done.headers[SSE], [use[0] for use in uses(place, done)]) == (DSSE, ["kms:Decrypt"] * 2)
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{done.headers['etag']}</ETag></Part>"
    put(place, layered)
    copied = place.send("PUT", f"{target}&partNumber=3", {"x-amz-copy-source": f"{layered}/k"}, user=user)
    assert copied.status == 200
    place.set_policy(user, allow("s3:*", "kms:GenerateDataKey"))
    assert place.send("PUT", f"{target}&partNumber=2", {}, last, user=user).code == "AccessDenied"
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    complete = place.send("POST", target, {SSE: DSSE}, body, user=user)
    assert (complete.status, complete.headers[SSE]) == (200, DSSE)
    assert get(place, layered, "parts").body == first + last
    assert place.send("GET", f"{path}?partNumber=2").body == last
    part = get(place, layered, "parts", headers={"range": f"bytes={len(first) - 3}-{len(first) + 2}"})
    assert part.body == (first + last)[len(first) - 3 : len(first) + 3]


@pytest.mark.parametrize("at", [0.0, 0.01, 0.5, 0.999999])
def test_a_changed_byte_is_never_served(place: Place, layered: str, at: float) -> None:
    """In a header or a frame of the outer message: an error, or an answer that breaks off, and no wrong byte."""
    before = set(place.blobs())
    put(place, layered)
    (blob,) = set(place.blobs()) - before
    raw = bytearray(blob.read_bytes())
    raw[int(at * len(raw))] ^= 1
    blob.write_bytes(raw)
    with place.connection() as connection:
        connection.request("GET", f"/{layered}/k", headers=place.signed("GET", f"/{layered}/k"))
        answer = connection.getresponse()
        if answer.status == 200:
            with pytest.raises(Exception):  # noqa: B017, PT011 - the connection ends in its middle
                answer.read()
        else:
            assert (answer.status, DATA[:16] in answer.read()) == (500, False)
    blob.write_bytes(raw[:-1])
    assert get(place, layered).status == 500


def test_swapped_layers_do_not_open(place: Place, layered: str) -> None:
    """The data keys of the layers are not each other's, and not those of another object."""
    put(place, layered)
    place.sql("UPDATE objects SET encryption = json_set(encryption, '$.blob', json_extract(encryption, '$.inner'), "
              "'$.inner', json_extract(encryption, '$.blob')) WHERE bucket = :b", b=layered)  # fmt: skip
    assert get(place, layered).status == 500
    put(place, layered)
    put(place, layered, "other")
    place.sql("UPDATE objects SET encryption = (SELECT encryption FROM objects WHERE bucket = :b AND key = :from) "
              "WHERE bucket = :b AND key = :to", **{"b": layered, "from": b"other", "to": b"k"})  # fmt: skip
    assert get(place, layered).status == 400  # KMS.InvalidCiphertextException: another context
