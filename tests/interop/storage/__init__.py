"""Clients of the object store on buckets under SSE-KMS with versions, with a bucket key or without: `make clients`."""
