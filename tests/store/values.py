"""Rows that the tests put into the store."""

import itertools
import os

from fuin import ids
from fuin.formats.wrapped import Material
from fuin.store.kms.keys import Key
from fuin.store.s3.buckets import Bucket
from fuin.store.s3.labels import Labels
from fuin.store.s3.object_name import UNVERSIONED, ObjectName
from fuin.store.s3.objects import Object
from fuin.store.s3.parts import Part
from fuin.store.s3.uploads import Upload
from fuin.store.volumes.hosts import Host
from fuin.store.volumes.volumes import Volume

ACCOUNT = "123456789012"
REGION = "us-east-1"

_blobs = itertools.count(1)


def key(**changes: object) -> tuple[Key, Material]:
    """Return a new enabled key and its material."""
    material_id = os.urandom(32)
    values: dict[str, object] = {
        "key_id": ids.new_key_id(), "account": ACCOUNT, "region": REGION, "state": "Enabled", "description": "",
        "spec": "SYMMETRIC_DEFAULT", "usage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS", "manager": "CUSTOMER",
        "service": "", "multi_region": False, "created": 1.5, "deletion_date": None, "policy": "{}",
        "current_material": material_id, **changes,
    }  # fmt: skip
    made = Key(**values)  # type: ignore[arg-type]
    return made, Material(made.key_id, material_id, made.spec, os.urandom(114))


def bucket(name: str = "bucket") -> Bucket:
    """Return a bucket's row."""
    return Bucket(name, ACCOUNT, REGION, 2.5)


def part(number: int = 1, **changes: object) -> Part:
    """Return a part with a blob of its own."""
    values: dict[str, object] = {
        "blob": f"blob-{os.getpid()}-{next(_blobs)}", "size": 10, "stored_size": 200, "number": number,
        "etag": f"etag-{number}", "checksum": None, "message_id": os.urandom(32), "modified": 3.5, **changes,
    }  # fmt: skip
    return Part(**values)  # type: ignore[arg-type]


def obj(key: str = "key", *parts: Part, bucket: str = "bucket", etag: str = "etag") -> Object:
    """Return an object's row, by default of one part."""
    parts = parts or (part(),)
    size = sum(one.size for one in parts)
    return Object(
        ObjectName(bucket, key, UNVERSIONED),
        etag,
        size,
        4.5,
        Labels(headers="{}", metadata='{"a":"b"}', storage_class=None, tags=None, object_lock=None),
        '{"algorithm":"AES256"}',
        None,
        None,
        len(parts),
        parts,
    )


def upload(upload_id: str = "upload", key: str = "key", bucket: str = "bucket") -> Upload:
    """Return a multipart upload's row."""
    return Upload(
        upload_id,
        ObjectName(bucket, key),
        5.5,
        "arn:aws:iam::123456789012:root",
        b"edk",
        "{}",
        "CRC32",
        "COMPOSITE",
        Labels(headers="{}", metadata="{}", storage_class=None, tags=None, object_lock=None),
    )


def volume(**changes: object) -> Volume:
    """Return the row of an available volume that no host has opened."""
    values: dict[str, object] = {
        "volume_id": f"vol-{os.urandom(9).hex()[:17]}", "account": ACCOUNT, "region": REGION, "zone": f"{REGION}a",
        "size": 8, "volume_type": "gp2", "iops": 100, "throughput": 0, "state": "available",
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/of-nobody", "kms_material_id": None,
        "data_key": b"ciphertext", "context_id": "vol-0", "snapshot_id": "", "client_token": "",
        "request_digest": b"", "created_at": 5.5, **changes,
    }  # fmt: skip
    return Volume(**values)  # type: ignore[arg-type]


def host(**changes: object) -> Host:
    """Return the row of a host."""
    number = os.urandom(9).hex()[:17]
    values: dict[str, object] = {
        "host_id": f"i-{number}", "account": ACCOUNT, "region": REGION, "zone": f"{REGION}a", "name": f"host-{number}",
        "access_key_id": f"AKIA{number.upper()}", "sealed_secret": b"sealed", "created_at": 1.0, **changes,
    }  # fmt: skip
    return Host(**values)  # type: ignore[arg-type]
