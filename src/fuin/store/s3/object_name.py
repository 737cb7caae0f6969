"""The name of an object: its bucket, its key, and its version."""

from typing import NamedTuple

UNVERSIONED = "null"  # AWS's name for the version of an object in a bucket without versions


class ObjectName(NamedTuple):
    """An object's name. There is one version of each today, which AWS names `null`."""

    bucket: str
    key: str
    version: str = UNVERSIONED
