"""The decision: pure rules over compiled policies, with the reasons for it. AWS: "Policy evaluation logic".

An explicit deny anywhere wins. Otherwise each kind of resource has its own rule for who must allow:

* a key: its key policy, or a grant. Either may name the caller, or only the caller's account, which leaves the rest to
  the caller's own policies (KMS Developer Guide, "Key policies" and "Grants in AWS KMS").
* a role that is to be assumed: its trust policy, in the same way (but there are no grants).
* a bucket: the caller's own policies or the bucket policy; for callers of other accounts both.
* anything else: the caller's own policies.

The caller's own policies allow within the limits of its permissions boundary and of its session's policies. What a
resource's policy (or a grant) gives is limited by them or not, by how it names the caller, within one account. AWS,
"How AWS enforcement code logic evaluates requests to allow or deny access":

| named                                     | own policies needed | boundary and session policies limit it |
|-------------------------------------------|---------------------|----------------------------------------|
| the user, the session itself, everyone    | no                  | no                                     |
| the role or user whose session it is      | no                  | yes                                    |
| the account                               | yes                 | yes                                    |

For a caller of another account, whatever is named, its own policies must allow within the limits: "Cross-account
policy evaluation logic".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access import grants as granting
from fuin.access.ask import Ask
from fuin.access.grantees import Standing
from fuin.access.reasons import (
    BOUNDARY,
    GRANT,
    IDENTITY,
    NOWHERE,
    RESOURCE,
    SESSION,
    TRUST,
    Cause,
    Reason,
    denied_by,
    near_misses,
    no_policy_allows,
    sentence,
)
from fuin.access.sides import SILENT, UNLIMITED, Limits, Own, own_side, resource_side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fuin.access.grants import Grant
    from fuin.access.policy import Policy
    from fuin.access.principal import Principal
    from fuin.access.reasons import Origin

__all__ = [
    "UNLIMITED", "Ask", "Decision", "Limits", "Reason", "decide_bucket", "decide_identity", "decide_key",
    "decide_retirement", "decide_role",
]  # fmt: skip

_ROOT = Cause(Reason("the root of an account may do everything that its account may", "", "", "Allow"), (NOWHERE, 0))
# The owner's root may do these whatever the bucket policy denies, so that nobody is locked out for good (S3 API
# Reference, PutBucketPolicy).
_OF_POLICY = frozenset({"s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"})
_RESTRICTED = Cause(
    Reason(
        "the bucket's RestrictPublicBuckets setting keeps a public policy from anonymous callers and other accounts",
        "",
        "",
        "",
    ),
    (NOWHERE, 0),
)
_BY_RESTRICTION = "because public policies are blocked by the RestrictPublicBuckets setting in S3 Block Public Access"
_OWNER = Cause(Reason("the key's account may retire its grants", "", "", "Allow"), (NOWHERE, 0))
_Consulted = list[tuple["Origin", "Policy"]]


@dataclass(slots=True)  # not frozen, which would cost as much as a condition
class Decision:
    """Whether a request is allowed, by which causes, and AWS's sentence about a refusal (empty when allowed)."""

    allowed: bool
    causes: tuple[Cause, ...]
    sentence: str = ""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons alone; `causes` has with each the policy that it comes from."""
        return tuple(cause.reason for cause in self.causes)


def _no_grants() -> Sequence[Grant]:
    return ()


def decide_key(
    ask: Ask,
    key_account: str,
    key_policy: Policy,
    identity: tuple[Policy, ...],
    grants: Callable[[], Sequence[Grant]] = _no_grants,
    limits: Limits = UNLIMITED,
) -> Decision:
    """Decide about a KMS key: the key policy must allow (with the caller's policies if it delegates), or a grant.

    `grants` returns those of the key, at least all that name the caller or its account; it is called only where the
    policies leave the matter open.
    """
    said, own = resource_side(ask, key_policy, limits), own_side(ask, identity, limits)
    if said.denied or own.denied:
        return _denied(ask, said.denied, own.denied)
    allowed = said.allowed if ask.principal.kind != "anonymous" else None  # KMS has no anonymous requests
    missing = RESOURCE
    if allowed is not None:
        causes, missing = _together(ask.principal, key_account, allowed, said.standing, own)
        if causes:
            return Decision(True, causes)
    known = grants()
    causes, by_grant, lacking = _by_grant(ask, key_account, known, own)
    if causes:
        return Decision(True, causes)
    near = tuple(Cause(reason, (GRANT, 0)) for reason in granting.near_misses(ask, known))
    if allowed is None:
        consulted = [((RESOURCE, 0), key_policy), *_of(lacking or IDENTITY, identity, limits)]
        return _refused(ask, lacking or RESOURCE, consulted, by_grant, near)
    return _refused(ask, missing, _of(missing, identity, limits), (allowed,), near)


def _by_grant(
    ask: Ask, key_account: str, grants: Sequence[Grant], own: Own
) -> tuple[tuple[Cause, ...], tuple[Cause, ...], str]:
    """Return the causes of a grant that allows; or a grant that would, and the kind of policy that it lacks.

    A grant to a user or role is enough by itself, also in another account, but not beyond that account's limits.
    """
    near: tuple[Cause, ...] = ()
    lacking = ""
    for grant in grants:
        standing = grant.standing(ask.principal)
        if standing is Standing.NONE or not grant.covers(ask):
            continue
        cause = Cause(grant.reason(ask.action), (GRANT, 0))
        causes, missing = _allowed(cause, own, standing is Standing.ACCOUNT, _is_limited(ask, key_account, standing))
        if causes:
            return causes, (), ""
        near, lacking = (cause,), missing
    return (), near, lacking


def _is_limited(ask: Ask, account: str, standing: Standing) -> bool:
    """Tell whether a boundary and session policies limit what a grant gives to one that it names so."""
    return standing is not Standing.DIRECT or ask.principal.account != account


def decide_retirement(
    ask: Ask,
    grant: Grant | None,
    key_account: str,
    key_policy: Policy,
    identity: tuple[Policy, ...],
    limits: Limits = UNLIMITED,
) -> Decision:
    """Decide who may retire a grant: mostly the grant itself says so, and the key's account may; denials win.

    `grant` is None for one that does not exist. AWS: "Retiring and revoking grants"; a key policy allows it to nobody.
    """
    said, own = resource_side(ask, key_policy, limits), own_side(ask, identity, limits)
    if said.denied or own.denied:
        return _denied(ask, said.denied, own.denied)
    found = [] if grant is None else granting.retirers(grant, ask.principal)
    ways = [(standing, Cause(reason, (GRANT, 0))) for standing, reason in found]
    owning = granting.standing(ids.root_arn(key_account), None, ask.principal)
    if owning is not Standing.NONE:
        ways.append((owning, _OWNER))
    lacking = RESOURCE
    for standing, way in ways:
        causes, lacking = _allowed(way, own, standing is Standing.ACCOUNT, _is_limited(ask, key_account, standing))
        if causes:
            return Decision(True, causes)
    consulted = _of(IDENTITY if lacking is RESOURCE else lacking, identity, limits)
    return _refused(ask, lacking, consulted, tuple(way for _, way in ways))


def decide_role(
    ask: Ask, role_account: str, trust_policy: Policy, identity: tuple[Policy, ...], limits: Limits = UNLIMITED
) -> Decision:
    """Decide who may assume a role: its trust policy must allow, with the caller's policies where it delegates.

    AWS: "Policy evaluation for requests within a single account" puts role trust policies beside key policies.
    """
    said, own = resource_side(ask, trust_policy, limits), own_side(ask, identity, limits)
    if said.denied or own.denied:
        return _denied(ask, said.denied, own.denied, TRUST)
    if said.allowed is None or ask.principal.kind == "anonymous":
        return _refused(ask, TRUST, [((RESOURCE, 0), trust_policy)])
    causes, missing = _together(ask.principal, role_account, said.allowed, said.standing, own)
    if causes:
        return Decision(True, causes)
    return _refused(ask, missing, _of(missing, identity, limits), (said.allowed,))


def decide_bucket(
    ask: Ask,
    bucket_account: str,
    bucket_policy: Policy | None,
    identity: tuple[Policy, ...],
    limits: Limits = UNLIMITED,
    *,
    restricted: bool = False,
) -> Decision:
    """Decide about a bucket or object: inside the account one side is enough, from another account both must allow.

    What a `restricted` bucket's policy allows is for its own account and AWS's services only (public_access.py).
    """
    principal = ask.principal
    if principal.kind == "root" and principal.account == bucket_account and ask.action in _OF_POLICY:
        return Decision(True, (_ROOT,))
    said = resource_side(ask, bucket_policy, limits) if bucket_policy else SILENT
    own = own_side(ask, identity, limits)
    if said.denied or own.denied:
        return _denied(ask, said.denied, own.denied)
    allowed = said.allowed
    consulted = _of(IDENTITY, identity, limits)
    if bucket_policy:
        consulted.append(((RESOURCE, 0), bucket_policy))
    if principal.account == bucket_account and principal.kind in ("root", "user", "role", "federated"):
        if principal.kind == "root":
            return Decision(True, (_ROOT,))
        if own.allowed and not own.missing:
            return Decision(True, (own.allowed, *own.within))
        if allowed is None:
            missing = own.missing if own.allowed and own.missing else IDENTITY
            return _refused(ask, missing, consulted if missing is IDENTITY else _of(missing, identity, limits))
    if allowed is None:
        return _refused(ask, RESOURCE, consulted)
    if restricted and principal.account != bucket_account and principal.kind != "service":
        return Decision(False, (allowed, _RESTRICTED), sentence(ask, _BY_RESTRICTION))
    causes, missing = _together(principal, bucket_account, allowed, said.standing, own)
    return Decision(True, causes) if causes else _refused(ask, missing, _of(missing, identity, limits), (allowed,))


def decide_identity(
    ask: Ask, resource_account: str, identity: tuple[Policy, ...], limits: Limits = UNLIMITED
) -> Decision:
    """Decide about what only the caller's own policies govern, inside the caller's account."""
    own = own_side(ask, identity, limits)
    if own.denied:
        return _denied(ask, None, own.denied)
    if ask.principal.account != resource_account:
        return _refused(ask, RESOURCE, _of(IDENTITY, identity, limits))
    if ask.principal.kind == "root":
        return Decision(True, (_ROOT,))
    missing = IDENTITY
    if own.allowed and ask.principal.kind in ("user", "role", "federated"):
        if not own.missing:
            return Decision(True, (own.allowed, *own.within))
        missing = own.missing
    return _refused(ask, missing, _of(missing, identity, limits))


def _together(
    principal: Principal, account: str, allowed: Cause, standing: Standing, own: Own
) -> tuple[tuple[Cause, ...], str]:
    """Return the causes that allow once the resource's policy does, or none and the kind of policy that is missing."""
    if principal.kind in ("service", "anonymous"):  # they have no account, hence no policies of their own
        return (allowed,), ""
    foreign = principal.account != account
    if standing is Standing.DIRECT and not foreign:
        return (allowed,), ""
    if principal.kind == "root":
        return (allowed, _ROOT), ""
    return _allowed(allowed, own, foreign or standing is Standing.ACCOUNT, limited=True)


def _allowed(cause: Cause, own: Own, needs_identity: bool, limited: bool) -> tuple[tuple[Cause, ...], str]:
    """Return the causes that allow together, or none and the kind of policy that is missing."""
    causes: tuple[Cause, ...] = (cause,)
    if needs_identity:
        if own.allowed is None:
            return (), IDENTITY
        causes = (cause, own.allowed)
    if limited:
        if own.missing:
            return (), own.missing
        causes += own.within
    return causes, ""


def _denied(ask: Ask, by_resource: Cause | None, by_own: Cause | None, resource: str = RESOURCE) -> Decision:
    causes = tuple(cause for cause in (by_resource, by_own) if cause)
    kind = resource if by_resource else causes[0].origin[0]
    return Decision(False, causes, sentence(ask, denied_by(kind)))


def _of(kind: str, identity: tuple[Policy, ...], limits: Limits) -> _Consulted:
    """Return the caller's policies of a kind with their origins."""
    policies = {
        IDENTITY: identity,
        BOUNDARY: (limits.boundary,) if limits.boundary else (),
        SESSION: limits.session,
    }[kind]
    return [((kind, index), policy) for index, policy in enumerate(policies)]


def _refused(
    ask: Ask, kind: str, consulted: _Consulted, allowed: tuple[Cause, ...] = (), near: tuple[Cause, ...] = ()
) -> Decision:
    missing = Reason(f"no {kind} allows {ask.action} on {ask.resource}", "", "", "")
    causes = (*allowed, Cause(missing, (NOWHERE, 0)), *near, *near_misses(ask, consulted))
    return Decision(False, causes, sentence(ask, no_policy_allows(ask, kind)))
