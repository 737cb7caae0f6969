"""Plug-in for pytest in the suite's environment: what a user of AWS does today, and the older suite does not.

Each module makes one adaptation. One that changes how a test asks for something is noted with the test, so that the
results show which tests pass as they are written. `plugin.py` puts them in place.
"""
