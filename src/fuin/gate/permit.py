"""The question of rights: `call.permit(action, resource)`. Every right of every operation is asked for here, once.

Ann (user ann of account 1) calls GenerateDataKey for a key of her account. The operation has found the key and says

    call.permit("kms:GenerateDataKey", KeyResource(arn, account, policy, key))

1. The *question* is put together: may this principal do this action to this resource? Its facts (condition keys with
   their values) are not gathered yet: most policies have no condition.
2. The *policies* are taken from memory, compiled: the key policy, Ann's own policies with those of her groups, and what
   limits them, which is her permissions boundary and the policies of her session. Grants wait until they are needed.
3. The resource *decides*. A key says: an explicit Deny anywhere refuses; else the key policy must allow, and where it
   names only Ann's account, her own policies must allow as well; else a grant must.
4. A condition that is looked at on the way asks for a fact. Then the facts are gathered, from the request
   (`request_keys.py`), from the resource (its `add_facts`), from the operation (`more`) and from the principal.
5. The *decision*, with its reasons and with the digest of each policy, goes on the request's record, whether it allows
   or refuses. A refusal raises NotAuthorized, which carries the decision.
6. `permit` returns whether no condition was looked at. Then the answer depends only on who, what and which policies, so
   KMS may keep it until one of these changes (`kms/reach/key.py`).

Bob has no right. His refusal is recorded in the same way, and each service words it once, in its `faults`. Nothing else
in the house may refuse somebody for want of a right.

Rights can be taken away between the question and the commit of a change. So a right that was granted leaves a check,
which the commit repeats if rights have moved (`commit.py`). For what only the caller's own policies govern, that is the
same question; anyone who asks for a resource with a policy must read the resource anew, and says how (`again`, or
`call.remember`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.access import decide, evidence, request_keys
from fuin.access.kinds import PolicyKind
from fuin.access.policy_cache import compile_policy
from fuin.access.refusals import NotAuthorized
from fuin.access.resources.resource import Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.access.facts import AddFacts, Given, Values
    from fuin.access.grants import Grant
    from fuin.access.policy import Policy
    from fuin.access.resources.resource import KeyProperties, Resource
    from fuin.gate.call import Call
    from fuin.store.catalog import Catalog


def permit(
    call: Call,
    action: str,
    resource: Resource,
    more: Given | AddFacts | None = None,
    *,
    catalog: Catalog | None = None,
    proposed: Grant | None = None,
    again: Callable[[], object] | None = None,
) -> bool:
    """Check a right and put the decision on the record; raises NotAuthorized.

    Returns whether no condition was looked at, so that the decision holds until a policy or an identity changes.
    `more` holds further condition keys, such as kms:EncryptionContext:aws:s3:arn, or is what adds them. `catalog` is
    the one from which the resource was read, if that was since the last await: it saves asking for it again.
    `proposed` is the grant that kms:CreateGrant is to create. `again` repeats the check before a commit; the right to
    what has no policy repeats itself.
    """
    question = new_question(call, action, resource, more, proposed)
    policies = _policies(call, resource, catalog)
    decision = resource.decide(question, policies)
    _record(call, question, decision, resource.rule, policies)
    if decision.refusal is not None:
        raise NotAuthorized(decision.refusal, decision)
    if again is not None:
        call.remember(again)
    elif resource.kind is None:
        call.remember(partial(permit, call, action, resource, more))
    return not question.used_conditions


def new_question(
    call: Call, action: str, resource: Resource, more: Given | AddFacts | None, proposed: Grant | None
) -> decide.Question:
    """Return the question; its facts are gathered only if a condition asks for one."""
    add_facts = partial(request_keys.add, call, resource, more)
    return decide.Question(call.principal, action, resource.arn, add_facts, proposed)


def _policies(call: Call, resource: Resource, catalog: Catalog | None) -> Policies:
    """Return all policies in play; only users and roles have any of their own."""
    kind, document = resource.kind, resource.policy
    policy = None if kind is None or document is None else compile_policy(document, kind)
    grants = partial(_grants, call, resource.arn, catalog) if kind is PolicyKind.KEY else decide.no_grants
    principal = call.principal
    if principal.kind not in ("user", "role", "federated"):
        return Policies(policy, (), decide.UNLIMITED, grants)
    catalog = catalog or call.services.store.catalog()
    documents = catalog.role_policies(principal) if principal.kind == "role" else catalog.user_policies(principal)
    identity = tuple([compile_policy(document, PolicyKind.IDENTITY) for document in documents])
    boundary = catalog.boundary(principal)
    if boundary is None and not principal.session_policies:
        return Policies(policy, identity, decide.UNLIMITED, grants)
    limits = decide.Limits(
        None if boundary is None else compile_policy(boundary, PolicyKind.BOUNDARY),
        tuple([compile_policy(document, PolicyKind.SESSION) for document in principal.session_policies]),
    )
    return Policies(policy, identity, limits, grants)


def _grants(call: Call, arn: str, catalog: Catalog | None) -> tuple[Grant, ...]:
    """Return the grants of a key to the caller; read only where the policies leave a decision open."""
    if call.principal.kind == "anonymous":
        return ()
    *_, region, _, resource = arn.split(":", 5)
    return (catalog or call.services.store.catalog()).grants(resource.removeprefix("key/"), region, call.principal)


def _record(call: Call, question: decide.Question, decision: decide.Decision, rule: str, policies: Policies) -> None:
    """Put the decision on the record, with the policies that decided."""
    policy, identity, limits, _ = policies
    consulted: list[Policy] = [*identity, *limits.session] if limits.session else [*identity]
    if policy is not None:
        consulted.append(policy)
    if limits.boundary is not None:
        consulted.append(limits.boundary)
    record = evidence.decision_record(question, decision, rule, consulted)
    if call.via:
        record["via"] = call.via
    call.decisions.append(record)


def aliases_of(call: Call, key: KeyProperties) -> Values:
    """Return the names of all aliases of a key (kms:ResourceAliases)."""
    return call.services.store.catalog().alias_names(key.account, key.region, key.key_id)
