"""Everything that a client can make the server do: each built operation once or more, and the ways to fail."""

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

MIB = 1024 * 1024


class Exercise:
    """Runs operations and keeps the request ids of their answers, refused ones included."""

    def __init__(self) -> None:
        self.request_ids: dict[str, str] = {}
        self.operations: set[str] = set()

    def watch(self, client: Any) -> Any:
        """Note each call of a boto3 client."""
        client.meta.events.register("after-call", self._note)
        return client

    def _note(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        self.operations.add(model.name)
        name = f"{model.name}-{'refused' if 'Error' in parsed else 'allowed'}"
        request_id = parsed.get("ResponseMetadata", {}).get("RequestId")
        if request_id:
            self.request_ids.setdefault(name, request_id)

    @staticmethod
    def refused(call: Callable[..., Any], **parameters: Any) -> None:
        """Make a call that must fail."""
        try:
            call(**parameters)
        except (ClientError, BotoCoreError):
            return
        raise AssertionError(f"{call} was not refused")


def keys(kms: Any, stranger: Any, exercise: Exercise) -> str:
    """Use a key and its neighbours as on any day, and fail in all ways; returns the id of a key that stays."""
    refused = exercise.refused
    tags = [{"TagKey": "team", "TagValue": "red"}]
    key_id: str = kms.create_key(Description="first", Tags=tags)["KeyMetadata"]["KeyId"]
    other: str = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.describe_key(KeyId=key_id)
    kms.list_keys()
    kms.update_key_description(KeyId=key_id, Description="again")
    kms.create_alias(AliasName="alias/one", TargetKeyId=key_id)
    kms.update_alias(AliasName="alias/one", TargetKeyId=other)
    kms.list_aliases()
    kms.delete_alias(AliasName="alias/one")
    policy = kms.get_key_policy(KeyId=key_id)["Policy"]
    kms.put_key_policy(KeyId=key_id, Policy=policy)
    kms.list_key_policies(KeyId=key_id)
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms.list_resource_tags(KeyId=key_id)
    kms.untag_resource(KeyId=key_id, TagKeys=["a"])
    kms.get_key_rotation_status(KeyId=key_id)
    context = {"purpose": "secrecy"}
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"small", EncryptionContext=context)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)
    kms.re_encrypt(CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=other)
    kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    kms.generate_data_key_without_plaintext(KeyId=key_id, NumberOfBytes=64)
    kms.generate_random(NumberOfBytes=32)
    refused(kms.decrypt, CiphertextBlob=sealed)
    refused(kms.decrypt, CiphertextBlob=sealed[:-1] + bytes([sealed[-1] ^ 1]), EncryptionContext=context)
    refused(kms.decrypt, CiphertextBlob=sealed, EncryptionContext=context, KeyId=other)
    refused(kms.decrypt, CiphertextBlob=b"nonsense")
    refused(kms.generate_data_key, KeyId=key_id, KeySpec="AES_256", NumberOfBytes=32)
    refused(kms.put_key_policy, KeyId=key_id, Policy=json.dumps({"Statement": "nonsense"}))
    refused(kms.describe_key, KeyId="alias/none")
    refused(stranger.generate_data_key, KeyId=key_id, KeySpec="AES_256")
    refused(stranger.decrypt, CiphertextBlob=sealed, EncryptionContext=context)
    kms.disable_key(KeyId=other)
    refused(kms.generate_data_key, KeyId=other, KeySpec="AES_256")
    kms.enable_key(KeyId=other)
    kms.schedule_key_deletion(KeyId=other, PendingWindowInDays=7)
    refused(kms.encrypt, KeyId=other, Plaintext=b"x")
    kms.cancel_key_deletion(KeyId=other)
    return key_id


def objects(s3: Any, stranger: Any, exercise: Exercise, bucket: str, key_id: str) -> None:
    """Write, read, copy, list and remove objects in both kinds of encryption, in parts and in one, and fail."""
    refused = exercise.refused
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="by-default", Body=b"SSE-S3" * 1000)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    s3.get_bucket_encryption(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="one", Body=b"SSE-KMS" * 1000)
    s3.put_object(Bucket=bucket, Key="managed", Body=b"aws/s3", ServerSideEncryption="aws:kms")
    named = {"SSEKMSKeyId": key_id, "ServerSideEncryption": "aws:kms"}
    s3.put_object(Bucket=bucket, Key="keyed", Body=b"bucket key" * 1000, **named, BucketKeyEnabled=True)
    s3.put_object(
        Bucket=bucket, Key="twice", Body=b"DSSE-KMS" * 1000, **named | {"ServerSideEncryption": "aws:kms:dsse"}
    )
    for name in ("by-default", "one", "managed", "keyed", "twice"):
        with s3.get_object(Bucket=bucket, Key=name)["Body"] as body:
            body.read()
    with s3.get_object(Bucket=bucket, Key="one", Range="bytes=5-10")["Body"] as body:
        body.read()
    s3.head_object(Bucket=bucket, Key="one")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "one"})
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=2)
    s3.upload_fileobj(io.BytesIO(b"part" * 3 * MIB), bucket, "parts", Config=parts)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="aborted")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="aborted", UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    s3.list_parts(Bucket=bucket, Key="aborted", UploadId=upload)
    s3.abort_multipart_upload(Bucket=bucket, Key="aborted", UploadId=upload)
    s3.list_objects_v2(Bucket=bucket)
    s3.list_objects(Bucket=bucket)
    s3.list_buckets()
    refused(s3.get_object, Bucket=bucket, Key="none")
    refused(s3.put_object, Bucket=bucket, Key="two", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="none")
    refused(stranger.get_object, Bucket=bucket, Key="one")
    refused(stranger.put_object, Bucket=bucket, Key="one", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="copy")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "managed"}]})


def whatever(call: Callable[..., Any], **parameters: Any) -> None:
    """Make a call that may fail, such as one during a crash."""
    with contextlib.suppress(ClientError, BotoCoreError):
        call(**parameters)
