"""The rules of each service for signatures: the headers that must be signed, and how long presigned requests are valid.

S3 is stricter than the others; some of its rules are not part of Signature V4. Sources: Amazon S3 API Reference,
"Authenticating requests"; tokens for EKS, which are valid for 15 minutes, whatever they say; and clients of STS that
sign only `host` and `x-amz-date`, so that the security token is not signed.
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST_LIFE = 604_800  # seconds: seven days
_QUARTER_OF_AN_HOUR = 900  # seconds


class Rules(NamedTuple):
    """The rules of one service.

    `covered` are the headers that must be signed if the request has them, because they choose the operation. None means
    every x-amz-* header, also the security token. In the other services the token may be unsigned: it belongs to one
    access key, and with another token no signature is right.
    """

    covered: tuple[bytes, ...] | None
    life: int | None  # seconds for which a presigned request is valid; None: X-Amz-Expires says it
    longest: int = LONGEST_LIFE  # limit in seconds, if X-Amz-Expires says more


S3 = Rules(None, None)
_RULES = {
    "s3": S3,
    "kms": Rules((b"x-amz-target",), None, _QUARTER_OF_AN_HOUR),  # how AWS treats presigned requests is not known
    "sts": Rules((), _QUARTER_OF_AN_HOUR),
    "iam": Rules((), _QUARTER_OF_AN_HOUR),
    "ec2": Rules((), None, _QUARTER_OF_AN_HOUR),  # as for KMS; its form is signed whole
}


def rules_of(service: str) -> Rules:
    """Return the rules of a service; the strictest rules for an unknown service."""
    return _RULES.get(service, S3)
