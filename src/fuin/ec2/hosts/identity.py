"""Who is a host: the session whose principal the server has given it. Nobody else may call the actions for hosts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.ec2.wire.faults import Ec2Fault
from fuin.store.volumes import hosts

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.store.volumes.hosts import Host


def calling_host(call: Call) -> Host:
    """Return the host that calls; raises UnauthorizedOperation for everybody else.

    A change repeats this before it commits, so a host that was removed changes nothing any longer.
    """
    principal = call.principal
    host = None
    if principal.kind == "role" and principal.name == hosts.ROLE:
        host = call.services.store.look_up(hosts.find_host, principal.session)
    if host is None or host.principal != principal or host.region != call.region:
        text = f"You are not authorized to perform this operation. Only a host of the Region may call {call.operation}."
        raise Ec2Fault("UnauthorizedOperation", text)
    call.remember(partial(calling_host, call))
    return host
