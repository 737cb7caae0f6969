"""Rows of a database of schema 0014: two keys with versions, and since when those are noncurrent."""

VERSIONED_BUCKET = (
    "INSERT INTO buckets (name, account, region, created, versioning) "
    "VALUES ('old', '123456789012', 'us-east-1', 2.0, 'Enabled')"
)
INSERT_VERSION = (
    "INSERT INTO objects (id, bucket, key, version_id, version_order, is_current, is_delete_marker, etag, size, "
    "modified, headers, metadata, encryption, part_count) "
    "VALUES (:id, 'old', :key, :version, :order, :current, :marker, 'e', 0, :modified, '{}', '{}', '{}', 0)"
)
VERSIONS_OF_BEFORE = [
    {"id": number, "key": key, "version": version, "order": order, "current": current, "marker": marker,
     "modified": modified}
    for number, (key, version, order, current, marker, modified) in enumerate([
        (b"a", "null", 0, 0, 0, 10.0), (b"a", "v1", -20, 0, 0, 20.0), (b"a", "v2", -30, 0, 1, 30.0),
        (b"a", "v3", -40, 1, 0, 40.0), (b"b", "v4", -50, 1, 0, 50.0),
    ], 1)
]  # fmt: skip
SINCE = [(10.0, 20.0), (20.0, 30.0), (30.0, 40.0), (40.0, None), (50.0, None)]  # modified, noncurrent_since
