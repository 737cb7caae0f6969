"""Inputs that nobody would send on purpose: the service answers each of them, quickly, and never with a 500."""
