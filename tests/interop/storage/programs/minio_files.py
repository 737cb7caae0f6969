"""minio-py: BUCKET FILE, or --version."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject

if sys.argv[1] == "--version":
    print(version("minio"))
    sys.exit()
bucket, file = sys.argv[1:]
content = Path(file).read_bytes()
scheme, _, host = os.environ["AWS_ENDPOINT_URL"].partition("://")
keys = {"access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
client = Minio(host, **keys, secure=scheme == "https", region="us-east-1")
assert client.fput_object(bucket, "dir/large.bin", file, part_size=5 * 2**20).version_id
with client.get_object(bucket, "dir/large.bin") as answer:
    assert answer.read() == content
with client.get_object(bucket, "dir/large.bin", offset=7_000_000, length=100) as answer:
    assert answer.read() == content[7_000_000:7_000_100]
client.copy_object(bucket, "dir/copied.bin", CopySource(bucket, "dir/large.bin"))
client.fput_object(bucket, "gone.bin", sys.argv[0])
names = [entry.object_name for entry in client.list_objects(bucket, prefix="dir/", recursive=True)]
assert names == ["dir/copied.bin", "dir/large.bin"]
assert list(client.remove_objects(bucket, [DeleteObject("gone.bin")])) == []
print("right")
