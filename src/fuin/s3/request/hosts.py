"""Virtual hosting: the bucket is in the host, below a domain of the server (`--s3-domain`).

Amazon S3 User Guide, "Virtual hosting of general purpose buckets". A host is not guessed at: read in the other style, a
request would be for another bucket, and its signature would hold.
"""

from __future__ import annotations

from functools import lru_cache

_LOCAL = "localhost"  # and all names below it, which are this machine's (RFC 6761 section 6.3)


@lru_cache(maxsize=1024)
def bucket_in_host(host: str, domains: tuple[str, ...]) -> str | None:
    """Return the bucket that a Host header names, or None for path style: on a domain itself, and on all other hosts.

    `domains` are in lower case. What is below two of them is below the longer; what is one itself is below none.
    """
    name = host.partition(":")[0].lower().removesuffix(".")  # an IPv6 address in brackets is below no domain
    if name == _LOCAL or name in domains:
        return None
    found: str | None = None
    for domain in (_LOCAL, *domains):
        if name.endswith(domain) and name[: -len(domain)].endswith("."):
            bucket = name[: -len(domain) - 1]
            found = bucket if found is None or len(bucket) < len(found) else found
    return found
