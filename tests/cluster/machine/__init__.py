"""The parts of an installation as real processes on one machine, and faults of each.

Everything is below one folder and on loopback ports of its own; nothing of the machine's own services is used.
Partitions are made by proxies, one for each way between two parts, so that they need no rights of root.
"""
