"""Kinds of policies: what each is attached to, how long it may be, and which elements it has.

AWS: "IAM and AWS STS quotas" (white space does not count there), "Policies and permissions in IAM", and the quotas of
KMS and S3.
"""

import enum
import re
from dataclasses import dataclass

_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|\s+', re.DOTALL)  # of JSON, but not within its texts


class PolicyKind(enum.StrEnum):
    """What a policy is attached to; the value names it in reasons."""

    IDENTITY = "identity policy"  # inline, of a user
    GROUP = "group policy"
    ROLE = "role policy"
    MANAGED = "managed policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "trust policy"  # of a role: who may assume it
    KEY = "key policy"
    BUCKET = "bucket policy"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is particular to a kind; `size` is in characters, without white space where `counts_space` is False.

    Where `normalized`, it is in bytes of the document as S3 has it: without white space between its JSON's parts.
    """

    size: int
    counts_space: bool = False
    normalized: bool = False
    has_principal: bool = False
    has_resource: bool = True
    plain_sids: bool = True  # letters and digits only


RULES = {
    PolicyKind.IDENTITY: Rules(2048),
    PolicyKind.GROUP: Rules(5120),
    PolicyKind.ROLE: Rules(10240),
    PolicyKind.MANAGED: Rules(6144),
    PolicyKind.BOUNDARY: Rules(6144),  # a managed policy, in another use
    PolicyKind.SESSION: Rules(2048, counts_space=True),
    PolicyKind.TRUST: Rules(4096, has_principal=True, has_resource=False),  # 2048, which AWS raises to this on request
    PolicyKind.KEY: Rules(32768, counts_space=True, has_principal=True, plain_sids=False),
    PolicyKind.BUCKET: Rules(20480, normalized=True, has_principal=True, plain_sids=False),
}
SIZE_LIMITS = {kind: rules.size for kind, rules in RULES.items()}


def size_of(document: str, kind: PolicyKind) -> int:
    """Return how much of `SIZE_LIMITS` a document takes."""
    rules = RULES[kind]
    if rules.normalized:
        document = _SPACE.sub(r"\1", document)
    if rules.normalized or rules.counts_space:
        return len(document.encode(errors="replace"))
    return sum(map(len, document.split()))
