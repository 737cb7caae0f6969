"""Lifecycle rules of a bucket: their form, the setting, what answers tell of them, and the work."""
