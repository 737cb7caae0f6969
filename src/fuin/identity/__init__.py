"""Accounts, users and access keys: STS, and the administration that `fuin user` and `fuin account` do."""
