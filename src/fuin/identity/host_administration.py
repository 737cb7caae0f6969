"""Hosts, as the operator of the server administers them."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.identity.administration import Act, PreparedKey, carry_out, prepare_access_key
from fuin.store.errors import NotFound, StillUsed
from fuin.store.volumes import hosts
from fuin.store.volumes.hosts import Host

if TYPE_CHECKING:
    from fuin.keyholder.wire.client import Keyholder
    from fuin.store.store import Store

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ZONES = "abc"


async def add_host(
    store: Store, keyholder: Keyholder, account: str, name: str, region: str, zone: str
) -> tuple[Host, PreparedKey]:
    """Add a host with credentials of its own; raises FuinError, AlreadyExists or NotFound (the account)."""
    if not _NAME.fullmatch(name):
        raise FuinError("a host's name has 1 to 64 letters, digits and ._-")
    if not zone.startswith(region) or zone[len(region) :] not in tuple(_ZONES):
        raise FuinError(f"the zones of {region} are {', '.join(region + letter for letter in _ZONES)}")
    key = await prepare_access_key(keyholder, None, None)
    host = Host(
        f"i-{os.urandom(9).hex()[:17]}", account, region, zone, name, key.access_key_id, key.sealed,
        round(time.time(), 3),
    )  # fmt: skip
    facts = {"host": host.host_id, "name": name, "accessKeyCreated": key.access_key_id}
    act = Act("AddHost", account, facts)
    await carry_out(store, keyholder, act, lambda conn: hosts.insert_host(conn, host))
    return host, key


async def remove_host(store: Store, keyholder: Keyholder, account: str, host_id: str) -> None:
    """Remove a host and its credentials; raises FuinError while volumes are attached to it."""
    host = await store.read(hosts.find_host, host_id)
    if host is None or host.account != account:
        raise NotFound(f"there is no host {host_id}; `fuin host list` shows them")
    act = Act("RemoveHost", account, {"host": host_id, "name": host.name})
    try:
        await carry_out(store, keyholder, act, lambda conn: hosts.delete_host(conn, host_id))
    except StillUsed:
        raise FuinError(f"volumes are attached to {host_id}; detach them first") from None
