"""Fuin (封印, "seal"): a self-hosted key management service and encrypted object store for AWS clients."""

__version__ = "0.1.0"
