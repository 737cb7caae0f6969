"""Where a proxy may be: which host names are allowed, and which addresses.

A caller who may create a custom key store names a host, and this server connects to it. Without a rule, such callers
could explore the network behind the server (server-side request forgery). So without a list of hosts only public
addresses are allowed, and with a list only its hosts. The server connects to the address that it has checked, so a
second answer of the name server changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple

from fuin.numbers import whole_number
from fuin.xks.failure import Failure, FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterable

PORT = 443  # AWS: XksProxyUriEndpoint has no port
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")


class ProxyAddress(NamedTuple):
    """A socket's family and address."""

    family: int
    host: str
    port: int


class Hosts:
    """The setting `xks_hosts`: entries `name`, or `name=address:port` for a proxy that the name server does not know.

    Raises ValueError for entries of another form.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._addresses_by_name = dict(_parse_entry(entry) for entry in entries)

    async def addresses(self, host: str) -> list[ProxyAddress]:
        """Return the addresses of a proxy's host, at least one; raises Failure (FORBIDDEN, UNREACHABLE)."""
        name = host.lower().rstrip(".")
        if name not in self._addresses_by_name:
            if self._addresses_by_name:
                raise Failure(FailureReason.FORBIDDEN)
            return _require_public(await _resolve(name))
        return [fixed] if (fixed := self._addresses_by_name[name]) is not None else await _resolve(name)


def _parse_entry(text: str) -> tuple[str, ProxyAddress | None]:
    name, equals, where = text.partition("=")
    if not name or not name.isascii() or any(character in name for character in " /:@"):
        raise ValueError(f"not a host of an external key store proxy: {text}")
    if not equals:
        return name.lower(), None
    host, _, port = where.rpartition(":")
    address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    number = whole_number(port, 1, 0xFFFF)
    if number is None:
        raise ValueError(f"not a port: {text}")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return name.lower(), ProxyAddress(family, str(address), number)


async def _resolve(name: str) -> list[ProxyAddress]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, PORT, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # labels that are empty or too long are a UnicodeError
        raise Failure(FailureReason.UNREACHABLE) from None
    return [ProxyAddress(family, str(address[0]), PORT) for family, _, _, _, address in found]


def _require_public(found: list[ProxyAddress]) -> list[ProxyAddress]:
    """Return the addresses if all are public; a single private one makes the whole name suspect."""
    if not all(is_public(address.host) for address in found):
        raise Failure(FailureReason.FORBIDDEN)
    return found


def is_public(text: str) -> bool:
    """Return whether an address belongs to the public Internet (IANA special-purpose registries)."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if address not in _PUBLIC_IPV6 or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast
