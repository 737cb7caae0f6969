"""A bucket under SSE-KMS with versions, and the proof that it stores ciphertext."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.place import payload
from tests.interop.storage import sheet
from tests.support.server import Server, run

LARGE = 12 * 2**20  # bytes: several parts for each client
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Vault:
    """A server, a bucket, the KMS key that its default names, and whether it has a bucket key."""

    server: Server
    bucket: str
    key_arn: str
    bucket_key: bool

    @property
    def place(self) -> str:
        """Return the name of this kind of bucket in the table."""
        return f"{'TLS' if self.server.tls else 'http'}, {'bucket key' if self.bucket_key else 'no bucket key'}"

    @property
    def s3(self) -> Any:
        """Return boto3's client."""
        return self.server.client("s3")

    def run(self, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the environment of clients; raises AssertionError with its outputs when it fails."""
        return run([str(word) for word in command], self.server.client_environment() | variables)

    @contextmanager
    def step(self, client: str, version: str, action: str) -> Iterator[None]:
        """Do an action of a client, and write it down."""
        with sheet.step(client, version, action, self.place):
            yield

    def read(self, key: str) -> bytes:
        """Return an object's content through boto3."""
        answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        content: bytes = answer["Body"].read()
        return content

    def list_keys(self, prefix: str = "") -> list[str]:
        """Return the keys of the current objects."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def count_versions(self, key: str) -> int:
        """Return how many versions an object has, without delete markers."""
        found = self.s3.list_object_versions(Bucket=self.bucket, Prefix=key).get("Versions", [])
        return sum(entry["Key"] == key for entry in found)

    def assert_sealed(self, files: Mapping[str, bytes]) -> None:
        """Assert that objects are there, under this bucket's key, and that no blob holds a piece of their content."""
        for key, content in files.items():
            head = self.s3.head_object(Bucket=self.bucket, Key=key)
            assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", self.key_arn)
            assert head.get("BucketKeyEnabled", False) is self.bucket_key
            assert head["VersionId"] != "null"
            assert self.read(key) == content
        lines = [content[:32] for content in files.values()]
        for path in self.server.blobs():
            stored = path.read_bytes()
            assert not any(line in stored for line in lines), f"{path} holds plaintext"


def write_files(folder: Path, sizes: Mapping[str, int]) -> Files:
    """Write files of unmistakable lines into a folder, and return their contents by their paths in it."""
    files = {name: payload(size) for name, size in sizes.items()}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return files


def read_files(folder: Path) -> Files:
    """Return the contents of all files below a folder by their paths in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def version_of(command: Sequence[str | Path], word: int) -> str:
    """Return the version that a program tells, the word with this number of its first line."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).split("\n", 1)[0].split()[word].strip(",v")
