"""Real clients, unchanged, against the real server, on an SSE-KMS bucket, over http and TLS."""
