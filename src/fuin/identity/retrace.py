"""Evaluate a recorded decision anew: by today's policies, with the record saying which of them were in force then.

The log holds no texts of policies, only their SHA-256 (access/evidence.py): where a policy has changed since, that is
said, and the reasons of the record remain what decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fuin import ids
from fuin.access import evidence
from fuin.access.ask import Ask
from fuin.access.case import Case, Sheet
from fuin.access.changes import Change, smallest_changes
from fuin.access.explain import Evaluation, explain
from fuin.access.kinds import PolicyKind
from fuin.access.principal import ANONYMOUS
from fuin.errors import FuinError
from fuin.identity import in_force, targets
from fuin.store import buckets, grants, roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from fuin.identity.in_force import Holder

_TAG = "aws:principaltag/"


class CannotRetrace(FuinError):
    """A decision cannot be evaluated anew; the text says why."""


@dataclass(frozen=True, slots=True)
class Retraced:
    """A recorded decision evaluated anew.

    `since` are the labels of policies that were not in force then; `gone` counts those that are not any more.
    """

    case: Case
    evaluation: Evaluation
    changes: tuple[tuple[Change, ...], ...]
    since: frozenset[str]
    gone: int

    @property
    def same_policies(self) -> bool:
        """Tell whether the very policies of that time are in force now."""
        return not self.since and not self.gone


def retrace(conn: Connection, draft: Mapping[str, Any], decision: Mapping[str, Any]) -> Retraced:
    """Return the evaluation of one of a record's decisions; raises CannotRetrace."""
    if "rule" not in decision:
        raise CannotRetrace("the record is of an earlier version, which did not note what decides")
    holder = _holder(conn, draft, decision)
    case = _case(conn, holder, decision)
    ask = Ask(holder.principal, decision["action"], decision["resource"], _facts(draft, decision))
    then = frozenset(decision["policies"])
    now = {sheet.label: evidence.digest(sheet.document) for sheet in case.sheets}
    return Retraced(
        case, explain(case, ask), smallest_changes(case, ask),
        frozenset(label for label, digest in now.items() if digest not in then), len(then - set(now.values())),
    )  # fmt: skip


def _holder(conn: Connection, draft: Mapping[str, Any], decision: Mapping[str, Any]) -> Holder:
    arn = str(draft.get("principal", ""))
    holder = in_force.Holder(ANONYMOUS, "whoever signs nothing") if arn == ANONYMOUS.arn else in_force.find(conn, arn)
    if holder is not None and holder.principal.kind == "federated":
        whose = str(draft.get("facts", {}).get("session", {}).get("of", ""))
        user, federated = in_force.find(conn, whose), holder.principal
        holder = None if user is None else in_force.federated_user(federated.account, federated.name, user)
    if holder is None:
        raise CannotRetrace(f"{arn} is not there any more")
    tags = {
        key.removeprefix(_TAG): values[0] for key, values in decision.get("keys", {}).items() if key.startswith(_TAG)
    }
    principal = holder.principal
    kept = {name.lower(): value for name, value in principal.tags} | tags
    policies = tuple(decision.get("sessionPolicies", ()))
    return replace(holder, principal=replace(principal, tags=tuple(kept.items()), session_policies=policies))


def _case(conn: Connection, holder: Holder, decision: Mapping[str, Any]) -> Case:
    """Return the case of what the decision was about, as it is now."""
    rule, resource = decision["rule"], decision["resource"]
    if rule == "identity":
        return holder.of_own(resource.split(":")[4] if resource.count(":") > 4 else holder.principal.account)
    if rule == "key":
        try:
            key = targets.find_key(conn, resource, "", "")
        except FuinError:
            raise CannotRetrace(f"{resource} is not there any more") from None
        return holder.of_key(key, grants.list_grants_to(conn, key.key_id, key.region, holder.principal))
    if rule == "bucket":
        bucket = buckets.find_bucket(conn, resource.removeprefix(ids.bucket_arn("")).partition("/")[0])
        if bucket is None:
            raise CannotRetrace("the bucket is not there any more")
        return holder.of_bucket(bucket)
    if rule == "role":
        role = roles.find_role(conn, resource.split(":")[4], resource.rpartition("/")[2])
        if role is None:
            raise CannotRetrace(f"{resource} is not there any more")
        return replace(
            holder.of_own(role.account),
            rule="role",
            resource=Sheet("trust policy", PolicyKind.TRUST, role.trust_policy),
        )
    raise CannotRetrace("who may retire a grant is decided by the very grant, which the record does not hold")


def _facts(draft: Mapping[str, Any], decision: Mapping[str, Any]) -> targets.Values:
    """Return the request's condition keys, as far as the policies of that time named them."""
    refused = draft.get("facts", {}).get("refusedUse", {})
    pairs = draft.get("context") or refused.get("context") or {}
    facts: targets.Values = {f"kms:encryptioncontext:{name.lower()}": value for name, value in pairs.items()}
    if decision.get("via"):
        facts |= {"kms:viaservice": decision["via"], "aws:viaawsservice": "true"}
    return facts | {key: tuple(values) for key, values in decision.get("keys", {}).items()}
