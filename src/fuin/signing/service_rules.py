"""What each service asks of signatures: which headers they must cover, and how long presigned requests are good for.

S3 is stricter than the others, and some of its rules are no rules of Signature V4. Sources: Amazon S3 API Reference,
"Authenticating requests"; what tokens for EKS rely on (15 minutes, whatever they say) and what clients of STS send that
sign `host` and `x-amz-date` alone (a security token outside the signature).
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST_LIFE = 604_800  # seconds: seven days
_QUARTER_OF_AN_HOUR = 900  # seconds


class Rules(NamedTuple):
    """The rules of one service.

    `covered` are the headers that must be signed if they are there: those that say what is asked for. None is every
    x-amz-* header, the security token among them. Elsewhere a token may stand outside: it belongs to its access key, so
    with another one no signature is right.
    """

    covered: tuple[bytes, ...] | None
    life: int | None  # seconds that a presigned request is good for, whatever it says; None: what X-Amz-Expires says
    longest: int = LONGEST_LIFE  # seconds that it is good for where X-Amz-Expires says more


S3 = Rules(None, None)
_OF_SERVICES = {
    "s3": S3,
    "kms": Rules((b"x-amz-target",), None, _QUARTER_OF_AN_HOUR),  # what AWS does with presigned ones is not known
    "sts": Rules((), _QUARTER_OF_AN_HOUR),
    "iam": Rules((), _QUARTER_OF_AN_HOUR),
}


def rules_of(service: str) -> Rules:
    """Return the rules of a service; of one that there is not, the strictest."""
    return _OF_SERVICES.get(service, S3)
