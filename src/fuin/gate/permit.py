"""The check of a right: `call.permit(action, resource)`. Every right of every operation is checked here.

An example: Ann (user ann of account 1) calls GenerateDataKey for a key of her account. The operation finds the key and
calls

    call.permit("kms:GenerateDataKey", KeyResource(arn, account, policy, key))

1. `permit` makes the *question*: may this principal do this action to this resource? The facts of the question (its
   condition keys with their values) are not prepared yet, because most policies have no condition.
2. It takes the compiled *policies* from memory: the key policy; Ann's own policies, with those of her groups; and their
   limits, which are her permissions boundary and the policies of her session. Grants are not read yet.
3. The resource *decides*, by the rule of its kind (`access/decide.py`). For a key: an explicit Deny in any policy
   refuses. Otherwise the key policy must allow; if it names only Ann's account, her own policies must allow too. If
   they do not, a grant of the key can allow, and only then are the grants read.
4. If a statement has a condition, the decision asks for facts. Their values are found one by one, when a condition
   needs them: from the request and the resource (`request_keys.py`, and the resource's `condition_keys`), from the
   operation (`more`), and from the principal (`question.py`).
5. The *decision* goes on the request's record, whether it allows or refuses, with its reasons and with the digest of
   each policy. A refusal raises NotAuthorized, which holds the decision.
6. `permit` returns True if no condition was evaluated. Then the decision depends only on principal, action, resource
   and policies, so KMS may reuse it until one of these changes (`kms/reach/key.py`).

If Bob has no right, his refusal is recorded in the same way, and the `faults` of each service make the error text. No
other code may refuse somebody because a right is missing.

A right can be taken away between this check and the commit of a change. So a right that was granted leaves a check
behind, and the commit repeats that check if rights have changed since (`commit.py`). For a resource without a policy,
the repeated check is the same question. For a resource with a policy, the resource must be read again; the operation
says how, with `again` or `call.remember`.
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

    Returns whether no condition was evaluated; then the decision is valid until a policy or an identity changes. `more`
    holds further condition keys, such as kms:EncryptionContext:aws:s3:arn, or is a function that adds them. `catalog`
    is the catalog from which the resource was read, if no await came after that; without it, `permit` asks the store
    for one. `proposed` is the grant that kms:CreateGrant is about to create. `again` repeats the check before a commit;
    for a resource without a policy it is not needed.
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
    """Return the question; its facts are prepared only if a condition asks for one."""
    add_facts = partial(request_keys.add, call, resource, more)
    return decide.Question(call.principal, action, resource.arn, add_facts, proposed)


def _policies(call: Call, resource: Resource, catalog: Catalog | None) -> Policies:
    """Return all policies that decide; only users, roles and federated users have policies of their own."""
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
    """Return the grants of a key to the caller; called only if the policies neither deny nor allow."""
    if call.principal.kind == "anonymous":
        return ()
    *_, region, _, resource = arn.split(":", 5)
    return (catalog or call.services.store.catalog()).grants(resource.removeprefix("key/"), region, call.principal)


def _record(call: Call, question: decide.Question, decision: decide.Decision, rule: str, policies: Policies) -> None:
    """Put the decision on the record, with the policies that were consulted."""
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
