"""Policy documents: JSON text in, compiled statements out; whatever is not understood is refused.

AWS: "Grammar of the IAM JSON policy language". A policy that this version cannot evaluate completely must never be
stored, since evaluating the rest of it could allow what its author denied. See docs/reference/policies.md.
"""

import enum
import json
import re
from dataclasses import dataclass, field

from fuin.access.ask import Ask
from fuin.access.conditions import Condition, parse_conditions
from fuin.access.grantees import Grantees, Standing, parse_grantees
from fuin.access.principal import Principal
from fuin.access.reasons import Reason
from fuin.access.wildcard import Matcher, compile_any
from fuin.access.words import listed, short
from fuin.errors import MalformedPolicy


class PolicyKind(enum.StrEnum):
    """What a policy is attached to; the value names it in reasons."""

    IDENTITY = "identity policy"
    KEY = "key policy"
    BUCKET = "bucket policy"


# In characters. KMS: 131072 in the service model's newest form; S3: 20 KB; IAM counts 2048 for a user's inline policies
# without white space, which is too little to be useful as a protection here.
SIZE_LIMITS = {PolicyKind.IDENTITY: 131072, PolicyKind.KEY: 131072, PolicyKind.BUCKET: 20480}
_VERSIONS = ("2008-10-17", "2012-10-17")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
_ACTIONS_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement; `actions` takes a lower-case action, `resources` an ARN."""

    sid: str
    index: int  # from 1
    effect: str  # Allow or Deny
    grantees: Grantees | None  # None in identity policies: whoever has the policy
    actions: Matcher
    resources: Matcher
    conditions: tuple[Condition, ...]
    action_names: tuple[str, ...]
    resource_names: tuple[str, ...]
    reason: Reason  # made once, so that a decision costs no text

    @property
    def name(self) -> str:
        """Return what reasons call it: its Sid, or else its number."""
        return statement_name(self.sid, self.index)

    def names(self, principal: Principal) -> Standing:
        """Return how the statement names `principal`."""
        return Standing.DIRECT if self.grantees is None else self.grantees.standing(principal)

    def meets_conditions(self, ask: Ask) -> bool:
        """Tell whether all conditions hold; of an ambiguous key an Allow wants every value, a Deny only one."""
        facts = ask.facts()
        every = self.effect == "Allow"
        return all(condition.holds(facts, every=every) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy document."""

    kind: PolicyKind
    name: str  # for reasons
    statements: tuple[Statement, ...]
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False, compare=False)

    def on_action(self, action: str) -> tuple[Statement, ...]:
        """Return the statements on an action; remembered, since there are few actions and many requests."""
        found = self._by_action.get(action)
        if found is None:
            folded = action.lower()
            found = tuple(statement for statement in self.statements if statement.actions(folded))
            if len(self._by_action) >= _ACTIONS_REMEMBERED:
                self._by_action.clear()
            self._by_action[action] = found
        return found


def statement_name(sid: str, index: int) -> str:
    """Return what reasons and errors call a statement."""
    return f'statement "{short(sid)}"' if sid else f"statement {index}"


def parse_policy(document: str, kind: PolicyKind) -> Policy:
    """Return the compiled form of a policy document; raises MalformedPolicy, saying what is wrong and where."""
    policy = _load(document, kind)
    if unknown := policy.keys() - {"Version", "Id", "Statement"}:
        raise MalformedPolicy(f"unknown policy element: {short(min(unknown))}")
    if policy.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise MalformedPolicy("Version must be 2012-10-17 or 2008-10-17")
    identifier = policy.get("Id", "")
    if not isinstance(identifier, str):
        raise MalformedPolicy("Id must be a string")
    name = f'{kind.value} "{short(identifier)}"' if identifier else kind.value
    raw = policy.get("Statement")
    statements = raw if isinstance(raw, list) else [raw]
    if raw is None or not statements:
        raise MalformedPolicy("the policy must have at least one Statement")
    compiled = tuple(_statement(item, index, kind, name) for index, item in enumerate(statements, 1))
    sids = [statement.sid for statement in compiled if statement.sid]
    if len(sids) != len(set(sids)):
        raise MalformedPolicy("the Sids of a policy's statements must be unique")
    return Policy(kind, name, compiled)


def _load(document: str, kind: PolicyKind) -> dict[str, object]:
    if len(document) > SIZE_LIMITS[kind]:
        raise MalformedPolicy(f"the policy is longer than {SIZE_LIMITS[kind]} characters")
    try:
        value = json.loads(document, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse)
    except RecursionError:
        raise MalformedPolicy("the policy is nested too deeply") from None
    except ValueError as error:
        raise MalformedPolicy(f"the policy is not valid JSON: {error}") from None
    if "\\ud" in document.lower():
        _check_text(value)
    if not isinstance(value, dict):
        raise MalformedPolicy("the policy must be a JSON object")
    return value


def _check_text(value: object) -> None:
    """Refuse half a surrogate pair: such text cannot be written to the audit record."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedPolicy("the policy holds text that is not Unicode") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedPolicy(f"duplicate element: {short(twice)}")
    return members


def _refuse(text: str) -> object:
    raise MalformedPolicy(f"a policy holds no such number: {short(text)}")


def _statement(item: object, index: int, kind: PolicyKind, policy: str) -> Statement:
    if not isinstance(item, dict):
        raise MalformedPolicy(f"statement {index} must be an object")
    sid = item.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy(f"statement {index}: Sid must be a string")
    where = statement_name(sid, index)
    if unknown := item.keys() - _ELEMENTS:
        raise MalformedPolicy(f"{where}: {short(min(unknown))} is not supported")
    effect = item.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy(f"{where}: Effect must be Allow or Deny")
    grantees = _grantees(item, kind, where)
    actions = _strings(item, "Action", where)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise MalformedPolicy(f"{where}: invalid Action: {short(action)}")
    resources = _strings(item, "Resource", where)
    for resource in resources:
        _check_resource(resource, where)
    conditions = parse_conditions(item.get("Condition", {}), where)
    verb = "allows" if effect == "Allow" else "denies"
    whom = f" to {grantees.text}" if grantees else ""
    text = f"{policy}, {where}, {verb} {listed(actions)} on {listed(resources)}{whom}"
    return Statement(
        sid, index, effect, grantees, compile_any(action.lower() for action in actions), compile_any(resources),
        conditions, actions, resources, Reason(text, policy, where, effect),
    )  # fmt: skip


def _grantees(item: dict[str, object], kind: PolicyKind, where: str) -> Grantees | None:
    if kind is PolicyKind.IDENTITY:
        if "Principal" in item:
            raise MalformedPolicy(f"{where}: an identity policy has no Principal")
        return None
    if "Principal" not in item:
        raise MalformedPolicy(f"{where}: Principal is missing")
    return parse_grantees(item["Principal"], where)


def _strings(item: dict[str, object], element: str, where: str) -> tuple[str, ...]:
    if element not in item:
        raise MalformedPolicy(f"{where}: {element} is missing")
    value = item[element]
    strings = value if isinstance(value, list) else [value]
    if not strings or not all(isinstance(text, str) for text in strings):
        raise MalformedPolicy(f"{where}: {element} must be a string or a list of strings")
    return tuple(strings)


def _check_resource(resource: str, where: str) -> None:
    if resource != "*" and not resource.startswith("arn:"):
        raise MalformedPolicy(f'{where}: Resource {short(resource)} must be in ARN format or "*"')
    if "${" in resource:
        raise MalformedPolicy(f"{where}: policy variables are not supported: {short(resource)}")
