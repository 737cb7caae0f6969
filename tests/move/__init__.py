"""Moving a server into an installation of many nodes, and back: real servers, a real PostgreSQL, a bucket."""
