"""The blocks of an open disk: read for a snapshot, and written from one."""
