"""Compiled statements of a policy: the principals, actions and resources of each, and its conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.access.causes import Reason
from fuin.access.conditions import Condition, parse_conditions
from fuin.access.kinds import RULES, PolicyKind
from fuin.access.principal_element import Grantees, Match, parse_grantees
from fuin.access.shorten import shorten, shorten_list
from fuin.access.variables import Ambiguous, Template, parse_template
from fuin.access.wildcard import Matcher, compile_any, compile_pieces
from fuin.errors import MalformedPolicy

if TYPE_CHECKING:
    from fuin.access.principal import Principal
    from fuin.access.question import Question

_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_VENDOR = re.compile(r"[A-Za-z0-9-]+")
ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_ARN_PARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One compiled statement; `actions` matches actions in lower case, `covers` matches the resource.

    `action_names` and `resource_names` are the texts of Action and Resource; or of NotAction and NotResource, if
    `not_actions` and `not_resources` are True.
    """

    sid: str
    index: int  # from 1
    effect: str  # Allow or Deny
    grantees: Grantees | None  # None in identity policies, which are about the identity that has them
    actions: Matcher
    conditions: tuple[Condition, ...]
    action_names: tuple[str, ...]
    resource_names: tuple[str, ...]
    reason: Reason  # made once: a decision formats no text
    constant_resources: Matcher  # matches the resources without variables; with NotResource, all but these
    templates: tuple[Template, ...] = ()  # resources with variables
    not_actions: bool = False
    not_resources: bool = False
    matches_all_resources: bool = False  # then `covers` need not be called

    @property
    def name(self) -> str:
        """Return the statement's name in reasons: its Sid, or else its number."""
        return statement_name(self.sid, self.index)

    def match_principal(self, principal: Principal) -> Match:
        """Return how the statement names `principal`."""
        return Match.DIRECT if self.grantees is None else self.grantees.match_principal(principal)

    def covers(self, question: Question) -> bool:
        """Return whether the statement is about the resource of a question.

        If a variable has no value, its text matches nothing. If a variable has several values, a Deny is about the
        resource, and an Allow is not.
        """
        matched = self.constant_resources(question.resource)
        if not self.templates or matched is not self.not_resources:
            return matched
        try:
            pieces = [template.resolve(question.facts(), len(question.resource)) for template in self.templates]
        except Ambiguous:
            return self.effect == "Deny"
        found = any(compile_pieces(resolved)(question.resource) for resolved in pieces if resolved is not None)
        return found is not self.not_resources

    def meets_conditions(self, question: Question) -> bool:
        """Return whether all conditions hold; if a key is ambiguous, an Allow needs every value, a Deny any one."""
        facts = question.facts()
        every = self.effect == "Allow"
        for condition in self.conditions:  # noqa: SIM110 - a generator costs as much as a condition
            if not condition.holds(facts, every=every):
                return False
        return True


def statement_name(sid: str, index: int) -> str:
    """Return the name of a statement in reasons and errors."""
    return f'statement "{shorten(sid)}"' if sid else f"statement {index}"


def parse_statement(item: object, index: int, kind: PolicyKind, policy: str, *, variables: bool) -> Statement:
    """Return a compiled statement, number `index` of the policy that is called `policy`; raises MalformedPolicy.

    `variables` says whether the policy's version has policy variables.
    """
    if not isinstance(item, dict):
        raise MalformedPolicy(f"statement {index} must be an object")
    sid = item.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy(f"statement {index}: Sid must be a string")
    where = statement_name(sid, index)
    if unknown := item.keys() - ELEMENTS:
        raise MalformedPolicy(f"{where}: {shorten(min(unknown))} is not supported")
    effect = item.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy(f"{where}: Effect must be Allow or Deny")
    grantees = _grantees(item, kind, effect, where)
    actions, not_actions = _one_of(item, "Action", where)
    for action in actions:
        _check_action(action, kind, where)
    resources, not_resources = _resources(item, kind, where)
    constant, templates = _compile_resources(resources, kind, where, variables=variables)
    conditions = parse_conditions(item.get("Condition", {}), where, variables=variables)
    text = _statement_text(effect, actions, resources, grantees, not_actions=not_actions, not_resources=not_resources)
    return Statement(
        sid=sid,
        index=index,
        effect=effect,
        grantees=grantees,
        actions=_apply_negation(compile_any(action.lower() for action in actions), negated=not_actions),
        conditions=conditions,
        action_names=actions,
        resource_names=resources,
        reason=Reason(f"{policy}, {where}, {text}", policy, where, effect),
        constant_resources=_apply_negation(constant, negated=not_resources),
        templates=templates,
        not_actions=not_actions,
        not_resources=not_resources,
        matches_all_resources=not not_resources and ("*" in resources or not RULES[kind].has_resource),
    )


def _statement_text(
    effect: str,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    grantees: Grantees | None,
    *,
    not_actions: bool,
    not_resources: bool,
) -> str:
    verb = "allows" if effect == "Allow" else "denies"
    what = f"all but {shorten_list(actions)}" if not_actions else shorten_list(actions)
    if resources:
        what += f" on {'all but ' if not_resources else ''}{shorten_list(resources)}"
    return f"{verb} {what}{f' to {grantees.text}' if grantees else ''}"


def _apply_negation(matches: Matcher, *, negated: bool) -> Matcher:
    return (lambda text: not matches(text)) if negated else matches


def _grantees(item: dict[str, object], kind: PolicyKind, effect: str, where: str) -> Grantees | None:
    named = [element for element in ("Principal", "NotPrincipal") if element in item]
    if not RULES[kind].has_principal:
        if named:
            raise MalformedPolicy(
                f"{where}: {_article(kind)} has no {named[0]}", "Policy document should not specify a principal."
            )
        return None
    if not named:
        raise MalformedPolicy(f"{where}: Principal is missing", "Missing required field Principal.")
    if len(named) > 1:
        raise MalformedPolicy(f"{where}: Principal and NotPrincipal exclude each other")
    if named == ["Principal"]:
        return parse_grantees(item["Principal"], where, kind.value)
    if kind is PolicyKind.TRUST:
        raise MalformedPolicy(f"{where}: NotPrincipal is not supported in a trust policy")
    if effect == "Allow":  # AWS: "Using it with Effect: Allow is not supported": it would let in all others
        raise MalformedPolicy(f"{where}: NotPrincipal is not supported with Allow")
    return parse_grantees(item["NotPrincipal"], where, kind.value, negated=True)


def _article(kind: PolicyKind) -> str:
    return f"an {kind.value}" if kind.value[0] in "aeiou" else f"a {kind.value}"


def _one_of(item: dict[str, object], element: str, where: str) -> tuple[tuple[str, ...], bool]:
    """Return the texts of an element or of its negation, and whether it was the negation."""
    negation = f"Not{element}"
    if element in item and negation in item:
        raise MalformedPolicy(f"{where}: {element} and {negation} exclude each other")
    if element not in item and negation not in item:
        raise MalformedPolicy(f"{where}: {element} is missing", f"Policy statement must contain {element.lower()}s.")
    written = negation if negation in item else element
    value = item[written]
    strings = value if isinstance(value, list) else [value]
    if not strings:
        raise MalformedPolicy(f"{where}: {written} is empty", f"Policy statement must contain {element.lower()}s.")
    if not all(isinstance(text, str) for text in strings):
        raise MalformedPolicy(f"{where}: {written} must be a string or a list of strings")
    return tuple(strings), written == negation


def _check_action(action: str, kind: PolicyKind, where: str) -> None:
    """Refuse an action that AWS would not accept, with AWS's own text."""
    if not _ACTION.fullmatch(action):
        vendor, colon, name = action.partition(":")
        if not colon:
            text = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        elif ":" in name:
            text = "Actions/Condition can contain only one colon."
        elif not _VENDOR.fullmatch(vendor):
            text = f"Vendor {shorten(vendor)} is not valid."
        else:
            text = "Policy has invalid action."
        raise MalformedPolicy(f"{where}: invalid Action: {shorten(action)}", text)
    if kind is PolicyKind.TRUST and not action.lower().startswith("sts:"):
        raise MalformedPolicy(
            f"{where}: invalid Action: {shorten(action)}", "AssumeRole policy may only specify STS AssumeRole actions."
        )


def _resources(item: dict[str, object], kind: PolicyKind, where: str) -> tuple[tuple[str, ...], bool]:
    if kind is PolicyKind.KEY and "NotResource" in item:  # AWS: the only Resource of a key policy is "*"
        raise MalformedPolicy(f"{where}: {_article(kind)} has no NotResource")
    if RULES[kind].has_resource:
        return _one_of(item, "Resource", where)
    for element in ("Resource", "NotResource"):
        if element in item:
            raise MalformedPolicy(f"{where}: {_article(kind)} has no {element}", f"Has prohibited field {element}.")
    return (), False


def _compile_resources(
    resources: tuple[str, ...], kind: PolicyKind, where: str, *, variables: bool
) -> tuple[Matcher, tuple[Template, ...]]:
    """Return a matcher for the resources without variables, and the templates of the others."""
    if not RULES[kind].has_resource:
        return compile_any(("*",)), ()
    plain: list[str] = []
    templates: list[Template] = []
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:"):
            raise MalformedPolicy(f'{where}: Resource {shorten(resource)} must be in ARN format or "*".')
        template = parse_template(resource, where) if variables else None
        if template is None:
            plain.append(_complete_arn(resource, kind))
            continue
        if resource.partition("${")[0].count(":") < _ARN_PARTS - 1:
            raise MalformedPolicy(
                f"{where}: a policy variable may be only in the last part of an ARN, after the fifth colon: "
                f"{shorten(resource)}"
            )
        templates.append(template)
    return compile_any(plain), tuple(templates)


def _complete_arn(resource: str, kind: PolicyKind) -> str:
    """Return an ARN with `*` for each missing part at its end: AWS does the same in identity policies."""
    missing = _ARN_PARTS - 1 - resource.count(":")
    return resource if RULES[kind].has_principal or resource == "*" else resource + ":*" * missing
