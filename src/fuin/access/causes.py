"""Why a request was allowed or refused: reasons for the audit record, and the policies that they come from."""

from __future__ import annotations

from dataclasses import dataclass

# The kinds of policies, as AWS's sentences tell them apart; the value is what they are called there.
IDENTITY, RESOURCE, TRUST = "identity-based policy", "resource-based policy", "role trust policy"
BOUNDARY, SESSION = "permissions boundary", "session policy"
GRANT, NOWHERE = "grant", ""  # where else a reason can come from; no sentence names them

Origin = tuple[str, int]  # the kind of a policy, and which of those that were given


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of a decision: a sentence, and the policy and statement it speaks of.

    `effect` is Allow or Deny for statements that took effect, and empty for those that only came near. `instead` are
    the actions that such a statement allows instead of the one that is needed.
    """

    text: str
    policy: str
    statement: str
    effect: str
    instead: tuple[str, ...] = ()


@dataclass(slots=True)
class SourcedReason:
    """A reason, and the policy that it comes from."""

    reason: Reason
    origin: Origin
