"""The file of a host, `/etc/fuin/host.json`: its id, its credentials, and where the server is."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuin.host.programs import HostError

DEFAULT_FILE = Path("/etc/fuin/host.json")
_FOLDER = "/var/lib/fuin-volumes"
_RUN_FOLDER = "/run/fuin-volumes"
_NEEDED = ("host_id", "access_key_id", "secret_access_key", "endpoint_url", "region")


@dataclass(frozen=True, slots=True)
class HostConfiguration:
    """What a host knows of itself. `folder` has its disks and records, `run_folder` what is gone after a restart."""

    host_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    endpoint_url: str
    region: str
    folder: Path = Path(_FOLDER)
    run_folder: Path = Path(_RUN_FOLDER)
    ca_bundle: str = ""
    discard: bool = False


def read_configuration(file: Path) -> HostConfiguration:
    """Return the content of the file; raises HostError if it is malformed or if others may read it."""
    try:
        mode = file.stat().st_mode
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HostError(
            f"{file} is not there: `fuin host add NAME` on the server prints what belongs into it"
        ) from None
    except ValueError:
        raise HostError(f"{file} is not JSON") from None
    if stat.S_IMODE(mode) & 0o077:
        raise HostError(f"others may read {file}, which has a secret: chmod 600 {file}")
    missing = [name for name in _NEEDED if not isinstance(value.get(name), str) or not value[name]]
    if missing:
        raise HostError(f"{file} has no {' and no '.join(missing)}")
    return HostConfiguration(
        value["host_id"], value["access_key_id"], value["secret_access_key"], value["endpoint_url"], value["region"],
        Path(value.get("folder", _FOLDER)), Path(value.get("run_folder", _RUN_FOLDER)), value.get("ca_bundle", ""),
        value.get("discard") is True,
    )  # fmt: skip
