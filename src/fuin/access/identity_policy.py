"""The checks of IAM for an identity's policy that is put: in IAM's order, and with IAM's own error texts.

AWS publishes no list of these texts; IAM is known to answer the ones here. `policy.py` refuses documents that break the
grammar, and documents that IAM might accept but this server cannot evaluate. Policies that were put under older rules
are not checked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fuin.access.document import load
from fuin.access.kinds import PolicyKind
from fuin.access.operators import OPERATORS
from fuin.access.shorten import shorten
from fuin.access.statement import ELEMENTS, statement_name
from fuin.errors import MalformedPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Element = Mapping[str, object]

KINDS = frozenset(
    {PolicyKind.IDENTITY, PolicyKind.GROUP, PolicyKind.ROLE, PolicyKind.MANAGED, PolicyKind.SESSION}
)  # fmt: skip
_NEWEST = "2012-10-17"
_LEGACY = "The policy failed legacy parsing"
_QUANTIFIERS = ("ForAllValues:", "ForAnyValue:")
_PARTITIONS = ("aws", "*")
_ARN_PARTS = 6
# The beginnings of IAM's resources, and of the resources of S3 that are in a Region; other resources of S3 are in none.
_IAM_PREFIXES = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
    "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip
_REGIONAL_S3_PREFIXES = (
    "accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/",
)  # fmt: skip


def check(document: str, kind: PolicyKind) -> None:
    """Raise MalformedPolicy for the first thing that IAM does not accept; do nothing if the grammar is broken."""
    members = load(document)
    statements = _list_statements(members)
    if statements is None:  # the parser says what is wrong
        return
    if kind is PolicyKind.MANAGED and members.get("Version") != _NEWEST:
        raise MalformedPolicy(sentence=f"Policy document must be version {_NEWEST} or greater.")
    for where, statement in statements:
        _check_legacy(where, statement)
    wrong = _first_resource_error(statements)
    _check_sids(statements)
    for where, statement in statements:
        _check_actions(where, statement)
    if wrong is not None:
        raise MalformedPolicy(sentence=wrong)
    for where, statement in statements:
        _check_keys(where, statement)


def _list_statements(members: Element) -> list[tuple[str, Element]] | None:
    """Return the statements, each with its name; None if an element is missing or has the wrong type."""
    raw = members.get("Statement")
    items = raw if isinstance(raw, list) else [raw]
    if not items or members.keys() - {"Version", "Id", "Statement"} or not isinstance(members.get("Id", ""), str):
        return None
    if members.get("Version", _NEWEST) not in (_NEWEST, "2008-10-17"):
        return None
    if not all(isinstance(item, dict) and _is_statement(item) for item in items):
        return None
    return [(statement_name(str(item.get("Sid", "")), index), item) for index, item in enumerate(items, 1)]


def _is_statement(item: Element) -> bool:
    effect = item.get("Effect")
    if item.keys() - ELEMENTS or not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
        return False
    for name in ("Action", "Resource"):
        values = [item[each] for each in (name, f"Not{name}") if each in item]
        if len(values) > 1 or not all(_are_texts(value) for value in values):
            return False
    return isinstance(item.get("Sid", ""), str) and _are_conditions(item.get("Condition", {}))


def _are_conditions(block: object) -> bool:
    if not isinstance(block, dict) or not all(isinstance(keys, dict) for keys in block.values()):
        return False
    values = [value for keys in block.values() for value in keys.values()]
    return all(map(_is_known, block)) and not any(isinstance(one, dict) for one in values)


def _are_texts(value: object) -> bool:
    return all(isinstance(text, str) for text in (value if isinstance(value, list) else [value]))


def _is_known(operator: str) -> bool:
    return _operator(operator) in OPERATORS or _operator(operator) == "Null"


def _operator(written: str) -> str:
    for quantifier in _QUANTIFIERS:
        written = written.removeprefix(quantifier)
    return written.removesuffix("IfExists")


def _texts(statement: Element, element: str) -> list[str]:
    value = statement.get(element, [])
    return value if isinstance(value, list) else [str(value)]


def _conditions(statement: Element) -> Iterator[tuple[str, dict[str, object]]]:
    block = statement.get("Condition", {})
    yield from block.items() if isinstance(block, dict) else ()


def _check_legacy(where: str, statement: Element) -> None:
    if statement["Effect"] not in ("Allow", "Deny"):
        _refuse_legacy(where, "Effect must be Allow or Deny")
    for operator, keys in _conditions(statement):
        if not _operator(operator).startswith("Date"):
            continue
        for key, raw in keys.items():
            for value in raw if isinstance(raw, list) else [raw]:
                if isinstance(value, str) and not _is_date(value):
                    _refuse_legacy(where, f"condition {operator} {shorten(key)} takes dates, and not {shorten(value)}")


def _is_date(text: str) -> bool:
    try:
        OPERATORS["DateEquals"].make_matcher((text,))
    except ValueError:
        return False
    return True


def _refuse_legacy(where: str, why: str) -> NoReturn:
    raise MalformedPolicy(f"{where}: {why}", f"{_LEGACY}.")


def _first_resource_error(statements: list[tuple[str, Element]]) -> str | None:
    """Return IAM's text about the first wrong resource, which it answers later; raise for an error in an ARN's form."""
    for element in ("Resource", "NotResource"):
        for where, statement in statements:
            resources = _texts(statement, element)
            for resource in resources:
                if (wrong := _resource_error(resource, where)) is not None:
                    return wrong
            for resource in resources:
                parts = resource.split(":")
                if resource != "*" and ((len(parts) < _ARN_PARTS and "::" in resource) or not parts[2]):
                    _refuse_legacy(where, f"{element} {shorten(resource)} has not all parts of an ARN")
    return None


def _resource_error(resource: str, where: str) -> str | None:
    """Return IAM's text about a resource that is not a valid ARN, else None; missing parts count as `*`."""
    if resource == "*":
        return None
    if ":" not in resource:
        return f'Resource {shorten(resource)} must be in ARN format or "*".'
    parts = resource.split(":", _ARN_PARTS - 1)
    _, partition, service, region, account, name = (*parts, *["*"] * (_ARN_PARTS - len(parts)))
    if partition not in _PARTITIONS:
        arn = f"arn:{partition}:{service}:{region}:{account}:{name}"
        return f'Partition "{shorten(partition)}" is not valid for resource "{shorten(arn)}".'
    if "*" in service or "?" in service:
        return f"Resource vendor must be fully qualified and cannot contain regexes. {where}: {shorten(resource)}"
    if service == "iam":
        return _iam_resource_error(resource, region, name)
    if service == "s3" and region and not name.startswith(_REGIONAL_S3_PREFIXES):
        return f"Resource {shorten(resource)} can not contain region information."
    return None


def _iam_resource_error(resource: str, region: str, name: str) -> str | None:
    if region:
        return f"IAM resource {shorten(resource)} cannot contain region information."
    if name == "*" or name.startswith(_IAM_PREFIXES):
        return None
    return f'IAM resource path must either be "*" or start with {", ".join(_IAM_PREFIXES)}.'


def _check_sids(statements: list[tuple[str, Element]]) -> None:
    sids = [statement["Sid"] for _, statement in statements if statement.get("Sid")]
    if len(sids) != len(set(sids)):
        raise MalformedPolicy(sentence="Statement IDs (SID) in a single policy must be unique.")


def _check_actions(where: str, statement: Element) -> None:
    element = "NotAction" if "NotAction" in statement else "Action"
    if not _texts(statement, element):
        what = "empty" if element in statement else "missing"
        raise MalformedPolicy(f"{where}: {element} is {what}", "Policy statement must contain actions.")


def _check_keys(where: str, statement: Element) -> None:
    """Refuse a condition key that a block has twice, in other case: Access Analyzer calls this an error."""
    for operator, keys in _conditions(statement):
        seen: dict[str, str] = {}
        for key in keys:
            other = seen.setdefault(key.lower(), key)
            if other != key:
                raise MalformedPolicy(f"{where}: condition {operator} has both {shorten(other)} and {shorten(key)}")
