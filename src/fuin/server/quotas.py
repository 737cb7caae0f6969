"""The request quotas of `fuin serve`, for the command line, which may not import the services."""

from fuin.kms.reach.throttling import read_quotas

__all__ = ["read_quotas"]
