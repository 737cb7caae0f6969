"""The Condition element: whether a request meets it.

AWS: "IAM JSON policy elements: Condition operators" and "Single-valued vs. multivalued context keys". If the element
has several operators or keys, all of them must hold; if a key has several values in the policy, one of them is enough.
If the request does not have the key, a positive operator is false, a negated one is true, …IfExists is true,
ForAllValues is true and ForAnyValue is false.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from fuin.access.operators import OPERATORS, Operator
from fuin.access.shorten import shorten
from fuin.access.variables import Ambiguous, Template, parse_template
from fuin.access.wildcard import Matcher
from fuin.errors import MalformedPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fuin.access.wildcard import Piece

    Facts = Mapping[str, tuple[str, ...]]

_IF_EXISTS = "IfExists"
_ALL, _ANY = "ForAllValues:", "ForAnyValue:"
_NULL = "Null"
_LIKE = ("StringLike", "ArnLike", "ArnEquals")  # their values are patterns
_WILDCARD = re.compile(r"[*?]")
_NOTHING = ("",)  # AWS: a null dataset, such as an empty string


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One operator on one key; `key` is in lower case, `operator` and `written` are as in the policy.

    `matches` takes one value of the request and returns whether it matches one of the policy's values without
    variables; `templates` are the values with variables. `absent` is the result for a request without the key. `null`
    marks the Null operator. Long policies are indexed by two further fields: `exact` holds the only values that can
    meet the condition, if it compares with fixed texts; `prefixes` are the beginnings of all such values, if it
    compares with patterns.
    """

    operator: str
    written: str
    key: str
    values: tuple[str, ...]
    matches: Matcher
    negated: bool
    if_exists: bool
    absent: bool
    quantifier: str = ""  # or ForAllValues: or ForAnyValue:
    null: bool = False
    templates: tuple[Template, ...] = ()
    make_template_matcher: Callable[[Sequence[Piece]], Matcher] | None = None
    exact: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    plain: bool = False  # a single value of the request needs nothing but `matches`, which is the usual case

    def holds(self, facts: Facts, *, every: bool) -> bool:
        """Return whether the request's values meet the condition.

        The request may have several values although the condition has no set operator. Then `every` decides: an Allow
        requires every value to match, a Deny any one. The same holds for a variable with several values.
        """
        found = facts.get(self.key)
        if not found:
            return self.absent
        if self.plain and len(found) == 1:
            return self.matches(found[0]) is not self.negated
        if self.null:
            return not every if found == _NOTHING else "false" in self.values
        try:
            matches = self._with_variables(facts, 2 * max(map(len, found))) if self.templates else self.matches
        except Ambiguous:
            return not every
        negated = self.negated
        if len(found) == 1:
            return (found == _NOTHING and self.quantifier == _ALL) or matches(found[0]) is not negated
        if self.quantifier == _ALL or (every and not self.quantifier):
            return all(matches(value) is not negated for value in found)
        return any(matches(value) is not negated for value in found)

    def _with_variables(self, facts: Facts, longest: int) -> Matcher:
        """Return the matcher of all values. A value with a variable that is absent matches nothing (AWS: it is null).

        `longest` is twice the length of the request's longest value, because lower case may be longer than upper case.
        """
        make = self.make_template_matcher
        resolved = [template.resolve(facts, longest) for template in self.templates]
        matchers = [make(pieces) for pieces in resolved if pieces is not None and make is not None]
        return _combine_matchers(self.matches, matchers)


def parse_conditions(block: object, where: str, *, variables: bool = True) -> tuple[Condition, ...]:
    """Return the conditions of a Condition element; raises MalformedPolicy, with `where` naming the statement.

    `variables` says whether the policy's version has policy variables.
    """
    if not isinstance(block, dict):
        raise MalformedPolicy(f"{where}: Condition must be an object")
    conditions: list[Condition] = []
    for operator, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise MalformedPolicy(f"{where}: Condition {shorten(operator)} must be an object of condition keys")
        conditions.extend(_condition(operator, key, raw, where, variables=variables) for key, raw in keys.items())
    return tuple(conditions)


def _condition(operator: str, written: str, raw: object, where: str, *, variables: bool) -> Condition:
    quantifier = next((prefix for prefix in (_ALL, _ANY) if operator.startswith(prefix)), "")
    base = operator.removeprefix(quantifier)
    if base == _NULL and not quantifier:
        return _null(operator, written, raw, where)
    known = OPERATORS.get(base.removesuffix(_IF_EXISTS))
    if known is None:
        raise MalformedPolicy(f"{where}: condition operator {shorten(operator)} is not supported")
    if_exists = base.endswith(_IF_EXISTS)
    here = f"{where}: condition {operator} {shorten(written)}"
    values = _values(raw, here)
    plain, templates = _separate_templates(values, here, known, variables=variables)
    try:
        matches = known.make_matcher(plain)
    except ValueError as error:
        raise MalformedPolicy(f"{here} {error}") from None
    fixed = _constant_matchers(templates, known)
    absent = quantifier == _ALL or (quantifier != _ANY and (if_exists or known.negated))
    by_value = quantifier != _ALL and not templates
    exact = values if base == "StringEquals" and by_value else ()
    prefixes = _prefixes(values) if base in _LIKE and by_value else ()
    variable = tuple(template for template in templates if template.constant is None)
    return Condition(
        operator=operator,
        written=written,
        key=_key(written, here),
        values=values,
        matches=_combine_matchers(matches, fixed),
        negated=known.negated,
        if_exists=if_exists,
        absent=absent,
        quantifier=quantifier,
        templates=variable,
        make_template_matcher=known.make_template_matcher,
        exact=exact,
        prefixes=prefixes,
        plain=not variable and quantifier != _ALL,
    )


def _constant_matchers(templates: Sequence[Template], operator: Operator) -> list[Matcher]:
    make = operator.make_template_matcher
    return [make(pieces) for template in templates if make is not None and (pieces := template.constant)]


def _prefixes(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the text before the first wildcard of each pattern, or nothing if a pattern begins with a wildcard."""
    prefixes = tuple(dict.fromkeys(_WILDCARD.split(pattern, maxsplit=1)[0] for pattern in patterns))
    return () if "" in prefixes else prefixes


def _null(operator: str, written: str, raw: object, where: str) -> Condition:
    here = f"{where}: condition {operator} {shorten(written)}"
    values = tuple(value.lower() for value in _values(raw, here))
    if any(value not in ("true", "false") for value in values):
        raise MalformedPolicy(f"{here} takes true or false")
    absent = "true" in values
    return Condition(
        operator=operator,
        written=written,
        key=_key(written, here),
        values=values,
        matches=_match_nothing,
        negated=False,
        if_exists=False,
        absent=absent,
        null=True,
    )


def _match_nothing(_: str) -> bool:
    return False


def _combine_matchers(matches: Matcher, more: Sequence[Matcher]) -> Matcher:
    return (lambda text: matches(text) or any(other(text) for other in more)) if more else matches


def _separate_templates(
    values: tuple[str, ...], where: str, operator: Operator, *, variables: bool
) -> tuple[tuple[str, ...], list[Template]]:
    """Return the plain values and those with variables, which only operators for texts and ARNs take."""
    if not variables or operator.make_template_matcher is None:
        return values, []
    templates = [template for value in values if (template := parse_template(value, where))]
    written = {template.written for template in templates}
    return tuple(value for value in values if value not in written), templates


def _key(written: str, where: str) -> str:
    if ":" not in written:  # AWS's text
        raise MalformedPolicy(where, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    return written.lower()


def _values(raw: object, where: str) -> tuple[str, ...]:
    items = raw if isinstance(raw, list) else [raw]
    if not items:
        raise MalformedPolicy(f"{where} has no value")
    return tuple(_value(item, where) for item in items)


def _value(item: object, where: str) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int | Decimal):
        return str(item)
    if not isinstance(item, str):
        raise MalformedPolicy(f"{where}: values must be strings")
    return item
