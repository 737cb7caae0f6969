"""Tests of asking external key store proxies."""
