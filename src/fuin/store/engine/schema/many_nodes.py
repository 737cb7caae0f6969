"""The tables of an installation of many nodes; in an embedded database they are empty."""

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, LONG, TEXT, TIME, column, table

nodes = table(
    "nodes",
    sa.Column("name", TEXT, primary_key=True),
    column("incarnation", BYTES),  # 16 random bytes of each start
    column("beat", LONG),  # counts the renewals
    column("acked", LONG),  # the epoch in force there
    column("joined", TIME),
    column("renewed", TIME),  # by the node's wall clock, for people
    column("lease", TIME),  # its length, in seconds
    column("version", TEXT),
    column("address", TEXT),
    column("load", TEXT),
    column("log_head", TEXT),
    stays=True,
)

# One row for each node that writes. A transaction locks the row of its own node, and a change that can take a right
# locks all of them: docs/decisions/0019.
gates = table("gates", sa.Column("node", TEXT, primary_key=True), column("serial", LONG), stays=True)

# One row for each transaction: anyone who has lost the answer to a COMMIT looks for it here.
commits = table(
    "commits",
    sa.Column("id", BYTES, primary_key=True),
    column("node", TEXT),
    column("made", TIME),
    sa.Index("commits_by_age", "made"),
    stays=True,
)

# Timed work that one node does for all.
jobs = table(
    "jobs",
    sa.Column("name", TEXT, primary_key=True),
    column("node", TEXT),
    column("incarnation", BYTES),
    column("beat", LONG),
    stays=True,
)
