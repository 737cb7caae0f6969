"""EC2: volumes, their attachments to hosts, their snapshots and tags. The bytes of a volume are on its host's disk."""
