"""The tables of snapshots' blobs: which there are, which snapshot needs which, and the blocks of pending ones."""

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, LONG, TEXT, TIME, column, table

# Packs of blocks and indexes. The owner is the snapshot under whose keys it is; it may be gone while others need it.
snapshot_blobs = table(
    "snapshot_blobs",
    sa.Column("blob", TEXT, primary_key=True),
    column("snapshot_id", TEXT),
    column("kind", TEXT),  # blocks or index
    column("stored_size", LONG),
    column("created_at", TIME),
    sa.Index("snapshot_blobs_by_owner", "snapshot_id", "kind"),
)

# The blobs that a snapshot needs, with the number of its blocks in each; 0 for an index, and while it is pending.
snapshot_uses = table(
    "snapshot_uses",
    sa.Column("snapshot_id", TEXT, sa.ForeignKey("snapshots.snapshot_id"), primary_key=True),
    sa.Column("blob", TEXT, sa.ForeignKey("snapshot_blobs.blob"), primary_key=True),
    column("blocks", LONG),
    sa.Index("snapshot_uses_by_blob", "blob", "snapshot_id"),
)

# The blocks that were put into a pending snapshot; its index has them when it is completed.
snapshot_blocks = table(
    "snapshot_blocks",
    sa.Column("snapshot_id", TEXT, sa.ForeignKey("snapshots.snapshot_id"), primary_key=True),
    sa.Column("block_index", LONG, primary_key=True),
    column("blob", TEXT),
    column("position", sa.Integer()),  # in the pack
    column("checksum", BYTES),  # encrypted: the SHA-256 of the plaintext
)
