"""What must hold after any crash, whatever was under way."""

import json
import sqlite3
from contextlib import closing
from typing import Any

from botocore.exceptions import ClientError

from tests.support.processes import wait_until
from tests.support.server import ACCOUNT, Server


def policy(mark: str) -> str:
    """Return a key policy that leaves everything to the account's own policies and carries a mark."""
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statement = {"Sid": mark, "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def read(s3: Any, bucket: str, key: str) -> bytes | None:
    """Return an object's content, or None when there is no such object."""
    try:
        with s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
            content: bytes = body.read()
            return content
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise


def listed(s3: Any, bucket: str) -> dict[str, tuple[int, str]]:
    """Return size and ETag of every object that a listing shows."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"]: (entry["Size"], entry["ETag"]) for page in pages for entry in page.get("Contents", [])}


def assert_listing_is_whole(s3: Any, bucket: str) -> None:
    """Assert that every object that is listed can be read to its end, at the size and ETag of the listing."""
    for key, (size, etag) in listed(s3, bucket).items():
        answer = s3.get_object(Bucket=bucket, Key=key)
        with answer["Body"] as body:
            assert (len(body.read()), answer["ETag"]) == (size, etag), f"{key} is not what the listing says"


def assert_keys_work(kms: Any) -> None:
    """Assert that every key that is listed is whole: it has metadata and a policy, and makes data keys."""
    for page in kms.get_paginator("list_keys").paginate():
        for entry in page["Keys"]:
            metadata = kms.describe_key(KeyId=entry["KeyId"])["KeyMetadata"]
            json.loads(kms.get_key_policy(KeyId=entry["KeyId"])["Policy"])
            if metadata["KeyState"] == "Enabled" and metadata["KeyManager"] == "CUSTOMER":
                made = kms.generate_data_key(KeyId=entry["KeyId"], KeySpec="AES_256")
                assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]


def assert_audit_holds(server: Server) -> None:
    """Assert that `fuin audit verify` finds nothing wrong."""
    server.verify_audit()  # raises with its output when the exit status is not 0


def named_blobs(server: Server) -> set[str]:
    """Return the blobs that the index names; small objects have none."""
    query = (
        "SELECT blob FROM object_parts WHERE content IS NULL UNION SELECT blob FROM upload_parts "
        "UNION SELECT blob FROM snapshot_blobs"
    )
    with closing(sqlite3.connect(f"file:{server.data / 'fuin.db'}?mode=ro", uri=True, timeout=30)) as database:
        return {blob for (blob,) in database.execute(query)}


def stored_blobs(server: Server) -> set[str]:
    """Return the names of the files in the blob store."""
    return {path.name for path in server.blobs()}


def assert_no_orphans(server: Server) -> None:
    """Assert that, once the sweep after a start has run, files and index name the same blobs."""
    assert named_blobs(server) <= stored_blobs(server), "the index names blobs that are gone"
    wait_until(lambda: stored_blobs(server) == named_blobs(server), 60, "the sweep removes orphans")


def assert_sound(server: Server, bucket: str) -> None:
    """Assert everything that does not depend on what was under way."""
    assert_listing_is_whole(server.client("s3"), bucket)
    assert_keys_work(server.client("kms"))
    assert_audit_holds(server)
