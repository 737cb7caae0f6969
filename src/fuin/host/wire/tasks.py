"""The tasks that the server has for a host, in actions of Fuin's own under the protocol of EC2."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.model import ShapeResolver
from botocore.parsers import EC2QueryParser, ResponseParserError

from fuin.host.wire.refusals import Refusal, Unreachable

if TYPE_CHECKING:
    from fuin.host.configuration import HostConfiguration

_VERSION = "2016-11-15"
_PATIENCE = 20.0  # seconds
_TEXT = {"type": "string"}


def _member(name: str, shape: str = "Text") -> dict[str, str]:
    return {"shape": shape, "locationName": name}


_ATTACHMENT = ("volumeId", "state", "device", "volumeType", "dataKey", "contextId", "kmsKeyArn", "snapshotId", "home")
_SNAPSHOT = ("snapshotId", "volumeId", "state", "parentId")
_SHAPES: dict[str, Any] = {
    "Text": _TEXT,
    "Number": {"type": "integer"},
    "Truth": {"type": "boolean"},
    "Attachment": {
        "type": "structure",
        "members": {name: _member(name) for name in _ATTACHMENT}
        | {"size": _member("size", "Number"), "isFormatted": _member("isFormatted", "Truth")},
    },
    "Attachments": {"type": "list", "member": _member("item", "Attachment")},
    "Snapshot": {"type": "structure", "members": {name: _member(name) for name in _SNAPSHOT}},
    "Snapshots": {"type": "list", "member": _member("item", "Snapshot")},
    "Tasks": {
        "type": "structure",
        "members": {
            "attachmentSet": _member("attachmentSet", "Attachments"),
            "snapshotSet": _member("snapshotSet", "Snapshots"),
        },
    },
    "Nothing": {"type": "structure", "members": {}},
}


@dataclass(frozen=True, slots=True)
class AttachmentTask:
    """A volume that is to be open on this host, or closed; `snapshot_id` is the snapshot to fill its disk from."""

    volume_id: str
    state: str
    device: str
    size: int  # GiB
    wrapped_key: bytes
    context_id: str
    key_arn: str
    snapshot_id: str
    is_formatted: bool
    home: str


@dataclass(frozen=True, slots=True)
class SnapshotTask:
    """A snapshot whose blocks this host is to send; `parent_id` is the last snapshot of the volume, or empty."""

    snapshot_id: str
    volume_id: str
    parent_id: str


@dataclass(frozen=True, slots=True)
class Tasks:
    """All tasks of a host at one moment."""

    attachments: dict[str, AttachmentTask]
    snapshots: list[SnapshotTask]


class TaskWire:
    """Requests of a host about its tasks, signed with its own credentials."""

    def __init__(self, host: HostConfiguration) -> None:
        self._host = host
        self._credentials = Credentials(host.access_key_id, host.secret_access_key)
        self._http = URLLib3Session(verify=host.ca_bundle or True, timeout=_PATIENCE)
        self._resolver = ShapeResolver(_SHAPES)

    def describe(self) -> Tasks:
        """Return the host's tasks; raises Refusal or Unreachable."""
        found = self._ask("FuinDescribeHostTasks", "Tasks")
        attachments = [_attachment(item) for item in found.get("attachmentSet", ())]
        snapshots = [
            SnapshotTask(item["snapshotId"], item["volumeId"], item.get("parentId", ""))
            for item in found.get("snapshotSet", ())
        ]
        return Tasks({task.volume_id: task for task in attachments}, snapshots)

    def report_attachment(
        self, volume_id: str, state: str, *, message: str = "", formatted: bool = False, filled: bool = False
    ) -> None:
        """Say that a volume is attached, busy, detached or failed here; what is not true is not said."""
        self._ask(
            "FuinReportAttachment", VolumeId=volume_id, State=state, Message=message,
            Formatted="true" if formatted else "", Filled="true" if filled else "",
        )  # fmt: skip

    def report_snapshot(self, snapshot_id: str, message: str) -> None:
        """Say that a snapshot cannot be sent."""
        self._ask("FuinReportSnapshot", SnapshotId=snapshot_id, State="error", Message=message)

    def _ask(self, action: str, shape: str = "Nothing", **parameters: str) -> dict[str, Any]:
        body = urlencode({"Action": action, "Version": _VERSION} | {key: v for key, v in parameters.items() if v})
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", self._host.endpoint_url.rstrip("/") + "/", headers, body)
        SigV4Auth(self._credentials, "ec2", self._host.region).add_auth(request)
        try:
            answer = self._http.send(request.prepare())
            raw = {"body": answer.content, "headers": answer.headers, "status_code": answer.status_code}
            parsed: dict[str, Any] = EC2QueryParser().parse(raw, self._resolver.get_shape_by_name(shape))
        except (BotoCoreError, HTTPClientError, ResponseParserError, ValueError) as error:
            raise Unreachable("the server", error) from None
        if answer.status_code >= 500:
            raise Unreachable("the server", f"it answered {answer.status_code}")
        if answer.status_code >= 300:
            raise Refusal(action, parsed["Error"].get("Code", ""), parsed["Error"].get("Message", ""))
        return parsed


def _attachment(item: dict[str, Any]) -> AttachmentTask:
    return AttachmentTask(
        volume_id=item["volumeId"], state=item["state"], device=item.get("device", ""), size=item["size"],
        wrapped_key=base64.b64decode(item["dataKey"]), context_id=item["contextId"], key_arn=item["kmsKeyArn"],
        snapshot_id=item.get("snapshotId", ""), is_formatted=item.get("isFormatted", False), home=item.get("home", ""),
    )  # fmt: skip
