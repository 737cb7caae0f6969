"""The proof at rest: each stored message, read raw and held against the index and KMS."""
