"""The names of the Regions that have AWS KMS."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1)
def kms_regions() -> frozenset[str]:
    """Return the Regions of the partition aws that have AWS KMS, by botocore's list; reading it takes 40 ms once."""
    from botocore.loaders import Loader  # noqa: PLC0415  # takes a fifth of the time in which `fuin serve` starts

    partitions = Loader().load_data("endpoints")["partitions"]
    partition = next(each for each in partitions if each["partition"] == "aws")
    return frozenset(partition["regions"]) & frozenset(partition["services"]["kms"]["endpoints"])
