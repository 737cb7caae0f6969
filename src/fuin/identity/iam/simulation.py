"""SimulatePrincipalPolicy and SimulateCustomPolicy: decisions of policies for actions, resources and context keys.

As on AWS, the real policies of resources and the grants are not used; a request may bring a resource policy. `fuin
simulate` uses the real ones.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fuin.access.kinds import PolicyKind
from fuin.access.principal import Principal
from fuin.access.variables import Variable
from fuin.advice import holders
from fuin.advice.case import LabelledPolicy
from fuin.advice.simulation_results import Simulation, Values, is_key, remove_duplicates, result
from fuin.errors import AccessDenied, MalformedPolicy
from fuin.identity.iam import entities, paging
from fuin.identity.wire import faults
from fuin.identity.wire.faults import QueryFault
from fuin.numbers import whole_number
from fuin.store.identity import groups, identities

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
_ARN = re.compile(r"arn:aws:(iam|sts)::([0-9]{12}):(user|group|role|assumed-role)/(.+)")
_TAG = "aws:principaltag/"
# How much policy one request may have looked at, in characters: more makes smaller pages, and then an error.
_BUDGET = 4 * 1024 * 1024
_RESULTS_AT_MOST = 1000


async def simulate_principal_policy(call: Call, given: Given) -> Output:
    """Return the decisions of the policies of a user, group or role, together with the policies in the request."""
    arn = given["PolicySourceArn"]
    await call.consult(entities.permit, arn)
    found = await call.services.store.read(_source, call.account, arn)
    if found is None:
        raise faults.QueryFault("NoSuchEntity", f"The entity {arn} cannot be found.")
    holder = replace(
        found, policies=(*found.policies, *await _read_policies(given, "PolicyInputList", PolicyKind.MANAGED))
    )
    if given.get("CallerArn", arn) != arn:
        holder = replace(holder, principal=await call.consult(_principal, given["CallerArn"]))
    return await _simulate(given, holder)


async def simulate_custom_policy(call: Call, given: Given) -> Output:
    """Return the decisions of the policies in the request."""
    await call.consult(entities.permit, "*")
    policies = await _read_policies(given, "PolicyInputList", PolicyKind.MANAGED)
    caller = given.get("CallerArn")
    principal = await call.consult(_principal, caller) if caller else _unknown_caller(call.account, _facts(given))
    return await _simulate(given, holders.PrincipalInForce(principal, "the caller", policies))


async def get_context_keys_for_custom_policy(call: Call, given: Given) -> Output:
    """Return the condition keys that policies name, as they are written there."""
    await call.consult(entities.permit, "*")
    return {"ContextKeyNames": _keys(await _read_policies(given, "PolicyInputList", PolicyKind.MANAGED))}


async def get_context_keys_for_principal_policy(call: Call, given: Given) -> Output:
    """Return the condition keys that the policies of a user, group or role name, and those in the request."""
    arn = given["PolicySourceArn"]
    await call.consult(entities.permit, arn)
    found = await call.services.store.read(_source, call.account, arn)
    if found is None:
        raise faults.QueryFault("NoSuchEntity", f"The entity {arn} cannot be found.")
    return {
        "ContextKeyNames": _keys((*found.policies, *await _read_policies(given, "PolicyInputList", PolicyKind.MANAGED)))
    }


def _source(conn: Connection, account: str, arn: str) -> holders.PrincipalInForce | None:
    """Return a user, group or role of the account with its policies."""
    parts = _ARN.fullmatch(arn)
    if parts is None or parts[2] != account:
        return None
    if parts[3] != "group":
        return holders.find(conn, arn)
    group = identities.find(conn, groups.Group, account, parts[4].rpartition("/")[2])
    if group is None or group.arn != arn:
        return None
    principal = Principal("user", arn, account, group.id, group.name)
    return holders.PrincipalInForce(principal, f"group {group.name}", holders.group_policies(conn, group))


def _principal(call: Call, arn: str) -> Principal:
    """Return the caller that an ARN names; it need not exist. Raises InvalidInput."""
    parts = _ARN.fullmatch(arn)
    if parts is None:
        raise QueryFault("InvalidInput", f"Invalid Caller ARN: {arn}")
    if parts[2] == call.account and _may_simulate(call, arn):
        found = call.services.store.look_up(_source, call.account, arn)
        if found is not None:
            return found.principal
    account, kind, name = parts[2], parts[3], parts[4].rpartition("/")[2]
    if kind in ("role", "assumed-role"):
        return Principal("role", arn, account, f"AROA:{name}", name, identity_arn=arn if kind == "role" else "")
    return Principal("user", arn, account, "AIDA", name)


def _may_simulate(call: Call, arn: str) -> bool:
    """Return whether the caller's simulations may use a principal's tags; without this right they use its ARN only."""
    noted = len(call.decisions)
    try:
        entities.permit(call, arn, action="SimulatePrincipalPolicy")
    except AccessDenied:
        return False
    finally:
        del call.decisions[noted:]  # it decides what is simulated, not whether
    return True


def _unknown_caller(account: str, facts: Values) -> Principal:
    """Return a caller made from the context keys alone."""
    named = {key.lower(): value for key, value in facts.items() if isinstance(value, str)}
    name = named.get("aws:username", "")
    arn = named.get("aws:principalarn", f"arn:aws:iam::{account}:user/{name}")
    return Principal("user", arn, account, named.get("aws:userid", ""), name)


async def _read_policies(given: Given, member: str, kind: PolicyKind) -> tuple[LabelledPolicy, ...]:
    """Return policies that a request holds, compiled beside the event loop: they may be long; raises InvalidInput."""
    found = enumerate(given.get(member, ()), 1)
    policies = tuple(
        LabelledPolicy(f"{member}.{number}", kind, text, source=f"{member}.{number}") for number, text in found
    )
    await asyncio.to_thread(_compile, policies)
    return policies


def _compile(policies: Sequence[LabelledPolicy]) -> None:
    for policy in policies:
        try:
            policy.compiled_policy  # noqa: B018 - the policy remembers it
        except MalformedPolicy as error:
            raise QueryFault("InvalidInput", f"Error parsing the policy. {policy.label}: {error}") from None


def _facts(given: Given) -> Values:
    """Return the context keys that were given; a key of a list type, or with several values, is multivalued."""
    facts: Values = {}
    for entry in given.get("ContextEntries", ()):
        name, values = entry.get("ContextKeyName"), tuple(entry.get("ContextKeyValues", ()))
        if name and values:
            single = len(values) == 1 and not entry.get("ContextKeyType", "").endswith("List")
            facts[name] = values[0] if single else values
    return facts


async def _simulate(given: Given, holder: holders.PrincipalInForce) -> Output:
    facts = _facts(given)
    tags = {key[len(_TAG) :]: str(value) for key, value in facts.items() if key.lower().startswith(_TAG)}
    principal = replace(holder.principal, tags=tuple({**dict(holder.principal.tags), **tags}.items()))
    boundaries = await _read_policies(given, "PermissionsBoundaryPolicyInputList", PolicyKind.BOUNDARY)
    if len(boundaries) > 1:
        raise QueryFault("InvalidInput", "Only one permissions boundary can be simulated.")
    simulation = Simulation(
        principal, holder.policies, boundaries[0] if boundaries else holder.boundary, await _resource_policy(given),
        given["ResourceOwner"].removeprefix("arn:aws:iam::").partition(":")[0] if "ResourceOwner" in given else None,
        facts,
    )  # fmt: skip
    actions, resources = (
        list(dict.fromkeys(given["ActionNames"])),
        list(dict.fromkeys(given.get("ResourceArns", ["*"]))),
    )
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise QueryFault("InvalidInput", f"Invalid Action Name: {action}")
    after, limit = paging.bounds(given)
    begin = _begin(after)
    page = actions[begin : begin + min(limit, _actions_per_page(simulation, len(resources)))]
    # Beside the event loop: a page may take tenths of a second.
    results = await asyncio.to_thread(lambda: [result(simulation, action, resources) for action in page])
    end = begin + len(page)
    if end >= len(actions):
        return {"EvaluationResults": results, "IsTruncated": False}
    return {"EvaluationResults": results, "IsTruncated": True, "Marker": paging.marker_of(str(end))}


def _begin(after: str) -> int:
    begin = whole_number(after or "0", 0, 999_999_999)
    if begin is None:
        raise faults.QueryFault("ValidationError", "Invalid Marker.")
    return begin


def _actions_per_page(simulation: Simulation, resources: int) -> int:
    policies = (*simulation.policies, simulation.boundary, simulation.resource)
    work = resources * (1000 + sum(len(policy.document) for policy in policies if policy is not None))
    if work > _BUDGET or resources > _RESULTS_AT_MOST:
        raise QueryFault("InvalidInput", "The policies are too long for so many resources in one simulation.")
    return max(1, min(_BUDGET // work, _RESULTS_AT_MOST // resources))


async def _resource_policy(given: Given) -> LabelledPolicy | None:
    document = given.get("ResourcePolicy")
    if document is None:
        return None
    kind = PolicyKind.KEY if any(map(is_key, given.get("ResourceArns", ()))) else PolicyKind.BUCKET
    policy = LabelledPolicy("ResourcePolicy", kind, document, source="ResourcePolicy")
    await asyncio.to_thread(_compile, (policy,))
    return policy


def _keys(policies: Iterable[LabelledPolicy]) -> list[str]:
    statements = [statement for policy in policies for statement in policy.compiled_policy.statements]
    conditions = [condition for statement in statements for condition in statement.conditions]
    templates = [template for statement in statements for template in statement.templates]
    templates += [template for condition in conditions for template in condition.templates]
    variables = [piece.written for one in templates for piece in one.pieces if isinstance(piece, Variable)]
    return remove_duplicates([*variables, *(condition.written for condition in conditions)])
