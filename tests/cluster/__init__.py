"""Clients of a whole installation, faults, and the rules that what the clients saw must obey."""
