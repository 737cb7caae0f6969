"""The suite's cleaning up, which asks to bypass governance in every bucket.

AWS refuses this in a bucket without Object Lock (recorded by localstack in February 2026). Here it asks so only where
the bucket has it.
"""

from typing import Any

from botocore.exceptions import ClientError


class Cleaner:
    """The client of the cleaning up of one bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        try:
            client.get_object_lock_configuration(Bucket=bucket)
            self._has_lock = True
        except ClientError:
            self._has_lock = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def delete_objects(self, **members: Any) -> Any:
        """Delete objects, and bypass governance only in a bucket with Object Lock."""
        if not self._has_lock:
            members.pop("BypassGovernanceRetention", None)
        return self._client.delete_objects(**members)
