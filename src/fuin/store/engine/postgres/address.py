"""The address of a PostgreSQL database: a URL of libpq, perhaps with several hosts, and the TLS that it asks for."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

_PORT = "5432"
_OWN_ROOTS = Path("~/.postgresql/root.crt")  # where libpq looks by default


@dataclass(frozen=True, slots=True)
class Address:
    """The parameters of a connection to each host, in the order of the URL."""

    hosts: tuple[dict[str, str], ...] = field(repr=False)  # perhaps with a password
    name: str  # for people: hosts and database, without user and password

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL of libpq, `postgresql://USER@HOST:PORT,HOST:PORT/DATABASE?…`; raises StoreUnavailable.

        PGSSLMODE and PGSSLROOTCERT count before what this would choose; but for other hosts than local ones no variable
        that was set for other programs switches the verification off: only the URL can. PGHOSTADDR is refused as
        `hostaddr` is.
        """
        if not url.startswith(("postgresql://", "postgres://")):
            raise StoreUnavailable("the address of the database must begin with postgresql://")
        try:
            given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        except psycopg.ProgrammingError:
            # libpq's own words repeat parts of the address, or all of it with the password.
            raise StoreUnavailable(
                "the address of the database cannot be read: it must be postgresql://USER@HOST:PORT,HOST:PORT/DATABASE "
                "with parameters of libpq behind a question mark and special characters as %XX"
            ) from None
        hosts = given.pop("host", "").split(",")
        ports = given.pop("port", _PORT).split(",")
        if len(ports) not in {1, len(hosts)}:
            raise StoreUnavailable("the address of the database has fewer ports than hosts")
        if "hostaddr" in given or os.environ.get("PGHOSTADDR"):
            raise StoreUnavailable(
                "the address of the database names its hosts by `host` alone, without `hostaddr` or PGHOSTADDR"
            )
        given.setdefault("sslmode", _default_mode(hosts))
        if given["sslmode"].startswith("verify") and "sslrootcert" not in given and (roots := _roots()):
            given["sslrootcert"] = roots
        every = ports * len(hosts) if len(ports) == 1 else ports
        places = tuple({**given, "host": host, "port": port} for host, port in zip(hosts, every, strict=True))
        name = ",".join(f"{host or 'socket'}:{port}" for host, port in zip(hosts, every, strict=True))
        return cls(places, f"postgresql://{name}/{given.get('dbname', '')}")


def is_local(host: str) -> bool:
    """Return whether a host is a Unix socket or the loopback, where nobody else can listen."""
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _default_mode(hosts: Sequence[str]) -> str:
    """Return the `sslmode` of an address that names none."""
    asked = os.environ.get("PGSSLMODE", "")
    if all(map(is_local, hosts)):
        return asked or "prefer"
    return asked if asked.startswith("verify") else "verify-full"


def _roots() -> str:
    """Return the file of the certificate authorities that the system trusts, unless libpq has one of its own."""
    if os.environ.get("PGSSLROOTCERT") or _OWN_ROOTS.expanduser().exists():
        return ""
    return ssl.get_default_verify_paths().cafile or ""
