"""An object as a resource: its bucket's policy decides about it."""

from __future__ import annotations

from fuin.access.resources.bucket import BucketResource


class ObjectResource(BucketResource, frozen=True, gc=False):
    """An object, existing or not, in a bucket that exists; `arn` is the object's, all else the bucket's."""
