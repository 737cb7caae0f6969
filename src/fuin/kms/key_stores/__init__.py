"""Custom key stores: external key stores and their proxies."""
