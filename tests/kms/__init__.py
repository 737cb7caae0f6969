"""Tests of the key service."""
