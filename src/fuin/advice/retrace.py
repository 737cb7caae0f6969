"""Evaluate a recorded decision again, with today's policies.

The log does not hold the texts of policies, but their SHA-256 (access/evidence.py). So the result says which of today's
policies were already in force at that time. If a policy has changed since, only the reasons in the record say what
decided then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fuin import ids
from fuin.access import evidence
from fuin.access.grants import Grant
from fuin.access.principal import ANONYMOUS
from fuin.access.question import Question
from fuin.access.resources.bucket import BucketResource
from fuin.access.resources.key import KeyResource, RetirementResource
from fuin.access.resources.own import OwnResource
from fuin.access.resources.role import RoleResource
from fuin.advice import holders, targets
from fuin.advice.case import Case
from fuin.advice.explain import Evaluation, explain
from fuin.advice.repairs import Change, smallest_changes
from fuin.errors import FuinError
from fuin.formats import notes
from fuin.store.identity import roles
from fuin.store.kms import grants
from fuin.store.s3 import buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from fuin.advice.case import KeyTest
    from fuin.advice.holders import PrincipalInForce
    from fuin.store.kms.keys import Key

# The keys that follow from the principal, the key and the resource, for every request.
_LASTING_KEYS = (
    "aws:principal",
    "aws:userid",
    "aws:username",
    "kms:calleraccount",
    "kms:viaservice",
    "aws:viaawsservice",
)
_CONTEXT = "kms:encryptioncontext"
_TAG = "aws:principaltag/"


class CannotRetrace(FuinError):
    """A decision cannot be evaluated again; the text says why."""


@dataclass(frozen=True, slots=True)
class Retraced:
    """A recorded decision that was evaluated again.

    `since` has the labels of policies that were not in force at that time, and `gone` is the number of policies that
    are no longer in force. `then` says whether the request was allowed at that time. `untold` is True if session
    policies decided too, and the record does not hold their texts.
    """

    case: Case
    evaluation: Evaluation
    changes: tuple[tuple[Change, ...], ...]
    since: frozenset[str]
    gone: int
    then: bool
    untold: bool = False

    @property
    def same_policies(self) -> bool:
        """Return whether exactly the policies of that time are in force now."""
        return not self.since and not self.gone


def retrace(conn: Connection, draft: Mapping[str, Any], decision: Mapping[str, Any]) -> Retraced:
    """Return the evaluation of one of a record's decisions; raises CannotRetrace."""
    if "rule" not in decision:
        raise CannotRetrace("the record is from an earlier version, which did not note the rule that decides")
    if notes.is_note(decision["resource"]):
        raise CannotRetrace("the record knows what it is about by its hash only")
    holder = _holder(conn, draft, decision)
    case = _case(conn, holder, draft, decision)
    then, of_session = frozenset(decision["policies"]), _session_digests(decision)
    now = {policy.label: evidence.digest(policy.document) for policy in case.policies}
    case = replace(case, knows=_recorded_key_test(case, draft, decision))
    question = Question(holder.principal, decision["action"], decision["resource"], _facts(draft, decision))
    return Retraced(
        case, explain(case, question), smallest_changes(case, question),
        frozenset(label for label, digest in now.items() if digest not in then),
        len(then - set(now.values()) - of_session), bool(decision["allowed"]), bool(of_session),
    )  # fmt: skip


def _recorded_key_test(case: Case, draft: Mapping[str, Any], decision: Mapping[str, Any]) -> KeyTest:
    """Return a function that says whether the record is certain about a condition key: a missing one was absent.

    If a condition was evaluated, the record holds the keys that the policies of that time name.
    """
    then = frozenset(decision["policies"])
    noted = [policy.compiled_policy.evidence for policy in case.policies]
    named = frozenset[str]().union(*(one.keys for one in noted if one.digest in then))
    looked_at = not decision["allowed"] or "keys" in decision
    context = _context(draft, decision)
    whole = context is not None and not notes.is_note(context)
    recorded = _keys(decision)
    lost = notes.is_note(decision.get("keys"))  # the record has only the hash of some keys
    unsure = {key for key, values in recorded.items() if not _is_whole(values)}

    def is_known(key: str) -> bool:
        if key in unsure:
            return False
        if key.startswith(_LASTING_KEYS) or (whole and key.startswith(_CONTEXT)):
            return True
        return looked_at and (key in recorded or (key in named and not lost))

    return is_known


def _holder(conn: Connection, draft: Mapping[str, Any], decision: Mapping[str, Any]) -> PrincipalInForce:
    arn = str(draft.get("principal", ""))
    holder = (
        holders.PrincipalInForce(ANONYMOUS, "anyone without a signature")
        if arn == ANONYMOUS.arn
        else holders.find(conn, arn)
    )
    if holder is not None and holder.principal.kind == "federated":
        whose = str(draft.get("facts", {}).get("session", {}).get("of", ""))
        user, federated = holders.find(conn, whose), holder.principal
        holder = None if user is None else holders.federated_user(federated.account, federated.name, user)
    if holder is None:
        raise CannotRetrace(f"{arn} no longer exists")
    tags = {
        key.removeprefix(_TAG): values[0]
        for key, values in _keys(decision).items()
        if key.startswith(_TAG) and _is_whole(values)
    }
    principal = holder.principal
    kept = {name.lower(): value for name, value in principal.tags} | tags
    policies = tuple(text for text in notes.held_part(decision.get("sessionPolicies", ())) if isinstance(text, str))
    return replace(holder, principal=replace(principal, tags=tuple(kept.items()), session_policies=policies))


def _case(conn: Connection, holder: PrincipalInForce, draft: Mapping[str, Any], decision: Mapping[str, Any]) -> Case:
    """Return the case of the decision's resource and principal, as they are now."""
    rule, resource = decision["rule"], decision["resource"]
    if rule == "identity":
        owner = resource.split(":")[4] if resource.count(":") > 4 else ""
        owner = owner or holder.principal.account  # ARNs of buckets and objects name no account
        return holder.case(OwnResource(resource, owner))
    if rule == "retirement":
        key, retired = _key(conn, resource), _grant_to_retire(draft)
        grant = retired[0] if retired else None
        return holder.case(RetirementResource(key.arn, key.account, key.policy, key, grant), retired)
    if rule == "key":
        key = _key(conn, resource)
        given = grants.list_grants_to(conn, key.key_id, key.region, holder.principal)
        return holder.case(KeyResource(key.arn, key.account, key.policy, key), given)
    if rule == "bucket":
        bucket = buckets.find_bucket(conn, resource.removeprefix(ids.bucket_arn("")).partition("/")[0])
        if bucket is None:
            raise CannotRetrace("the bucket no longer exists")
        return holder.case(BucketResource(resource, bucket.account, bucket.policy, bucket))
    if rule == "role":
        role = roles.find_role(conn, resource.split(":")[4], resource.rpartition("/")[2])
        if role is None:
            raise CannotRetrace(f"{resource} no longer exists")
        return holder.case(RoleResource(resource, role.account, role.trust_policy, role.tags))
    raise CannotRetrace(f"it was decided by a rule that this version does not know: {rule}")


def _key(conn: Connection, arn: str) -> Key:
    try:
        return targets.find_key(conn, arn, "", "")
    except FuinError:
        raise CannotRetrace(f"{arn} no longer exists") from None


def _grant_to_retire(draft: Mapping[str, Any]) -> tuple[Grant, ...]:
    """Return the grant that was to be retired, with the fields that the record has; nothing if it did not exist."""
    noted = draft.get("facts", {}).get("kmsGrant", {})
    if "account" not in noted:
        return ()
    one = Grant(
        grant_id=noted["id"],
        key_id="",
        region="",
        account=noted["account"],
        name=noted.get("name"),
        grantee=noted.get("to"),
        grantee_service=noted.get("toService"),
        retiring=noted.get("retiring"),
        retiring_service=noted.get("retiringService"),
        operations=tuple(noted["operations"]),
        equals=None,
        subset=None,
        source_arn=None,
        created=0.0,
    )
    return (one,)


def _context(draft: Mapping[str, Any], decision: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return the encryption context of the key use that was decided; None if the record is about another key use."""
    refused = draft.get("facts", {}).get("refusedUse", {})
    about = (decision["action"], decision["resource"])
    if about == (draft.get("use"), draft.get("key")):
        return draft.get("context") or {}
    return (refused.get("context") or {}) if about == (refused.get("use"), refused.get("key")) else None


def _session_digests(decision: Mapping[str, Any]) -> frozenset[str]:
    """Return the digests of those session policies of which the record does not hold the text."""
    long = [text for text in notes.held_part(decision.get("sessionPolicies", ())) if notes.is_note(text)]
    return frozenset([*decision.get("sessionDigests", ()), *(one["sha256"][: evidence.DIGEST_LENGTH] for one in long)])


def _keys(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the condition keys that a record has with their values."""
    return dict(notes.held_part(decision.get("keys", {})))


def _is_whole(values: Any) -> bool:
    """Return whether a record has all values of a condition key, unchanged."""
    return isinstance(values, list) and not any(notes.is_note(value) for value in values)


def _facts(draft: Mapping[str, Any], decision: Mapping[str, Any]) -> targets.Values:
    """Return the request's condition keys, as far as the policies of that time named them."""
    pairs = dict(notes.held_part(_context(draft, decision) or {}))
    facts: targets.Values = {f"kms:encryptioncontext:{name.lower()}": value for name, value in pairs.items()}
    if decision.get("via"):
        facts |= {"kms:viaservice": decision["via"], "aws:viaawsservice": "true"}
    return facts | {key: tuple(values) for key, values in _keys(decision).items() if _is_whole(values)}
