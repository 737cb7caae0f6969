"""A node joins its installation: what it takes from the database before it starts, and what makes a folder its own."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fuin.audit.segments import sync_folder, write_durably
from fuin.errors import FuinError
from fuin.server import keyholding
from fuin.store.engine import installation
from fuin.store.engine.configuration import configured_engine, holds_password

if TYPE_CHECKING:
    from fuin.settings import Settings

# The installation's rows in `meta` for all nodes: the sealed root key in hex, and where the blobs are.
ROOT_KEY, BLOBS, ENDPOINT = "root_key", "blobs_url", "blobs_endpoint"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_password(settings: Settings) -> None:
    """Raise FuinError for a password of the database that this process alone would have.

    libpq takes PGPASSWORD, but no child gets it: others can read an environment, and it is copied to each program that
    is started from there.
    """
    if os.environ.get("PGPASSWORD") and not holds_password(settings):
        raise FuinError(
            "PGPASSWORD is not passed on to the processes of a node: put the password into a file as ~/.pgpass is "
            "(mode 600), name it in PGPASSFILE, and unset PGPASSWORD"
        )


def join(settings: Settings) -> Settings:
    """Return the settings with what the installation says, and keep its sealed root key in the node's folder.

    Raises FuinError when there is no installation, when the folder belongs to another node or installation, or when
    the settings name other blobs; SchemaTooOld, SchemaTooNew or StoreUnavailable as the store does.
    """
    values = read_values(settings)
    if ROOT_KEY not in values:
        raise FuinError(f"{configured_engine(settings).place} holds no installation of Fuin; `fuin init` makes it")
    claim_folder(settings)
    keyholding.adopt_root_key(settings, bytes.fromhex(values[ROOT_KEY]))
    return replace(with_blobs(settings, values), account=values["account"])


def read_values(settings: Settings) -> dict[str, str]:
    """Return the installation's values by name; raises NoDatabase, SchemaTooOld, SchemaTooNew or StoreUnavailable."""
    engine = configured_engine(settings)
    engine.prepare(create=False)
    reader = engine.open_reader()
    try:
        values = reader.read(installation.find_values)
    finally:
        reader.close()
    installation.require_finished_move(installation.MOVING in values, engine.place)
    return values


def with_blobs(settings: Settings, values: dict[str, str]) -> Settings:
    """Return the settings with the blobs of the installation; raises FuinError when they name other ones."""
    stored = values.get(BLOBS, "")
    if settings.blobs_url and settings.blobs_url.rstrip("/") != stored.rstrip("/"):
        where = f"in {stored}" if stored else "in the data folder of its one node"
        raise FuinError(f"this installation stores its blobs {where}, and not in {settings.blobs_url}")
    return replace(settings, blobs_url=stored, blobs_endpoint=settings.blobs_endpoint or values.get(ENDPOINT, ""))


def claim_folder(settings: Settings) -> None:
    """Make the data folder this node's own; raises FuinError when it is another node's, or an embedded server's."""
    if not _NAME.fullmatch(settings.node):
        raise FuinError("--node takes up to 63 letters, digits, dots, dashes and underscores")
    if settings.database.exists():
        raise FuinError(f"{settings.data} has the data of an embedded server: a node needs a folder of its own")
    settings.prepare()
    name = name_of(settings)
    if not name:
        write_durably(settings.node_name, settings.node.encode())
        sync_folder(settings.data)
    elif name != settings.node:
        raise FuinError(f"{settings.data} belongs to the node {name}, and not to {settings.node}")


def name_of(settings: Settings) -> str:
    """Return the name of the node that the data folder belongs to, empty if it is no node's."""
    try:
        return settings.node_name.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
