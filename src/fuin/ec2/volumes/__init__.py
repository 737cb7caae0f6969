"""The life of a volume: made, described, modified, attached, detached and deleted."""
