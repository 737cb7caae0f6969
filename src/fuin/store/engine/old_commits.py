"""The end of the rows in `commits`: nobody asks for a commit once its process has its answer, or has given up."""

from sqlalchemy import Connection, delete, extract, func

from fuin.store.engine import schema

KEPT_SECONDS = 86_400.0  # settlement.py asks for ten seconds; the rest is for people

_REMOVE = delete(schema.commits).where(
    schema.commits.c.made < extract("epoch", func.clock_timestamp()) - schema.parameter("p_age", schema.TIME)
)


def remove_old_commits(conn: Connection, age: float = KEPT_SECONDS) -> int:
    """Remove the rows that are older than an age in seconds, by the server's clock; return how many there were."""
    return conn.execute(_REMOVE, {"p_age": age}).rowcount
