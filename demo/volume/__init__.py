"""A database on an encrypted volume, from its making to its restore under another key."""
