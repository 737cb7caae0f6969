"""The one thread that serves all peers: it reads their requests, uses keys, writes the records, and answers."""
