"""KMS, EBS direct and EC2 by botocore: the first two as the host, the last one as the user."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

from fuin.host.disk import KEY_LENGTH
from fuin.host.programs import HostError
from fuin.host.wire.refusals import translate
from fuin.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.host.configuration import HostConfiguration
    from fuin.host.token import Token

BLOCK = 524288  # bytes of a block of EBS direct
CONTEXT_KEY = "aws:ebs:id"
_CONNECT, _SILENCE = 5.0, 30.0  # seconds


class UserEndpoint(NamedTuple):
    """Where the user's requests go when no setting of AWS's programs says it, and in which Region."""

    url: str
    region: str


_LOADER = create_loader()  # reads the model of each service once


def _new_session() -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    return session


def _ask(operation: Any, **parameters: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = operation(**parameters)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise translate(error) from None
    return answer


def _configuration(patience: float | None) -> Config:
    return Config(
        retries={"total_max_attempts": 3 if patience is None else 1, "mode": "standard"}, max_pool_connections=16,
        connect_timeout=patience or _CONNECT, read_timeout=patience or _SILENCE,
    )  # fmt: skip


def _new_client(service: str, host: HostConfiguration, patience: float | None = None) -> Any:
    return _new_session().create_client(
        service, region_name=host.region, endpoint_url=host.endpoint_url, aws_access_key_id=host.access_key_id,
        aws_secret_access_key=host.secret_access_key, verify=host.ca_bundle or None, config=_configuration(patience),
    )  # fmt: skip


class HostKms:
    """Decrypt, as the host: by the grant of an attachment."""

    def __init__(self, host: HostConfiguration, patience: float | None = None) -> None:
        """Make the client. With `patience` it asks once, and waits so many seconds for an answer."""
        self._client = _new_client("kms", host, patience)

    def open_key(self, wrapped_key: bytes, context_id: str, key_arn: str) -> Secret:
        """Return the data key, which must be under this KMS key; raises Refusal or Unreachable."""
        return decrypt(self._client, wrapped_key, context_id, key_arn)


class UserKms:
    """KMS as the user: for disks that no server of EC2 knows."""

    def __init__(self, default: UserEndpoint | None = None, patience: float | None = None) -> None:
        """Make the client. With `patience` it asks once, and waits so many seconds for an answer."""
        self._client = _new_user_client("kms", default, patience)

    def make_key(self, key: str, context_id: str) -> tuple[str, bytes]:
        """Return the ARN of the KMS key and a new wrapped data key, whose plaintext KMS does not return."""
        answer = _ask(
            self._client.generate_data_key_without_plaintext, KeyId=key, NumberOfBytes=KEY_LENGTH,
            EncryptionContext={CONTEXT_KEY: context_id},
        )  # fmt: skip
        return answer["KeyId"], answer["CiphertextBlob"]

    def open_key(self, wrapped_key: bytes, context_id: str, key_arn: str) -> Secret:
        """Return the data key, which must be under this KMS key; raises Refusal or Unreachable."""
        return decrypt(self._client, wrapped_key, context_id, key_arn)

    def re_encrypt(self, token: Token, key: str) -> tuple[str, bytes]:
        """Return the ARN of another KMS key, and the same data key under it."""
        context = {CONTEXT_KEY: token.context_id}
        answer = _ask(
            self._client.re_encrypt, CiphertextBlob=token.wrapped_key, SourceKeyId=token.key_arn,
            SourceEncryptionContext=context, DestinationKeyId=key, DestinationEncryptionContext=context,
        )  # fmt: skip
        return answer["KeyId"], answer["CiphertextBlob"]


def decrypt(client: Any, wrapped_key: bytes, context_id: str, key_arn: str) -> Secret:
    """Return the data key in a ciphertext blob, bound to a volume by its encryption context, under this KMS key."""
    answer = _ask(
        client.decrypt, CiphertextBlob=wrapped_key, EncryptionContext={CONTEXT_KEY: context_id}, KeyId=key_arn
    )
    key = Secret(answer.pop("Plaintext"))
    if len(key) != KEY_LENGTH:
        raise HostError(f"KMS answered with a data key of {len(key)} bytes, not {KEY_LENGTH}")
    return key


class HostBlocks:
    """The blocks of snapshots by EBS direct, as the host."""

    def __init__(self, host: HostConfiguration) -> None:
        self._client = _new_client("ebs", host)

    def list_blocks(self, snapshot_id: str) -> Iterator[tuple[int, str]]:
        """Yield the index of each block of a snapshot, and the token that reads it."""
        parameters: dict[str, Any] = {"SnapshotId": snapshot_id, "MaxResults": 10000}
        while True:
            page = _ask(self._client.list_snapshot_blocks, **parameters)
            yield from ((block["BlockIndex"], block["BlockToken"]) for block in page.get("Blocks", ()))
            if not page.get("NextToken"):
                return
            parameters["NextToken"] = page["NextToken"]

    def get_block(self, snapshot_id: str, index: int, token: str) -> bytes:
        """Return a block; raises HostError if its checksum is wrong."""
        answer = _ask(self._client.get_snapshot_block, SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token)
        data: bytes = answer["BlockData"].read()
        if base64.b64encode(hashlib.sha256(data).digest()).decode() != answer["Checksum"] or len(data) != BLOCK:
            raise HostError(f"block {index} of {snapshot_id} is damaged")
        return data

    def put_block(self, snapshot_id: str, index: int, data: bytes, checksum: bytes) -> None:
        """Send a block of a pending snapshot, with its SHA-256."""
        _ask(
            self._client.put_snapshot_block, SnapshotId=snapshot_id, BlockIndex=index, BlockData=data,
            DataLength=len(data), Checksum=base64.b64encode(checksum).decode(), ChecksumAlgorithm="SHA256",
        )  # fmt: skip

    def complete(self, snapshot_id: str, count: int, checksum: bytes) -> None:
        """Say that all changed blocks were sent: their number, and the SHA-256 of their checksums."""
        _ask(
            self._client.complete_snapshot, SnapshotId=snapshot_id, ChangedBlocksCount=count,
            Checksum=base64.b64encode(checksum).decode(), ChecksumAlgorithm="SHA256",
            ChecksumAggregationMethod="LINEAR",
        )  # fmt: skip


def _new_user_client(service: str, default: UserEndpoint | None, patience: float | None = None) -> Any:
    """Return a client by the usual settings of AWS's programs; `default` counts where they name no endpoint."""
    session = _new_session()
    config = _configuration(patience)
    try:
        region = session.get_config_variable("region") or (default.region if default else None)
        client = session.create_client(service, region_name=region, config=config)
        if default is not None and ".amazonaws.com" in client.meta.endpoint_url:
            client = session.create_client(service, region_name=region, endpoint_url=default.url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise translate(error) from None
    return client


class UserVolumes:
    """The operations of EC2 about volumes, as the user."""

    def __init__(self, default: UserEndpoint) -> None:
        self._client = _new_user_client("ec2", default)

    def attach(self, volume_id: str, host_id: str, device: str) -> None:
        """Ask for an attachment to this host."""
        _ask(self._client.attach_volume, VolumeId=volume_id, InstanceId=host_id, Device=device)

    def detach(self, volume_id: str, host_id: str, *, force: bool) -> None:
        """Ask for the end of an attachment."""
        _ask(self._client.detach_volume, VolumeId=volume_id, InstanceId=host_id, Force=force)

    def modify_size(self, volume_id: str, size: int) -> None:
        """Ask for a larger volume, in GiB."""
        _ask(self._client.modify_volume, VolumeId=volume_id, Size=size)

    def create_snapshot(self, volume_id: str, description: str) -> str:
        """Return the id of a new snapshot of a volume."""
        snapshot_id: str = _ask(self._client.create_snapshot, VolumeId=volume_id, Description=description)["SnapshotId"]
        return snapshot_id
