"""The questions of rights: each asks for one, notes the decision on the record, and raises AccessDenied.

Every operation of every service asks through one of these exactly once for each right that it needs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.access import circumstances, decide, evidence
from fuin.access.compiled import compiled
from fuin.access.kinds import PolicyKind
from fuin.errors import AccessDenied

if TYPE_CHECKING:
    from fuin.access.facts import Fill, Given
    from fuin.access.grants import Grant
    from fuin.access.policy import Policy
    from fuin.gate.call import Call
    from fuin.store.catalog import Catalog


def _own(call: Call, catalog: Catalog | None = None) -> tuple[tuple[Policy, ...], decide.Limits]:
    """Return the policies that give the caller rights, and what limits them; only users and roles have any."""
    principal = call.principal
    if principal.kind not in ("user", "role", "federated"):
        return (), decide.UNLIMITED
    catalog = catalog or call.services.store.catalog()
    documents = catalog.role_policies(principal) if principal.kind == "role" else catalog.user_policies(principal)
    identity = tuple([compiled(document, PolicyKind.IDENTITY) for document in documents])
    boundary = catalog.boundary(principal)
    if boundary is None and not principal.session_policies:
        return identity, decide.UNLIMITED
    return identity, decide.Limits(
        None if boundary is None else compiled(boundary, PolicyKind.BOUNDARY),
        tuple([compiled(document, PolicyKind.SESSION) for document in principal.session_policies]),
    )


def _conclude(
    call: Call,
    ask: decide.Ask,
    decision: decide.Decision,
    rule: str,
    resource: Policy | None,
    own: tuple[tuple[Policy, ...], decide.Limits],
) -> bool:
    """Note the decision; raises AccessDenied, and returns whether it holds in whatever circumstances.

    `resource` and `own` are the policies that decided.
    """
    stands = not ask.circumstances_mattered
    identity, limits = own
    consulted = [*identity, *limits.session] if limits.session else [*identity]
    if resource is not None:
        consulted.append(resource)
    if limits.boundary is not None:
        consulted.append(limits.boundary)
    noted = evidence.noted(ask, decision, rule, consulted)
    if call.via:
        noted["via"] = call.via
    call.decisions.append(noted)
    if not decision.allowed:
        raise AccessDenied(decision.sentence)
    return stands


def _ask(
    call: Call, action: str, resource: str, account: str, context: Given | Fill | None, proposed: Grant | None = None
) -> decide.Ask:
    """Return the question; `account` owns the resource. Its facts are gathered only if a condition asks for one."""
    return decide.Ask(call.principal, action, resource, partial(circumstances.add, call, account, context), proposed)


def permit_key(
    call: Call,
    action: str,
    arn: str,
    key_account: str,
    key_policy: str,
    context: Given | Fill | None = None,
    catalog: Catalog | None = None,
    proposed: Grant | None = None,
) -> bool:
    """Check a KMS action on a key against the key policy (where that delegates, the caller's own) and its grants.

    Returns whether no condition was looked at, so that the decision stands until a policy or identity changes.
    Raises AccessDenied. `context` holds more condition keys, such as kms:EncryptionContext:aws:s3:arn, or is what adds
    them. `catalog` is the one from which the key policy was read, if that was since the last await: it saves asking
    for it again. `proposed` is the grant that kms:CreateGrant is to create.
    """
    ask = _ask(call, action, arn, key_account, context, proposed)
    policy = compiled(key_policy, PolicyKind.KEY)
    own = _own(call, catalog)
    grants = partial(_grants, call, arn, catalog)
    decision = decide.decide_key(ask, key_account, policy, own[0], grants, own[1])
    return _conclude(call, ask, decision, "key", policy, own)


def _grants(call: Call, arn: str, catalog: Catalog | None) -> tuple[Grant, ...]:
    """Return the grants of a key to the caller; read only where the policies leave a decision open."""
    if call.principal.kind == "anonymous":
        return ()
    *_, region, _, resource = arn.split(":", 5)
    return (catalog or call.services.store.catalog()).grants(resource.removeprefix("key/"), region, call.principal)


def permit_retirement(
    call: Call,
    grant: Grant | None,
    arn: str,
    key_account: str,
    key_policy: str,
    context: Given | Fill | None = None,
) -> None:
    """Check kms:RetireGrant for a grant (None: one that does not exist) of the key; raises AccessDenied."""
    ask = _ask(call, "kms:RetireGrant", arn, key_account, context)
    policy = compiled(key_policy, PolicyKind.KEY)
    own = _own(call)
    decision = decide.decide_retirement(ask, grant, key_account, policy, *own)
    _conclude(call, ask, decision, "retirement", policy, own)


def permit_bucket(
    call: Call,
    action: str,
    arn: str,
    bucket_account: str,
    bucket_policy: str | None,
    context: Given | Fill | None = None,
    *,
    restricted: bool = False,
) -> None:
    """Check an S3 action on a bucket or object against the caller's policies and the bucket policy.

    `restricted` tells that the policy is public, and that RestrictPublicBuckets keeps it from other accounts.
    """
    ask = _ask(call, action, arn, bucket_account, context)
    policy = compiled(bucket_policy, PolicyKind.BUCKET) if bucket_policy else None
    own = _own(call)
    decision = decide.decide_bucket(ask, bucket_account, policy, *own, restricted=restricted)
    _conclude(call, ask, decision, "bucket", policy, own)


def permit_identity(call: Call, action: str, resource: str, account: str, context: Given | Fill | None = None) -> None:
    """Check an action that only the caller's own policies govern (ListKeys, CreateKey, GenerateRandom, ListBuckets).

    Also the check for a resource that does not exist: whoever would not be allowed to ask learns nothing more.
    """
    ask = _ask(call, action, resource, account, context)
    own = _own(call)
    _conclude(call, ask, decide.decide_identity(ask, account, *own), "identity", None, own)
    call.remember(partial(permit_identity, call, action, resource, account, context))


def permit_role(
    call: Call, action: str, arn: str, account: str, trust_policy: str, context: Given | Fill | None = None
) -> None:
    """Check sts:AssumeRole, or what goes with it, on a role against its trust policy and the caller's own policies."""
    ask = _ask(call, action, arn, account, context)
    policy, own = compiled(trust_policy, PolicyKind.TRUST), _own(call)
    _conclude(call, ask, decide.decide_role(ask, account, policy, *own), "role", policy, own)
