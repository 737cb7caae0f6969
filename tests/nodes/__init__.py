"""Several nodes as one installation: real servers on a real PostgreSQL, with blobs in one bucket."""
