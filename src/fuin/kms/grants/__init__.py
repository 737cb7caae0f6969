"""Grants: made, listed, retired and revoked."""
