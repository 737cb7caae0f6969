"""The tables that belong to no service: the counters, the installation, and the steady time."""

import sqlalchemy as sa

from fuin.store.engine.schema.columns import LONG, TEXT, TIME, column, table

epoch = table(
    "epoch",
    sa.Column("id", sa.Integer, primary_key=True),
    column("value", LONG),
    sa.Column("serial", LONG, server_default=sa.text("0"), nullable=False),
    stays=True,
)

meta = table("meta", sa.Column("name", TEXT, primary_key=True), column("value", TEXT), stays=True)

# How much time has passed, whatever the wall clock says: see fuin/clock.py. One row.
clock = table(
    "clock",
    sa.Column("id", sa.Integer, primary_key=True),
    column("wall", TIME),
    column("steady", TIME),
    column("boot", TEXT),  # names the start of the machine
    column("uptime", TIME),  # seconds since then, as are boottime's
    column("boottime", TIME),
    column("counted", TIME),
    column("jump_limit", TIME),
    column("held", TEXT, null=True),  # ahead or behind, while the wall clock has jumped
    column("since", TIME, null=True),
)
