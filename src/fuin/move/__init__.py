"""Moving an installation between a data folder and PostgreSQL with S3: rows, blobs, logs and the root key.

One run copies what the target lacks. While a server serves the source, it copies only. When none does, it copies the
rest, compares both sides, and only then makes the target usable, in one transaction. It changes nothing in the source
but its audit log, and deletes nothing there.
"""
