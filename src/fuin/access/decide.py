"""The decision about a question: pure rules over compiled policies. AWS: "Policy evaluation logic".

An explicit Deny in any policy wins. Otherwise the kind of resource decides who must allow:

* a key: its key policy, or a grant. Each of them may name the caller. Or it names only the caller's account; then the
  caller's own policies must allow as well (KMS Developer Guide, "Key policies" and "Grants in AWS KMS").
* a role that is to be assumed: its trust policy, in the same way. Roles have no grants.
* a bucket: the caller's own policies or the bucket policy; both, if the caller is of another account.
* anything else: the caller's own policies.

A permissions boundary and session policies always limit the caller's own policies. Within one account, the name that a
resource's policy (or a grant) uses for the caller decides whether they also limit what that policy allows. AWS, "How
AWS enforcement code logic evaluates requests to allow or deny access":

| the policy names                          | own policies needed | boundary and session policies limit it |
|-------------------------------------------|---------------------|----------------------------------------|
| the user, the session itself, everyone    | no                  | no                                     |
| the role or user whose session it is      | no                  | yes                                    |
| the account                               | yes                 | yes                                    |

If the caller is of another account, its own policies must always allow, within their limits: "Cross-account policy
evaluation logic".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access import grants as granting
from fuin.access.causes import BOUNDARY, GRANT, IDENTITY, NOWHERE, RESOURCE, SESSION, TRUST, Reason, SourcedReason
from fuin.access.near_misses import near_misses
from fuin.access.policy_sides import SILENT, UNLIMITED, Limits, OwnVerdict, own_side, resource_side
from fuin.access.principal_element import Match
from fuin.access.question import Question
from fuin.access.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fuin.access.causes import Origin
    from fuin.access.grants import Grant
    from fuin.access.policy import Policy
    from fuin.access.principal import Principal

__all__ = [
    "UNLIMITED",
    "Decision",
    "Limits",
    "Question",
    "Reason",
    "decide_bucket",
    "decide_identity",
    "decide_key",
    "decide_retirement",
    "decide_role",
]  # fmt: skip

_ROOT = SourcedReason(
    Reason("the root of an account may do everything that its account may", "", "", "Allow"), (NOWHERE, 0)
)
# The owner's root may do these whatever the bucket policy denies, so that nobody is locked out for good (S3 API
# Reference, PutBucketPolicy).
_POLICY_ACTIONS = frozenset({"s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"})
_RESTRICTED = SourcedReason(
    Reason(
        "the bucket's RestrictPublicBuckets setting keeps a public policy from anonymous callers and other accounts",
        "",
        "",
        "",
    ),
    (NOWHERE, 0),
)
_RESTRICTION_CAUSE = (
    "because public policies are blocked by the RestrictPublicBuckets setting in S3 Block Public Access"
)
_OWNER = SourcedReason(Reason("the key's account may retire its grants", "", "", "Allow"), (NOWHERE, 0))
_Consulted = list[tuple["Origin", "Policy"]]


@dataclass(slots=True)  # not frozen, which would cost as much as a condition
class Decision:
    """Whether a request is allowed, the causes, and the refusal, which is None if the request is allowed."""

    allowed: bool
    causes: tuple[SourcedReason, ...]
    refusal: Refusal | None = None

    @property
    def sentence(self) -> str:
        """Return AWS's sentence about the refusal, or "" if the request is allowed."""
        return "" if self.refusal is None else self.refusal.sentence

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons alone; `causes` also has the policy of each."""
        return tuple(cause.reason for cause in self.causes)


def no_grants() -> Sequence[Grant]:
    """Return no grants: for resources that have none."""
    return ()


def decide_key(
    question: Question,
    key_account: str,
    key_policy: Policy,
    identity: tuple[Policy, ...],
    grants: Callable[[], Sequence[Grant]] = no_grants,
    limits: Limits = UNLIMITED,
) -> Decision:
    """Decide about a KMS key: the key policy must allow (with the caller's policies if it delegates), or a grant must.

    `grants` returns the grants of the key, at least those that name the caller or its account. It is called only if the
    policies neither deny nor allow.
    """
    said, own = resource_side(question, key_policy, limits), own_side(question, identity, limits)
    if said.denied or own.denied:
        return _refuse_by_deny(question, said.denied, own.denied)
    allowed = said.allowed if question.principal.kind != "anonymous" else None  # KMS has no anonymous requests
    missing_limit = RESOURCE
    if allowed is not None:
        causes, missing_limit = _combine_sides(question.principal, key_account, allowed, said.match, own)
        if causes:
            return Decision(True, causes)
    known = grants()
    causes, by_grant, lacking = _causes_from_grants(question, key_account, known, own)
    if causes:
        return Decision(True, causes)
    near = tuple(SourcedReason(reason, (GRANT, 0)) for reason in granting.near_misses(question, known))
    if allowed is None:
        consulted = [((RESOURCE, 0), key_policy), *_policies_of_kind(lacking or IDENTITY, identity, limits)]
        return _refuse(question, lacking or RESOURCE, consulted, by_grant, near)
    return _refuse(question, missing_limit, _policies_of_kind(missing_limit, identity, limits), (allowed,), near)


def _causes_from_grants(
    question: Question, key_account: str, grants: Sequence[Grant], own: OwnVerdict
) -> tuple[tuple[SourcedReason, ...], tuple[SourcedReason, ...], str]:
    """Return the causes of a grant that allows; or else a grant that would allow, and the kind of policy it lacks.

    A grant to a user or role is enough by itself, also for a caller of another account, but the caller's limits apply.
    """
    near: tuple[SourcedReason, ...] = ()
    lacking = ""
    for grant in grants:
        match = grant.match_principal(question.principal)
        if match is Match.NONE or not grant.covers(question):
            continue
        cause = SourcedReason(grant.reason(question.action), (GRANT, 0))
        causes, missing_limit = _combine_causes(
            cause, own, match is Match.ACCOUNT, _is_limited(question, key_account, match)
        )
        if causes:
            return causes, (), ""
        near, lacking = (cause,), missing_limit
    return (), near, lacking


def _is_limited(question: Question, account: str, match: Match) -> bool:
    """Return whether a boundary and session policies limit a grant that names the caller in this way."""
    return match is not Match.DIRECT or question.principal.account != account


def decide_retirement(
    question: Question,
    grant: Grant | None,
    key_account: str,
    key_policy: Policy,
    identity: tuple[Policy, ...],
    limits: Limits = UNLIMITED,
) -> Decision:
    """Decide who may retire a grant: usually the grant says who may; the key's account may as well; a Deny wins.

    `grant` is None if it does not exist. A key policy cannot allow it. AWS: "Retiring and revoking grants".
    """
    said, own = resource_side(question, key_policy, limits), own_side(question, identity, limits)
    if said.denied or own.denied:
        return _refuse_by_deny(question, said.denied, own.denied)
    found = [] if grant is None else granting.retirers(grant, question.principal)
    ways = [(match, SourcedReason(reason, (GRANT, 0))) for match, reason in found]
    owning = granting.match_principal(ids.root_arn(key_account), None, question.principal)
    if owning is not Match.NONE:
        ways.append((owning, _OWNER))
    lacking = RESOURCE
    for match, way in ways:
        causes, lacking = _combine_causes(way, own, match is Match.ACCOUNT, _is_limited(question, key_account, match))
        if causes:
            return Decision(True, causes)
    consulted = _policies_of_kind(IDENTITY if lacking is RESOURCE else lacking, identity, limits)
    return _refuse(question, lacking, consulted, tuple(way for _, way in ways))


def decide_role(
    question: Question,
    role_account: str,
    trust_policy: Policy,
    identity: tuple[Policy, ...],
    limits: Limits = UNLIMITED,
) -> Decision:
    """Decide who may assume a role: its trust policy must allow, with the caller's policies if it delegates.

    AWS: "Policy evaluation for requests within a single account" puts role trust policies beside key policies.
    """
    said, own = resource_side(question, trust_policy, limits), own_side(question, identity, limits)
    if said.denied or own.denied:
        return _refuse_by_deny(question, said.denied, own.denied, TRUST)
    if said.allowed is None or question.principal.kind == "anonymous":
        return _refuse(question, TRUST, [((RESOURCE, 0), trust_policy)])
    causes, missing_limit = _combine_sides(question.principal, role_account, said.allowed, said.match, own)
    if causes:
        return Decision(True, causes)
    return _refuse_without_own(question, missing_limit, identity, limits, (said.allowed,))


def decide_bucket(
    question: Question,
    bucket_account: str,
    bucket_policy: Policy | None,
    identity: tuple[Policy, ...],
    limits: Limits = UNLIMITED,
    *,
    restricted: bool = False,
) -> Decision:
    """Decide about a bucket or object: inside the account one side is enough; from another account both must allow.

    The policy of a `restricted` bucket allows only its own account and AWS's services (public_access.py).
    """
    principal = question.principal
    if principal.kind == "root" and principal.account == bucket_account and question.action in _POLICY_ACTIONS:
        return Decision(True, (_ROOT,))
    said = resource_side(question, bucket_policy, limits) if bucket_policy else SILENT
    own = own_side(question, identity, limits)
    if said.denied or own.denied:
        return _refuse_by_deny(question, said.denied, own.denied)
    allowed = said.allowed
    consulted = _policies_of_kind(IDENTITY, identity, limits)
    consulted += [((RESOURCE, 0), bucket_policy)] if bucket_policy else []
    if principal.account == bucket_account and principal.kind in ("root", "user", "role", "federated"):
        if principal.kind == "root":
            return Decision(True, (_ROOT,))
        if own.allowed and not own.missing_limit:
            return Decision(True, (own.allowed, *own.allowing_limits))
        if allowed is None:
            return _refuse_in_own_account(question, own, identity, limits, consulted)
    if allowed is None:
        return _refuse(question, RESOURCE, consulted)
    if restricted and principal.account != bucket_account and principal.kind != "service":
        return Decision(False, (allowed, _RESTRICTED), _refusal(question, RESOURCE, cause=_RESTRICTION_CAUSE))
    causes, missing_limit = _combine_sides(principal, bucket_account, allowed, said.match, own)
    return (
        Decision(True, causes) if causes else _refuse_without_own(question, missing_limit, identity, limits, (allowed,))
    )


def _refuse_in_own_account(
    question: Question, own: OwnVerdict, identity: tuple[Policy, ...], limits: Limits, consulted: _Consulted
) -> Decision:
    """Return the refusal of a caller in the bucket's own account, whose policies do not allow the request."""
    if not own.allowed or not own.missing_limit:
        return _refuse(question, IDENTITY, consulted)
    return _refuse_without_own(question, own.missing_limit, identity, limits)


def decide_identity(
    question: Question, resource_account: str, identity: tuple[Policy, ...], limits: Limits = UNLIMITED
) -> Decision:
    """Decide by the caller's own policies alone, for a resource in the caller's account that has no policy."""
    own = own_side(question, identity, limits)
    if own.denied:
        return _refuse_by_deny(question, None, own.denied)
    if question.principal.account != resource_account:
        return _refuse(question, RESOURCE, _policies_of_kind(IDENTITY, identity, limits))
    if question.principal.kind == "root":
        return Decision(True, (_ROOT,))
    missing_limit = IDENTITY
    if own.allowed and question.principal.kind in ("user", "role", "federated"):
        if not own.missing_limit:
            return Decision(True, (own.allowed, *own.allowing_limits))
        missing_limit = own.missing_limit
    return _refuse_without_own(question, missing_limit, identity, limits)


def _combine_sides(
    principal: Principal, account: str, allowed: SourcedReason, match: Match, own: OwnVerdict
) -> tuple[tuple[SourcedReason, ...], str]:
    """Return the causes that allow, given that the resource's policy does; or the kind of policy that is missing."""
    if principal.kind in ("service", "anonymous"):  # they have no account, hence no policies of their own
        return (allowed,), ""
    foreign = principal.account != account
    if match is Match.DIRECT and not foreign:
        return (allowed,), ""
    if principal.kind == "root":
        return (allowed, _ROOT), ""
    return _combine_causes(allowed, own, foreign or match is Match.ACCOUNT, limited=True)


def _combine_causes(
    cause: SourcedReason, own: OwnVerdict, needs_identity: bool, limited: bool
) -> tuple[tuple[SourcedReason, ...], str]:
    """Return the causes that allow together, or no causes and the kind of policy that is missing."""
    causes: tuple[SourcedReason, ...] = (cause,)
    if needs_identity:
        if own.allowed is None:
            return (), IDENTITY
        causes = (cause, own.allowed)
    if limited:
        if own.missing_limit:
            return (), own.missing_limit
        causes += own.allowing_limits
    return causes, ""


def _refuse_by_deny(
    question: Question, by_resource: SourcedReason | None, by_own: SourcedReason | None, resource: str = RESOURCE
) -> Decision:
    causes = tuple(cause for cause in (by_resource, by_own) if cause)
    kind = resource if by_resource else causes[0].origin[0]
    return Decision(False, causes, _refusal(question, kind, explicit=True))


def _policies_of_kind(kind: str, identity: tuple[Policy, ...], limits: Limits) -> _Consulted:
    """Return the caller's policies of a kind with their origins."""
    policies = {
        IDENTITY: identity,
        BOUNDARY: (limits.boundary,) if limits.boundary else (),
        SESSION: limits.session,
    }[kind]
    return [((kind, index), policy) for index, policy in enumerate(policies)]


def _refuse(
    question: Question,
    kind: str,
    consulted: _Consulted,
    allowed: tuple[SourcedReason, ...] = (),
    near: tuple[SourcedReason, ...] = (),
) -> Decision:
    missing = Reason(f"no {kind} allows {question.action} on {question.resource}", "", "", "")
    causes = (*allowed, SourcedReason(missing, (NOWHERE, 0)), *near, *near_misses(question, consulted))
    return Decision(False, causes, _refusal(question, kind))


def _refuse_without_own(
    question: Question,
    kind: str,
    identity: tuple[Policy, ...],
    limits: Limits,
    allowed: tuple[SourcedReason, ...] = (),
) -> Decision:
    """Refuse because none of the caller's own policies of one kind allows it."""
    return _refuse(question, kind, _policies_of_kind(kind, identity, limits), allowed)


def _refusal(question: Question, kind: str, *, explicit: bool = False, cause: str = "") -> Refusal:
    return Refusal(question.principal, question.action, question.resource, kind, explicit, cause=cause)
