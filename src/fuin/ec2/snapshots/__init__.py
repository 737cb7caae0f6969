"""Snapshots as EC2 has them: made of volumes, copied, shared, described and deleted."""
