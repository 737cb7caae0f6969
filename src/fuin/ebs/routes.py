"""Which operation a request names, by its method and path.

POST /snapshots                        StartSnapshot
PUT  /snapshots/ID/blocks/INDEX        PutSnapshotBlock
GET  /snapshots/ID/blocks/INDEX        GetSnapshotBlock
GET  /snapshots/ID/blocks              ListSnapshotBlocks
GET  /snapshots/ID/changedblocks       ListChangedBlocks
POST /snapshots/completion/ID          CompleteSnapshot
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from fuin.ebs.faults import EbsFault, invalid

_SNAPSHOT = re.compile(r"snap-[0-9a-f]{1,59}", re.ASCII)
_PARAMETERS_AT_MOST = 20


class Target(NamedTuple):
    """The operation, the snapshot and the block that a request names; each may be empty."""

    operation: str = "Unknown"
    snapshot: str = ""
    block: str = ""


UNKNOWN = Target()


def match(method: str, path: bytes) -> Target:
    """Return what a request names; raises UnknownOperationException, and ValidationException for a wrong id."""
    parts = [unquote(part) for part in path.decode("latin-1").strip("/").split("/")]
    target = _match(method, parts)
    if target.snapshot and not _SNAPSHOT.fullmatch(target.snapshot):
        raise invalid("INVALID_SNAPSHOT_ID", "SnapshotId must match ^snap-[0-9a-f]+$.")
    return target


def _match(method: str, parts: list[str]) -> Target:
    match method, parts:
        case "POST", ["snapshots"]:
            return Target("StartSnapshot")
        case "POST", ["snapshots", "completion", snapshot]:
            return Target("CompleteSnapshot", snapshot)
        case "PUT", ["snapshots", snapshot, "blocks", block]:
            return Target("PutSnapshotBlock", snapshot, block)
        case "GET", ["snapshots", snapshot, "blocks", block]:
            return Target("GetSnapshotBlock", snapshot, block)
        case "GET", ["snapshots", snapshot, "blocks"]:
            return Target("ListSnapshotBlocks", snapshot)
        case "GET", ["snapshots", snapshot, "changedblocks"]:
            return Target("ListChangedBlocks", snapshot)
    raise EbsFault("UnknownOperationException", "The request names no operation of this service.")


def parse_query(query: bytes) -> dict[str, str]:
    """Return the parameters of a query; raises ValidationException."""
    try:
        return dict(parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=_PARAMETERS_AT_MOST))
    except ValueError:
        raise invalid("INVALID_PARAMETER_VALUE", "The query cannot be read.") from None
