"""Buckets: made, listed and deleted, their settings and subresources."""
