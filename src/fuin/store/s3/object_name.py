"""The name of an object: its bucket, its key, and its version."""

from typing import NamedTuple

UNVERSIONED = "null"  # AWS's name for the version of an object that has no version id


class ObjectName(NamedTuple):
    """An object's name. Without a `version`, it means the newest one, whichever that is."""

    bucket: str
    key: str
    version: str | None = None
