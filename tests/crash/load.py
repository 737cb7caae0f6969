"""A small concurrent load that remembers what was acknowledged, and what was only tried."""

import json
import random
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.crash import soundness
from tests.support.server import Server

BUCKET = "load"
_KEYS = 6  # object keys a thread writes again and again
_SIZES = (0, 10, 5_000, 300_000, 700_000)


class Remembered:
    """One thing that is written again and again by one thread: its last acknowledged value, and later tries."""

    def __init__(self) -> None:
        self.acknowledged: bytes | None = None
        self.tried: list[bytes | None] = []

    def write(self, value: bytes | None, call: Callable[[], object]) -> None:
        """Make a write that may fail; None is a deletion."""
        self.tried.append(value)
        call()
        self.acknowledged, self.tried = value, []

    def settle(self, seen: bytes | None, what: str) -> None:
        """Assert that what is seen is the acknowledged value or one tried after it, and hold it to that from now on."""
        assert seen == self.acknowledged or seen in self.tried, f"{what} is neither acknowledged nor tried"
        self.acknowledged, self.tried = seen, []


class Writer:
    """One thread of the load, with its own objects and its own KMS key."""

    def __init__(self, server: Server, number: int, seed: int) -> None:
        self.number = number
        self.objects = {f"w{number}/o{index}": Remembered() for index in range(_KEYS)}
        self.policy = Remembered()
        self.data_keys: list[tuple[bytes, bytes]] = []
        self.made_keys: set[str] = set()
        self.done = 0
        self._choice = random.Random(seed)
        self._kms, self._s3 = (server.new_client(service, retry=False) for service in ("kms", "s3"))
        self.key_id: str = self._kms.create_key(Policy=soundness.policy("Start"))["KeyMetadata"]["KeyId"]
        self.policy.acknowledged = soundness.policy("Start").encode()

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; failures are part of the game."""
        while not stop.is_set():
            try:
                self._step()
                self.done += 1
            except (BotoCoreError, ClientError):
                stop.wait(0.02)

    def close(self) -> None:
        """Close the connections."""
        self._kms.close()
        self._s3.close()

    def _step(self) -> None:
        action = self._choice.choices(
            (self._put, self._delete, self._upload, self._data_key, self._policy, self._create), (8, 1, 2, 5, 2, 1)
        )[0]
        action(self._kms, self._s3)

    def _put(self, _kms: Any, s3: Any) -> None:
        name, content = self._some()
        self.objects[name].write(content, lambda: s3.put_object(Bucket=BUCKET, Key=name, Body=content))

    def _delete(self, _kms: Any, s3: Any) -> None:
        name, _ = self._some()
        self.objects[name].write(None, lambda: s3.delete_object(Bucket=BUCKET, Key=name))

    def _upload(self, _kms: Any, s3: Any) -> None:
        name, content = self._some()
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=name)["UploadId"]
        part = s3.upload_part(Bucket=BUCKET, Key=name, UploadId=upload, PartNumber=1, Body=content)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        self.objects[name].write(
            content,
            lambda: s3.complete_multipart_upload(Bucket=BUCKET, Key=name, UploadId=upload, MultipartUpload=parts),
        )

    def _data_key(self, kms: Any, _s3: Any) -> None:
        made = kms.generate_data_key(KeyId=self.key_id, KeySpec="AES_256")
        self.data_keys.append((made["CiphertextBlob"], made["Plaintext"]))

    def _policy(self, kms: Any, _s3: Any) -> None:
        document = soundness.policy(f"W{self.number}S{self.done}")
        self.policy.write(document.encode(), lambda: kms.put_key_policy(KeyId=self.key_id, Policy=document))

    def _create(self, kms: Any, _s3: Any) -> None:
        if len(self.made_keys) < 5:
            self.made_keys.add(kms.create_key()["KeyMetadata"]["KeyId"])

    def _some(self) -> tuple[str, bytes]:
        name = self._choice.choice(list(self.objects))
        return name, self._choice.randbytes(self._choice.choice(_SIZES))

    def check(self, kms: Any, s3: Any) -> None:
        """Assert that all that was acknowledged to this thread is there and equal."""
        for name, remembered in self.objects.items():
            remembered.settle(soundness.read(s3, BUCKET, name), f"object {name}")
        for blob, plaintext in self.data_keys[-20:]:
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
        seen: str = kms.get_key_policy(KeyId=self.key_id)["Policy"]
        json.loads(seen)
        self.policy.settle(seen.encode(), f"the policy of writer {self.number}'s key")
        pages = kms.get_paginator("list_keys").paginate()
        existing = {key["KeyId"] for page in pages for key in page["Keys"]}
        assert self.made_keys <= existing, "an acknowledged key is gone"


def prepare(server: Server) -> None:
    """Make the bucket of the load, under SSE-KMS with the account's own aws/s3 key."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)
