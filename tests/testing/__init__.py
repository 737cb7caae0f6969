"""Tests of the helpers in fuin.testing."""
