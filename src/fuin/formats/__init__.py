"""Bytes to values and back: no keys, no I/O."""
