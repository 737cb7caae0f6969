"""The kinds of policies: where each is attached, how long it may be, and which elements it has.

AWS: "IAM and AWS STS quotas" (these do not count white space), "Policies and permissions in IAM", and the quotas of KMS
and S3.
"""

import enum
import re
from dataclasses import dataclass

_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|\s+', re.DOTALL)  # white space of JSON outside of its strings


class PolicyKind(enum.StrEnum):
    """The kind of a policy, by the thing that it is attached to; the value is its name in reasons."""

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
    """The rules of one kind; `size` is in characters, and white space counts only if `counts_space`.

    If `normalized`, `size` is in bytes, without white space outside of strings, as S3 counts.
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
    PolicyKind.BOUNDARY: Rules(6144),  # a managed policy that is used as a boundary
    PolicyKind.SESSION: Rules(2048, counts_space=True),
    PolicyKind.TRUST: Rules(
        4096, has_principal=True, has_resource=False
    ),  # AWS has 2048, and raises it to 4096 on request
    PolicyKind.KEY: Rules(32768, counts_space=True, has_principal=True, plain_sids=False),
    PolicyKind.BUCKET: Rules(20480, normalized=True, has_principal=True, plain_sids=False),
}
SIZE_LIMITS = {kind: rules.size for kind, rules in RULES.items()}


def size_of(document: str, kind: PolicyKind) -> int:
    """Return the size of a document, to be compared with `SIZE_LIMITS`."""
    rules = RULES[kind]
    if rules.normalized:
        document = _SPACE.sub(r"\1", document)
    if rules.normalized or rules.counts_space:
        return len(document.encode(errors="replace"))
    return sum(map(len, document.split()))
