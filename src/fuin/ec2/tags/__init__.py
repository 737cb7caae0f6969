"""The tags of volumes and snapshots."""
