"""The request quotas that `fuin serve` is told, for the command line, which does not know the services."""

from fuin.kms.throttling import read_quotas

__all__ = ["read_quotas"]
