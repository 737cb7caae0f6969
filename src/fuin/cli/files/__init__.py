"""Buckets and objects from the command line: list, copy, print and remove."""
