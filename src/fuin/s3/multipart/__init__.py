"""Multipart uploads: begun, filled with parts, completed and aborted."""
