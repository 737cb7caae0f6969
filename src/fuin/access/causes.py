"""Why a request was allowed or refused: reasons for the audit record, and the policies that they come from."""

from __future__ import annotations

from dataclasses import dataclass

# The kinds of policies; the values are AWS's names for them in error messages.
IDENTITY, RESOURCE, TRUST = "identity-based policy", "resource-based policy", "role trust policy"
BOUNDARY, SESSION = "permissions boundary", "session policy"
GRANT, NOWHERE = "grant", ""  # other origins of reasons; AWS's sentences do not name them

Origin = tuple[str, int]  # the kind of a policy, and its index among the policies of that kind


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of a decision: a sentence, and the policy and statement that it is about.

    `effect` is Allow or Deny for a statement that took effect, and empty for a near miss. `instead` holds the actions
    that a near miss allows instead of the action that is needed.
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
