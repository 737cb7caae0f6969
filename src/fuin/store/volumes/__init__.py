"""Volumes, their attachments, the hosts that open them, their snapshots and tags: SQL, one file a noun."""
