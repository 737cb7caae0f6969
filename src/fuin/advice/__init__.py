"""Advice about rights, off the way of requests: who can, why not, what would help, and simulations.

It asks the same resources for their decisions as the gate does, under the names that people know.
"""
