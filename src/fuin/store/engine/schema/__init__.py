"""The tables of all services, each service's in a file of its own, and what statements on them are made of."""

from fuin.store.engine.schema.block_storage import (
    ebs_defaults,
    ec2_tags,
    hosts,
    modifications,
    snapshot_shares,
    snapshots,
    volume_attachments,
    volumes,
)
from fuin.store.engine.schema.columns import BYTES, FLAG, LONG, TEXT, TIME, metadata, parameter, tables_to_move
from fuin.store.engine.schema.identity import (
    access_key_uses,
    access_keys,
    account_aliases,
    accounts,
    attachments,
    credential_reports,
    identities,
    identity_tags,
    inline_policies,
    instance_profile_roles,
    login_profiles,
    managed_policies,
    memberships,
    password_policies,
    policy_versions,
    role_deletions,
    role_uses,
    roles,
)
from fuin.store.engine.schema.kms import (
    aliases,
    custom_key_stores,
    grants,
    key_tags,
    keys,
    materials,
    sealed_materials,
)
from fuin.store.engine.schema.many_nodes import commits, gates, jobs, nodes
from fuin.store.engine.schema.own import clock, epoch, meta
from fuin.store.engine.schema.s3 import (
    blob_intents,
    bucket_settings,
    buckets,
    object_parts,
    objects,
    upload_parts,
    uploads,
)
from fuin.store.engine.schema.snapshot_storage import snapshot_blobs, snapshot_blocks, snapshot_uses

__all__ = [
    "BYTES", "FLAG", "LONG", "TEXT", "TIME", "access_key_uses", "access_keys", "account_aliases", "accounts",
    "aliases", "attachments", "blob_intents", "bucket_settings", "buckets", "clock", "commits",
    "credential_reports", "custom_key_stores", "ebs_defaults", "ec2_tags", "epoch", "gates", "grants",
    "hosts", "identities", "identity_tags", "inline_policies", "instance_profile_roles", "jobs", "key_tags",
    "keys", "login_profiles", "managed_policies", "materials", "memberships", "meta", "metadata",
    "modifications", "nodes", "object_parts", "objects", "parameter", "password_policies", "policy_versions",
    "role_deletions", "role_uses", "roles", "sealed_materials", "snapshot_blobs", "snapshot_blocks",
    "snapshot_shares", "snapshot_uses", "snapshots", "tables_to_move", "upload_parts", "uploads",
    "volume_attachments", "volumes",
]  # fmt: skip
