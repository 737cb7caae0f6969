"""Server-side encryption: what is chosen and answered, whose right to the key counts, what lies on the disk."""

import base64
import json
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.envelope.stream import parse_header
from fuin.settings import SMALL_OBJECT
from tests.support.place import ACCOUNT, Place, error_of
from tests.support.policies import allow

_RULE = "<Rule><ApplyServerSideEncryptionByDefault>{}</ApplyServerSideEncryptionByDefault></Rule>"
KMS = {"ServerSideEncryption": "aws:kms"}


def put(place: Place, bucket: str, **members: Any) -> dict[str, Any]:
    """Put an object `k` as the account's root."""
    done: dict[str, Any] = place.s3().put_object(Bucket=bucket, Key="k", Body=b"plaintext", **members)
    return done


def default(place: Place, bucket: str, algorithm: str, key: str | None = None, **rule: Any) -> None:
    """Set the bucket's default encryption."""
    chosen = {"SSEAlgorithm": algorithm} | ({"KMSMasterKeyID": key} if key else {})
    place.s3().put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": chosen, **rule}]},
    )


def test_key_is_answered_as_arn_whatever_was_sent(place: Place, bucket: str, key: str) -> None:
    """Key id, ARN and alias all come back as the key's ARN; the ETag is not the MD5 and never repeats."""
    place.kms().create_alias(AliasName=f"alias/{bucket}", TargetKeyId=key)
    etags = set()
    for name in (key, key.rpartition("/")[2], f"alias/{bucket}", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/{bucket}"):
        done = put(place, bucket, **KMS, SSEKMSKeyId=name)
        assert done["ServerSideEncryption"] == "aws:kms"
        assert done["SSEKMSKeyId"] == key
        assert "BucketKeyEnabled" not in done
        etags.add(done["ETag"])
    assert len(etags) == 4
    got = place.s3().head_object(Bucket=bucket, Key="k")
    assert (got["ServerSideEncryption"], got["SSEKMSKeyId"]) == ("aws:kms", key)


def test_no_key_means_the_managed_key(place: Place, bucket: str) -> None:
    """aws:kms without a key uses alias/aws/s3, made on first use, the same for all buckets."""
    first, second = put(place, bucket, **KMS), put(place, place.bucket(), **KMS)
    assert first["SSEKMSKeyId"] == second["SSEKMSKeyId"]
    managed = place.kms().describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (managed["Arn"], managed["KeyManager"]) == (first["SSEKMSKeyId"], "AWS")


def test_bucket_default_and_request_header(place: Place, bucket: str, key: str) -> None:
    """The default applies without a header; a header wins, and without a key id takes aws/s3, not the bucket's key."""
    default(place, bucket, "aws:kms", key)
    assert put(place, bucket)["SSEKMSKeyId"] == key
    assert put(place, bucket, **KMS)["SSEKMSKeyId"] != key
    done = put(place, bucket, ServerSideEncryption="AES256")
    assert done["ServerSideEncryption"] == "AES256"
    assert "SSEKMSKeyId" not in done


def test_bare_key_id_as_default_is_the_buckets_own_key(place: Place, bucket: str, key: str) -> None:
    """A bare id in the default is given back as it was put, and completed to the bucket's account when used."""
    default(place, bucket, "aws:kms", key.rpartition("/")[2], BucketKeyEnabled=True)
    rule = place.s3().get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key.rpartition("/")[2]
    assert rule["BucketKeyEnabled"] is True
    done = put(place, bucket)
    assert done["SSEKMSKeyId"] == key
    assert done["BucketKeyEnabled"] is True


def test_new_bucket_is_encrypted(place: Place, bucket: str) -> None:
    """A new bucket says AES256, as it does after its configuration was deleted."""
    default(place, bucket, "aws:kms")
    place.s3().delete_bucket_encryption(Bucket=bucket)
    place.s3().delete_bucket_encryption(Bucket=bucket)
    (rule,) = place.s3().get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert rule["BucketKeyEnabled"] is False


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("", "MalformedXML"),
        ("<Rule><A/></Rule>", "MalformedXML"),
        ("<Rule/><Rule/>", "MalformedXML"),
        ("<Rule><ApplyServerSideEncryptionByDefault/></Rule>", "MalformedXML"),
        ("<Rule><BucketKeyEnabled>maybe</BucketKeyEnabled></Rule>", "MalformedXML"),
        (_RULE.format("<SSEAlgorithm>aws:kms:thrice</SSEAlgorithm>"), "MalformedXML"),
        (_RULE.format("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>x</KMSMasterKeyID>"), "InvalidArgument"),
        ("<Rule><BlockedEncryptionTypes><EncryptionType>X</EncryptionType></BlockedEncryptionTypes></Rule>",
         "MalformedXML"),
    ],
)  # fmt: skip
def test_wrong_configurations(place: Place, bucket: str, rules: str, code: str) -> None:
    """Anything but one known rule is refused."""
    body = f"<ServerSideEncryptionConfiguration>{rules}</ServerSideEncryptionConfiguration>".encode()
    reply = place.send("PUT", f"/{bucket}?encryption", place.md5(body), body)
    assert reply.code == code


def test_configuration_needs_a_digest(place: Place, bucket: str) -> None:
    """A configuration without Content-MD5 or checksum is refused, as its model says."""
    reply = place.send("PUT", f"/{bucket}?encryption", {}, b"<ServerSideEncryptionConfiguration/>")
    assert (reply.status, reply.code) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-amz-server-side-encryption": "aws:kms:thrice"}, 400, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "rot13"}, 400, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "AES256", "x-amz-server-side-encryption-aws-kms-key-id": "x"}, 400,
         "InvalidArgument"),
        ({"x-amz-server-side-encryption-aws-kms-key-id": "x"}, 400, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-context": "e30"}, 400,
         "InvalidArgument"),
        ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-context":
          base64.b64encode(b'{"a":1}').decode()}, 400, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-context":
          base64.b64encode(b'{"aws:s3:arn":"arn:aws:s3:::other/k"}').decode()}, 400, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-bucket-key-enabled": "x"}, 400,
         "InvalidArgument"),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, 400, "InvalidArgument"),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256", "x-amz-server-side-encryption": "AES256"}, 400,
         "InvalidArgument"),
    ],
)  # fmt: skip
def test_wrong_encryption_headers(place: Place, bucket: str, headers: dict[str, str], status: int, code: str) -> None:
    """What cannot be done is refused, and nothing is stored under another encryption instead."""
    reply = place.send("PUT", f"/{bucket}/k", headers, b"x")
    assert (reply.status, reply.code) == (status, code)
    assert place.send("GET", f"/{bucket}/k").status == 404


def test_encryption_header_on_a_read_is_refused(place: Place, bucket: str) -> None:
    """A GET or HEAD that names an encryption is 400."""
    put(place, bucket)
    for method in ("GET", "HEAD"):
        assert place.send(method, f"/{bucket}/k", {"x-amz-server-side-encryption": "AES256"}).status == 400


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("no-key-form", "KMS.NotFoundException", "Invalid keyId 'no-key-form'"),
        ("11111111-2222-3333-4444-555555555555", "KMS.NotFoundException",
         f"Key 'arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555' does not exist"),
        (f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555", "KMS.NotFoundException",
         "Invalid arn eu-west-1"),
    ],
)  # fmt: skip
def test_kms_errors_reach_the_client(place: Place, bucket: str, name: str, code: str, message: str) -> None:
    """KMS's errors are S3's with `KMS.` before their code, with KMS's texts."""
    for call in (place.s3().put_object, place.s3().create_multipart_upload):
        with pytest.raises(ClientError) as error:
            call(Bucket=bucket, Key="k", **KMS, SSEKMSKeyId=name)
        assert error_of(error.value) == (400, code, message)


def test_disabling_the_key_stops_reads_and_writes(place: Place, bucket: str) -> None:
    """DisableKey and ScheduleKeyDeletion refuse the very next request, and enabling brings the object back."""
    allowed = [{"TagKey": "fuin:allow-deletion-with-dependents", "TagValue": "true"}]
    key, s3, kms = place.new_key(Tags=allowed), place.s3(), place.kms()
    put(place, bucket, **KMS, SSEKMSKeyId=key)
    steps = [
        (kms.disable_key, "KMS.DisabledException", f"{key} is disabled."),
        (kms.schedule_key_deletion, "KMS.KMSInvalidStateException", f"{key} is pending deletion."),
    ]
    for step, code, message in steps:
        step(KeyId=key)
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=bucket, Key="k")
        assert error_of(error.value) == (400, code, message)
        with pytest.raises(ClientError) as error:
            put(place, bucket, **KMS, SSEKMSKeyId=key)
        assert error_of(error.value)[1] == code
        assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 9
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"plaintext"


def test_writer_needs_generate_data_key_and_nothing_else(place: Place, bucket: str, key: str) -> None:
    """s3:PutObject and kms:GenerateDataKey let a user write; kms:Encrypt was never needed."""
    writer = place.add_user(allow("s3:PutObject", "kms:GenerateDataKey"))
    place.s3(writer).put_object(Bucket=bucket, Key="k", Body=b"plaintext", **KMS, SSEKMSKeyId=key)
    with pytest.raises(ClientError) as error:
        place.s3(writer).get_object(Bucket=bucket, Key="k")
    assert error_of(error.value)[:2] == (403, "AccessDenied")
    place.set_policy(writer, allow("s3:GetObject", "kms:GenerateDataKey"))
    with pytest.raises(ClientError) as error:
        place.s3(writer).get_object(Bucket=bucket, Key="k")
    status, code, message = error_of(error.value)
    assert (status, code) == (403, "AccessDenied")
    assert "kms:Decrypt" in message
    assert key in message


def test_encrypt_does_not_help_and_the_message_says_so(place: Place, bucket: str, key: str) -> None:
    """A user with kms:Encrypt is refused with the missing permission, the key, and a hint."""
    user = place.add_user(allow("s3:PutObject", "kms:Encrypt"))
    with pytest.raises(ClientError) as error:
        place.s3(user).put_object(Bucket=bucket, Key="k", Body=b"x", **KMS, SSEKMSKeyId=key)
    status, code, message = error_of(error.value)
    assert (status, code) == (403, "AccessDenied")
    assert f"is not authorized to perform: kms:GenerateDataKey on resource: {key}" in message
    assert "kms:Encrypt, which is allowed, does not help" in message
    place.set_policy(user, allow("s3:PutObject"))
    with pytest.raises(ClientError) as error:
        place.s3(user).put_object(Bucket=bucket, Key="k", Body=b"x", **KMS, SSEKMSKeyId=key)
    assert "kms:Encrypt" not in error_of(error.value)[2]


def test_right_to_the_key_can_depend_on_the_object(place: Place, bucket: str, key: str) -> None:
    """kms:EncryptionContext:aws:s3:arn and kms:ViaService let a policy bind a key to a bucket and to S3."""
    policy = allow("s3:*")
    policy["Statement"].append({
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/in/*"},
                      "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
    })  # fmt: skip
    user = place.add_user(policy)
    s3 = place.s3(user)
    s3.put_object(Bucket=bucket, Key="in/k", Body=b"x", **KMS, SSEKMSKeyId=key)
    assert s3.get_object(Bucket=bucket, Key="in/k")["Body"].read() == b"x"
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="out/k", Body=b"x", **KMS, SSEKMSKeyId=key)
    with pytest.raises(ClientError):
        place.kms(user).generate_data_key(KeyId=key, KeySpec="AES_256")


def test_clients_context_is_bound_and_kept(place: Place, bucket: str, key: str) -> None:
    """The pairs of the -context header join aws:s3:arn in KMS, and copies do not inherit them."""
    context = base64.b64encode(json.dumps({"tenant": "7"}).encode()).decode()
    done = put(place, bucket, **KMS, SSEKMSKeyId=key, SSEKMSEncryptionContext=context)
    assert json.loads(base64.b64decode(done["SSEKMSEncryptionContext"])) == {"tenant": "7"}
    got = place.s3().get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"plaintext"
    assert "SSEKMSEncryptionContext" not in got
    request_id = got["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    (record,) = place.drafts(request_id)
    assert record["facts"]["context"] == {"tenant": "7", "aws:s3:arn": f"arn:aws:s3:::{bucket}/k"}


def test_anonymous_readers_never_reach_kms_objects(place: Place, bucket: str) -> None:
    """A public bucket gives SSE-S3 objects to everybody, KMS objects to nobody without a signature."""
    everything = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    place.put_policy(bucket, everything)
    put(place, bucket, ServerSideEncryption="AES256")
    assert place.raw("GET", f"/{bucket}/k", {}).body == b"plaintext"
    put(place, bucket, **KMS)
    place.put_policy(bucket, everything | {"Action": ["s3:GetObject", "s3:PutObject"]})
    for method, headers in (("GET", {}), ("PUT", {"x-amz-server-side-encryption": "aws:kms"})):
        reply = place.raw(method, f"/{bucket}/k", headers)
        assert (reply.status, reply.code) == (400, "InvalidArgument")
        assert "require AWS Signature Version 4" in reply.message


def test_checksum_of_a_kms_object_needs_decrypt(place: Place, bucket: str, key: str) -> None:
    """HEAD needs no key; HEAD with the checksum does."""
    put(place, bucket, **KMS, SSEKMSKeyId=key)
    user = place.add_user(allow("s3:GetObject"))
    assert place.s3(user).head_object(Bucket=bucket, Key="k")["ContentLength"] == 9
    with pytest.raises(ClientError) as error:
        place.s3(user).head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert error_of(error.value)[0] == 403


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_stored_bytes_are_ciphertext(place: Place, bucket: str, algorithm: str) -> None:
    """No piece of the plaintext lies on the disk; the header holds the key's ARN and the object's."""
    data = os.urandom(64) * 20_000
    before = set(place.blobs())
    place.s3().put_object(Bucket=bucket, Key="k", Body=data, ServerSideEncryption=algorithm)
    (blob,) = set(place.blobs()) - before
    raw = blob.read_bytes()
    assert all(data[start : start + 16] not in raw for start in range(64))
    header = parse_header(raw)
    assert header.context == {"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"}
    assert header.message_id.hex() == blob.name
    assert len(header.encrypted_data_keys) == 1
    assert oct(blob.stat().st_mode & 0o777) == "0o600"


def test_service_key_of_sse_s3_is_not_for_callers(place: Place, bucket: str) -> None:
    """The encrypted data key of an SSE-S3 object does not open through the API, not even for the account's root."""
    before = set(place.blobs())
    place.s3().put_object(Bucket=bucket, Key="k", Body=bytes(SMALL_OBJECT + 1))
    (blob,) = set(place.blobs()) - before
    header = parse_header(blob.read_bytes())
    with pytest.raises(ClientError):
        place.kms().decrypt(CiphertextBlob=header.encrypted_data_keys[0].ciphertext, EncryptionContext=header.context)


def test_every_request_is_recorded(place: Place, bucket: str, key: str) -> None:
    """A PUT leaves the use of the key and its own record; a refusal leaves its code and the decision."""
    done = put(place, bucket, **KMS, SSEKMSKeyId=key)
    use, own = place.drafts(done["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"])
    assert use["use"] == "kms:GenerateDataKey"
    assert own["operation"] == "s3:PutObject"
    facts = own["facts"]
    assert (facts["bucket"], facts["key"], facts["keyArn"]) == (bucket, "k", key)
    assert (facts["encryption"], facts["encryptionChosenBy"]) == ("aws:kms", "request header")
    assert (facts["plaintextBytes"], facts["frameLength"]) == (9, 262_144)
    assert facts["storedBytes"] > 9
    user = place.add_user(allow("kms:*"))
    reply = place.send("PUT", f"/{bucket}/k", {}, b"x", user=user)
    (refusal,) = place.drafts(reply.headers["x-amz-request-id"])
    assert refusal["error"] == "AccessDenied"
    assert refusal["decisions"][-1]["allowed"] is False
