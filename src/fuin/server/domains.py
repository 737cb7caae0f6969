"""The domains of virtual-hosted buckets, as `fuin serve --s3-domain` gives them."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_LONGEST = 253  # RFC 1035 section 2.3.4, without the root's dot


def read_domains(given: Iterable[str]) -> tuple[str, ...]:
    """Return the domains in lower case; raises FuinError for addresses, ports, wildcards and other non-domains."""
    domains = tuple(dict.fromkeys(text.lower().removesuffix(".") for text in given))
    for domain in domains:
        if len(domain) > _LONGEST or not _NAME.fullmatch(domain) or _is_address(domain):
            raise FuinError(f"--s3-domain takes the name of a domain, such as s3.example.com, not {domain}")
    return domains


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
