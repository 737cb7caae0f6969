"""KMS keys: made, described, named by aliases, tagged, scheduled for deletion, and their policies."""
