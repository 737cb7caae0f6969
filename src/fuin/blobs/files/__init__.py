"""Blobs as files in folders: a file is written under its id with `.part`, made durable, and renamed to the id."""
