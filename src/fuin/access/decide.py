"""The decision: pure rules over compiled policies, with the reasons for it. AWS: "Policy evaluation logic".

An explicit deny anywhere wins. Otherwise each kind of resource has its own rule for who must allow:

* a key: its key policy, or a grant. Either may name the caller, or only the caller's account, which leaves the rest to
  the caller's own policies (KMS Developer Guide, "Key policies" and "Grants in AWS KMS").
* a bucket: the caller's own policies or the bucket policy; for callers of other accounts both.
* anything else: the caller's own policies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuin import ids
from fuin.access import grants as granting
from fuin.access.ask import Ask
from fuin.access.grantees import Standing
from fuin.access.grants import Grant
from fuin.access.policy import Policy, Statement
from fuin.access.reasons import Reason, near_misses, no_policy_allows, sentence

__all__ = ["Ask", "Decision", "Reason", "decide_bucket", "decide_identity", "decide_key", "decide_retirement"]

_ROOT = Reason("the root of an account may do everything that its account may", "", "", "Allow")
_Found = tuple[Statement | None, Statement | None, Standing]  # deny, best allow, how the allow names the caller


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed, why, and AWS's sentence about a refusal (empty when allowed)."""

    allowed: bool
    reasons: tuple[Reason, ...]
    sentence: str = ""


def _no_grants() -> Sequence[Grant]:
    return ()


def decide_key(
    ask: Ask,
    key_account: str,
    key_policy: Policy,
    identity: tuple[Policy, ...],
    grants: Callable[[], Sequence[Grant]] = _no_grants,
) -> Decision:
    """Decide about a KMS key: the key policy must allow (with the caller's policies if it delegates), or a grant.

    `grants` returns those of the key, at least all that name the caller or its account; it is called only where the
    policies leave the matter open.
    """
    denied, granted, standing = _resource_side(ask, key_policy)
    own_denied, own_granted = _identity_side(ask, identity)
    if denied or own_denied:
        return _denied(ask, denied, own_denied)
    if granted is not None and ask.principal.kind != "anonymous":
        reasons = _together(ask, key_account, granted, standing, own_granted)
        if reasons:
            return Decision(True, reasons)
    known = grants()
    allowing, by_account = _by_grant(ask, known, own_granted)
    if allowing:
        return Decision(True, allowing)
    near = granting.near_misses(ask, known)
    if granted is None or ask.principal.kind == "anonymous":
        kind = "identity" if by_account else "resource"
        return _refused(ask, kind, (key_policy, *identity), by_account, near)
    return _refused(ask, "identity", identity, (granted.reason,), near)


def _by_grant(
    ask: Ask, grants: Sequence[Grant], own: Statement | None
) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Return the reasons of a grant that allows, and of one that would if the caller's own policies did too."""
    by_account: tuple[Reason, ...] = ()
    for grant in grants:
        standing = grant.standing(ask.principal)
        if standing is Standing.NONE or not grant.covers(ask):
            continue
        reason = grant.reason(ask.action)
        if standing is Standing.DIRECT:
            return (reason,), ()
        if own:
            return (reason, own.reason), ()
        by_account = (reason,)
    return (), by_account


def decide_retirement(
    ask: Ask, grant: Grant | None, key_account: str, key_policy: Policy, identity: tuple[Policy, ...]
) -> Decision:
    """Decide who may retire a grant: mostly the grant itself says so, and the key's account may; denials win.

    `grant` is None for one that does not exist. AWS: "Retiring and revoking grants"; a key policy allows it to nobody.
    """
    denied, _, _ = _resource_side(ask, key_policy)
    own_denied, own_granted = _identity_side(ask, identity)
    if denied or own_denied:
        return _denied(ask, denied, own_denied)
    ways = [] if grant is None else list(granting.retirers(grant, ask.principal))
    owning = granting.standing(ids.root_arn(key_account), None, ask.principal)
    if owning is not Standing.NONE:
        ways.append((owning, Reason("the key's account may retire its grants", "", "", "Allow")))
    for standing, reason in ways:
        if standing is Standing.DIRECT:
            return Decision(True, (reason,))
        if own_granted:
            return Decision(True, (reason, own_granted.reason))
    return _refused(ask, "identity" if ways else "resource", identity, tuple(reason for _, reason in ways))


def decide_bucket(
    ask: Ask, bucket_account: str, bucket_policy: Policy | None, identity: tuple[Policy, ...]
) -> Decision:
    """Decide about a bucket or object: inside the account one side is enough, from another account both must allow."""
    denied, granted, standing = _resource_side(ask, bucket_policy) if bucket_policy else (None, None, Standing.NONE)
    own_denied, own_granted = _identity_side(ask, identity)
    if denied or own_denied:
        return _denied(ask, denied, own_denied)
    principal = ask.principal
    consulted = (*identity, bucket_policy) if bucket_policy else identity
    if principal.account == bucket_account and principal.kind in ("root", "user"):
        if principal.kind == "root":
            return Decision(True, (_ROOT,))
        if own_granted:
            return Decision(True, (own_granted.reason,))
        if granted is None:
            return _refused(ask, "identity", consulted)
    if granted is None:
        return _refused(ask, "resource", consulted)
    return _combined(ask, bucket_account, granted, standing, own_granted, identity)


def decide_identity(ask: Ask, resource_account: str, identity: tuple[Policy, ...]) -> Decision:
    """Decide about what only the caller's own policies govern, inside the caller's account."""
    denied, granted = _identity_side(ask, identity)
    if denied:
        return _denied(ask, None, denied)
    if ask.principal.account != resource_account:
        return _refused(ask, "resource", identity)
    if ask.principal.kind == "root":
        return Decision(True, (_ROOT,))
    if granted and ask.principal.kind == "user":
        return Decision(True, (granted.reason,))
    return _refused(ask, "identity", identity)


def _combined(
    ask: Ask, account: str, granted: Statement, standing: Standing, own: Statement | None, identity: tuple[Policy, ...]
) -> Decision:
    """Decide once the resource's policy has granted."""
    reasons = _together(ask, account, granted, standing, own)
    return Decision(True, reasons) if reasons else _refused(ask, "identity", identity, (granted.reason,))


def _together(
    ask: Ask, account: str, granted: Statement, standing: Standing, own: Statement | None
) -> tuple[Reason, ...]:
    """Return the reasons that allow once the resource's policy has granted; none if the caller's own must as well."""
    principal = ask.principal
    if principal.kind in ("service", "anonymous"):  # they have no account, hence no policies of their own
        return (granted.reason,)
    if principal.account == account and standing is Standing.DIRECT:
        return (granted.reason,)
    if principal.kind == "root":
        return (granted.reason, _ROOT)
    return (granted.reason, own.reason) if own else ()


def _resource_side(ask: Ask, policy: Policy) -> _Found:
    granted, best = None, Standing.NONE
    for statement in policy.on_action(ask.action):
        standing = statement.names(ask.principal)
        if standing is Standing.NONE or (statement.effect == "Allow" and standing <= best):
            continue
        if statement.resources(ask.resource) and (not statement.conditions or statement.meets_conditions(ask)):
            if statement.effect == "Deny":
                return statement, None, Standing.NONE
            granted, best = statement, standing
    return None, granted, best


def _identity_side(ask: Ask, policies: tuple[Policy, ...]) -> tuple[Statement | None, Statement | None]:
    granted = None
    for policy in policies:
        for statement in policy.on_action(ask.action):
            if statement.resources(ask.resource) and (not statement.conditions or statement.meets_conditions(ask)):
                if statement.effect == "Deny":
                    return statement, None
                granted = granted or statement
    return None, granted


def _denied(ask: Ask, by_resource: Statement | None, by_identity: Statement | None) -> Decision:
    reasons = tuple(statement.reason for statement in (by_resource, by_identity) if statement)
    kind = "a resource-based" if by_resource else "an identity-based"
    return Decision(False, reasons, sentence(ask, f"with an explicit deny in {kind} policy"))


def _refused(
    ask: Ask,
    kind: str,
    consulted: tuple[Policy, ...],
    granted: tuple[Reason, ...] = (),
    near: tuple[Reason, ...] = (),
) -> Decision:
    missing = Reason(f"no {kind}-based policy allows {ask.action} on {ask.resource}", "", "", "")
    reasons = (*granted, missing, *near, *near_misses(ask, consulted))
    return Decision(False, reasons, sentence(ask, no_policy_allows(ask, kind)))
