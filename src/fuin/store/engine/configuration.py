"""Which database a store has, by the settings: the one place that chooses an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.store.engine.sqlite_engine import SqliteEngine

if TYPE_CHECKING:
    from fuin.settings import Settings
    from fuin.store.engine.engine import Engine
    from fuin.store.engine.postgres.membership import Membership
    from fuin.store.engine.postgres.postgres_engine import PostgresEngine

COMMAND = "command"  # the node of a process that has none, such as a command


def configured_engine(settings: Settings, *, has_lease: bool = False) -> Engine:
    """Return the engine of the settings: SQLite in the data folder, or PostgreSQL; raises StoreUnavailable.

    Without the lease of a node a process on PostgreSQL asks for the epoch each time.
    """
    if not settings.database_url:
        return SqliteEngine(settings.database)
    return _postgres_engine(settings, has_lease=has_lease)


def upgrade_schema(settings: Settings) -> tuple[str, str]:
    """Bring the schema that several nodes share up to date; return its revision before and now.

    Raises NoDatabase, SchemaTooNew, SchemaInUse or StoreUnavailable.
    """
    return _postgres_engine(settings, has_lease=False).upgrade()


def holds_password(settings: Settings) -> bool:
    """Return whether the address of the database holds a password; raises StoreUnavailable."""
    from fuin.store.engine.postgres.address import Address  # noqa: PLC0415 - as below

    return "password" in Address.parse(settings.database_url).hosts[0]


def _postgres_engine(settings: Settings, *, has_lease: bool) -> PostgresEngine:
    # The driver takes 60 ms to import; an embedded server does without.
    from fuin.store.engine.leases.membership import LeaseMembership  # noqa: PLC0415
    from fuin.store.engine.postgres.address import Address  # noqa: PLC0415
    from fuin.store.engine.postgres.postgres_engine import PostgresEngine  # noqa: PLC0415

    address = Address.parse(settings.database_url)
    membership: Membership | None = None
    if has_lease:
        membership = LeaseMembership(settings.lease_page, settings.revocation_bound, address.hosts)
    return PostgresEngine(
        address, settings.node or COMMAND, membership, page=settings.lease_page, bound=settings.revocation_bound
    )
