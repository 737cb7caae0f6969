"""An object as a resource: the policy of its bucket decides."""

from __future__ import annotations

from fuin.access.resources.bucket import BucketResource


class ObjectResource(BucketResource, frozen=True, gc=False):
    """An object, whether it exists or not, in a bucket that exists; `arn` is the object's, all else is the bucket's."""
