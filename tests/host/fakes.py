"""A server and a KMS in memory, with what a host asks of them."""

from __future__ import annotations

import hashlib
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from fuin.host.configuration import HostConfiguration
from fuin.host.formats import Formats
from fuin.host.records import Records
from fuin.host.volumes import Server, Volumes
from fuin.host.wire.clients import BLOCK, HostBlocks, UserKms
from fuin.host.wire.refusals import Refusal, Unreachable
from fuin.host.wire.tasks import AttachmentTask, Tasks, TaskWire
from fuin.secret import Secret


def kill(pid_file: Path, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the process of a disk, and return when it has ended."""
    pid = int(pid_file.read_text())
    ended = os.pidfd_open(pid)
    os.kill(pid, number)
    select.select([ended], [], [])
    os.close(ended)


@dataclass
class FakeKms:
    """Data keys by their wrapped form, bound to a context; a key can be disabled, or no answer comes."""

    keys: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    arns: dict[bytes, str] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    is_away: bool = False
    asked: list[str] = field(default_factory=list)

    def make_key(self, key: str, context_id: str, plaintext: bytes | None = None) -> tuple[str, bytes]:
        """Return a wrapped data key under `key`, which is its ARN as well."""
        wrapped = b"wrapped:" + os.urandom(16)
        self.keys[wrapped] = (context_id, plaintext or os.urandom(64))
        self.arns[wrapped] = key
        return key, wrapped

    def open_key(self, wrapped_key: bytes, context_id: str, key_arn: str = "") -> Secret:
        """Return the data key, as Decrypt does."""
        self.asked.append(context_id)
        if self.is_away:
            raise Unreachable("KMS", "it is away")
        context, key = self.keys.get(wrapped_key, ("", b""))
        if context != context_id:
            raise Refusal("Decrypt", "InvalidCiphertextException", "")
        if key_arn and self.arns[wrapped_key] != key_arn:
            raise Refusal("Decrypt", "IncorrectKeyException", "")
        if self.arns[wrapped_key] in self.disabled:
            raise Refusal("Decrypt", "DisabledException", f"{self.arns[wrapped_key]} is disabled.")
        return Secret(key)

    def re_encrypt(self, token: object, key: str) -> tuple[str, bytes]:
        """Return the data key of a token under another key."""
        wrapped, context_id = token.wrapped_key, token.context_id  # type: ignore[attr-defined]
        return self.make_key(key, context_id, self.open_key(wrapped, context_id).reveal())


@dataclass
class FakeTasks:
    """The tasks of a host, and what it has reported."""

    tasks: Tasks = field(default_factory=lambda: Tasks({}, []))
    reports: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    flags: list[tuple[bool, bool]] = field(default_factory=list)

    def describe(self) -> Tasks:
        """Return the tasks."""
        return self.tasks

    def report_attachment(
        self, volume_id: str, state: str, *, message: str = "", formatted: bool = False, filled: bool = False
    ) -> None:
        """Keep a report."""
        self.reports.append((volume_id, state))
        self.messages.append(message)
        self.flags.append((formatted, filled))

    def report_snapshot(self, snapshot_id: str, message: str) -> None:
        """Keep a report."""
        self.reports.append((snapshot_id, "error"))
        self.messages.append(message)


@dataclass
class FakeBlocks:
    """Snapshots in memory; `parents` says from which one a snapshot takes what was not sent."""

    snapshots: dict[str, dict[int, bytes]] = field(default_factory=dict)
    sent: dict[str, list[int]] = field(default_factory=dict)
    completed: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    dies_after: int = 1_000_000

    def list_blocks(self, snapshot_id: str) -> Iterator[tuple[int, str]]:
        """Yield the blocks of a snapshot."""
        yield from ((index, f"token-{index}") for index in sorted(self.snapshots.get(snapshot_id, {})))

    def get_block(self, snapshot_id: str, index: int, token: str) -> bytes:
        """Return a block."""
        assert token == f"token-{index}"
        return self.snapshots[snapshot_id][index]

    def put_block(self, snapshot_id: str, index: int, data: bytes, checksum: bytes) -> None:
        """Keep a block."""
        assert hashlib.sha256(data).digest() == checksum
        assert len(data) == BLOCK
        sent = self.sent.setdefault(snapshot_id, [])
        if len(sent) >= self.dies_after:
            raise Unreachable("the server", "it is away")
        if snapshot_id not in self.snapshots:
            self.snapshots[snapshot_id] = dict(self.snapshots.get(self.parents.get(snapshot_id, ""), {}))
        sent.append(index)
        self.snapshots[snapshot_id][index] = data

    def complete(self, snapshot_id: str, count: int, checksum: bytes) -> None:
        """Complete a snapshot; number and checksum must be those of what was sent."""
        sent = sorted(set(self.sent.get(snapshot_id, ())))
        blocks = self.snapshots.setdefault(snapshot_id, dict(self.snapshots.get(self.parents.get(snapshot_id, ""), {})))
        linear = hashlib.sha256(b"".join(hashlib.sha256(blocks[index]).digest() for index in sent)).digest()
        assert (count, checksum) == (len(sent), linear)
        self.completed[snapshot_id] = (count, checksum)


@dataclass
class FakeHost:
    """A host in a folder of a test."""

    folder: Path
    kms: FakeKms = field(default_factory=FakeKms)
    tasks: FakeTasks = field(default_factory=FakeTasks)
    blocks: FakeBlocks = field(default_factory=FakeBlocks)

    def __post_init__(self) -> None:
        self.formats = Formats(self.folder / "run")
        self.volumes = Volumes(self.formats, Records(self.folder / "volumes"))

    @property
    def server(self) -> Server:
        """Return the server, as the host asks it."""
        return Server(cast("TaskWire", self.tasks), self.kms, cast("HostBlocks", self.blocks))

    @property
    def user_kms(self) -> UserKms:
        """Return KMS, as a user asks it."""
        return cast("UserKms", self.kms)

    def add_attachment(self, volume_id: str, state: str = "attaching", **members: object) -> AttachmentTask:
        """Return the task to open a new volume of 1 GiB."""
        arn, wrapped = self.kms.make_key("arn:aws:kms:us-east-1:1:key/a", volume_id)
        values: dict[str, object] = {
            "volume_id": volume_id, "state": state, "device": "/dev/sdf", "size": 1, "wrapped_key": wrapped,
            "context_id": volume_id, "key_arn": arn, "snapshot_id": "", "is_formatted": False, "home": "",
        }  # fmt: skip
        task = AttachmentTask(**(values | members))  # type: ignore[arg-type]
        self.tasks.tasks.attachments[volume_id] = task
        return task

    def close_all(self) -> None:
        """Close what a test has left open."""
        for record in self.volumes.records.list_all():
            self.volumes.close(record.volume_id, force=True)


def configuration(folder: Path, url: str = "http://127.0.0.1:1") -> HostConfiguration:
    """Return the settings of a host whose server is at `url`."""
    return HostConfiguration(
        "i-0123456789abcdef0", "AKIAHOST", "secret", url, "us-east-1", folder / "volumes", folder / "run"
    )
