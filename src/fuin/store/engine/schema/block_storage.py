"""The tables of volumes and snapshots: what EC2 and the EBS direct APIs show, and the hosts that see the disks."""

from typing import Any

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, FLAG, LONG, TEXT, TIME, column, partial_index, table


def _account_column() -> sa.Column[Any]:
    return column("account", TEXT, sa.ForeignKey("accounts.account"))


def _data_key_columns() -> tuple[sa.Column[Any], ...]:
    """Return the columns of a data key that is stored encrypted beside what it encrypts."""
    return (
        column("kms_key_arn", TEXT),
        column("kms_material_id", BYTES, null=True),  # NULL: the stored data key does not name its key material
        column("data_key", BYTES),  # a ciphertext blob
        column("context_id", TEXT),  # the id in the blob's encryption context, aws:ebs:id
    )


def _token_columns() -> tuple[sa.Column[Any], ...]:
    """Return the columns by which a repeated request is recognised: its ClientToken, and a digest of the request."""
    return column("client_token", TEXT), column("request_digest", BYTES)


# Machines that open volumes. A host has credentials of its own, and no policies: its rights are its grants.
hosts = table(
    "hosts",
    sa.Column("host_id", TEXT, primary_key=True),  # i-…, as an instance has on AWS
    _account_column(),
    column("region", TEXT),
    column("zone", TEXT),
    column("name", TEXT),
    column("access_key_id", TEXT),
    column("sealed_secret", BYTES),
    column("created_at", TIME),
    sa.UniqueConstraint("access_key_id", name="hosts_by_access_key"),
    sa.UniqueConstraint("account", "region", "name", name="hosts_by_name"),
)

volumes = table(
    "volumes",
    sa.Column("volume_id", TEXT, primary_key=True),
    _account_column(),
    column("region", TEXT),
    column("zone", TEXT),
    column("size", LONG),  # GiB
    column("volume_type", TEXT),
    column("iops", sa.Integer()),  # 0: the type has none
    column("throughput", sa.Integer()),  # MiB/s; 0: the type has none
    column("state", TEXT),  # creating, available, in-use, deleting or error
    *_data_key_columns(),
    column("snapshot_id", TEXT),  # that the volume was made from; empty: from none
    *_token_columns(),
    column("created_at", TIME),
    column("home", TEXT),  # the host that has the disk; empty: no host has made one yet
    column("is_formatted", FLAG),  # the host has made the disk
    column("is_filled", FLAG),  # the host has written the snapshot's blocks to it; 1 also without a snapshot
    sa.Index("volumes_by_account", "account", "region", "volume_id"),
    sa.Index("volumes_by_kms_key", "kms_key_arn", "kms_material_id", "volume_id", "size"),
    sa.Index("volumes_by_snapshot", "snapshot_id", "volume_id"),
    partial_index("volumes_by_token", "account", "region", "client_token", unique=True, where="client_token <> ''"),
)

# Named apart from `attachments`, which are those of managed policies.
volume_attachments = table(
    "volume_attachments",
    sa.Column("volume_id", TEXT, sa.ForeignKey("volumes.volume_id"), primary_key=True),
    column("host_id", TEXT, sa.ForeignKey("hosts.host_id")),
    column("device", TEXT),
    column("state", TEXT),  # attaching, attached, busy or detaching
    column("grant_id", TEXT),
    column("key_arn", TEXT),  # of the key that the grant is for
    column("attached_at", TIME),
    column("delete_on_termination", FLAG),
    column("message", TEXT),  # the last one from the host
    column("fill_grant_id", TEXT),  # the grant for the data key of the snapshot to fill from; empty: no such grant
    sa.Index("attachments_of_host", "host_id", "volume_id"),
)

# The changes of a volume's size, type and speed; a row stays after its end.
modifications = table(
    "modifications",
    sa.Column("volume_id", TEXT, sa.ForeignKey("volumes.volume_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer(), primary_key=True),  # counted from 1 for each volume
    column("state", TEXT),  # modifying, optimizing, completed or failed
    column("started_at", TIME),
    column("ended_at", TIME, null=True),
    column("old_size", LONG),
    column("old_type", TEXT),
    column("old_iops", sa.Integer()),
    column("old_throughput", sa.Integer()),
    column("size", LONG),
    column("volume_type", TEXT),
    column("iops", sa.Integer()),
    column("throughput", sa.Integer()),
)

# What an account has set for a Region; without a row new volumes are encrypted under alias/aws/ebs.
ebs_defaults = table(
    "ebs_defaults",
    sa.Column("account", TEXT, sa.ForeignKey("accounts.account"), primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    column("by_default", FLAG),
    column("key_id", TEXT),  # a key's ARN; empty: alias/aws/ebs
)

ec2_tags = table(
    "ec2_tags",
    sa.Column("account", TEXT, sa.ForeignKey("accounts.account"), primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    sa.Column("resource_id", TEXT, primary_key=True),
    sa.Column("key", TEXT, primary_key=True),
    column("value", TEXT),
)

snapshots = table(
    "snapshots",
    sa.Column("snapshot_id", TEXT, primary_key=True),
    _account_column(),
    column("region", TEXT),
    column("volume_id", TEXT),  # vol-ffffffff for a copy, as on AWS
    column("size", LONG),  # of the volume, GiB
    column("state", TEXT),  # pending, completed or error
    column("progress", sa.Integer()),  # percent
    column("message", TEXT),  # why it failed; empty: it did not
    column("description", TEXT),
    column("started_at", TIME),
    column("completed_at", TIME, null=True),
    *_data_key_columns(),
    column("parent_id", TEXT),  # the snapshot that it was begun from; empty: a whole one
    *_token_columns(),
    column("timeout_minutes", sa.Integer()),  # without a write before it is an error; 0: none
    column("last_write_at", TIME),
    column("index_blob", TEXT),  # empty until it is completed
    column("block_count", LONG),
    sa.Index("snapshots_by_account", "account", "region", "snapshot_id"),
    sa.Index("snapshots_by_volume", "volume_id", "started_at"),
    sa.Index("snapshots_by_kms_key", "kms_key_arn", "kms_material_id", "snapshot_id", "size"),
    partial_index("snapshots_pending", "state", "snapshot_id", where="state = 'pending'"),
    partial_index("snapshots_by_token", "account", "region", "client_token", unique=True, where="client_token <> ''"),
)

# The accounts that may see a snapshot and copy it, beside its own.
snapshot_shares = table(
    "snapshot_shares",
    sa.Column("snapshot_id", TEXT, sa.ForeignKey("snapshots.snapshot_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("account", TEXT, primary_key=True),
    sa.Index("snapshots_shared_with", "account", "snapshot_id"),
)
