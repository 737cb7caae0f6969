"""Objects: stored, read, copied, deleted, and their index."""
