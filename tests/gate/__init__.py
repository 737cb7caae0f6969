"""Tests of what a request is made of, whichever service it asks."""
