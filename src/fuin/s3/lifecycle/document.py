"""A lifecycle configuration as XML: read with AWS's checks, and written as it was given.

Source: Amazon S3 API Reference, LifecycleRule and its members, and "Error responses"; User Guide, "Lifecycle
configuration elements". The texts are those that AWS answers: recorded by localstack
(test_put_bucket_lifecycle_conf_exc), or quoted in issues of Terraform's provider and others. Where no answer is known,
the nearest one serves.
"""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fuin.access.vocabulary.missing_capabilities import TRANSITIONS
from fuin.numbers import whole_number
from fuin.s3.lifecycle import overlaps
from fuin.s3.lifecycle.rules import ALL_CLASSES, BY_CLASS, DAY, LifecycleConfiguration, LifecycleRule
from fuin.s3.request import tags, xml
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault, invalid_argument, not_implemented
from fuin.s3.request.xml import Node

if TYPE_CHECKING:
    from typing import Any

ROOT = "LifecycleConfiguration"
RULES_AT_MOST = 1000
_LONGEST_ID = 255  # characters
_LONGEST_PREFIX = 1024  # bytes, as of a key
_LARGEST = 2**31 - 1  # of a number of days or versions
_LARGEST_SIZE = 1_099_511_627_776_000  # bytes
_FLAGS = {"true": True, "false": False}
_STATUSES = {"Enabled": True, "Disabled": False}
_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
_TRANSITIONS = ("Transition", "NoncurrentVersionTransition")
_SIZES = {"larger_than": ("ObjectSizeGreaterThan", 0), "smaller_than": ("ObjectSizeLessThan", 1)}
_TAGS = tags.OF_OBJECTS._replace(at_most=2**31)
_Members = dict[str, "Any"]


def parse_minimum_size(header: str | None) -> str:
    """Return the smallest size of an object for a transition, as a header names it; raises InvalidRequest."""
    if header not in (None, ALL_CLASSES, BY_CLASS):
        text = f"Invalid TransitionDefaultMinimumObjectSize found: {(header or '')[:100]}"
        raise S3Fault("InvalidRequest", text)
    return header or ALL_CLASSES


def parse(root: Node, minimum_size: str) -> LifecycleConfiguration:
    """Return the rules of a document; raises MalformedXML, InvalidRequest, InvalidArgument, NotImplemented."""
    root.refuse_others("Rule")
    nodes = root.find_children("Rule")
    if not nodes:
        raise S3Fault("InvalidRequest", "At least one lifecycle rule must be specified.")
    if len(nodes) > RULES_AT_MOST:
        text = f"The number of lifecycle rules must not exceed the allowed limit of {RULES_AT_MOST} rules."
        raise S3Fault("InvalidRequest", text)
    has_filters = nodes[0].find_child("Filter") is not None
    rules = tuple(_parse_rule(node, has_filters) for node in nodes)
    names = [rule.id for rule in rules]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise invalid_argument("ID", twice, "Rule ID must be unique. Found same ID for more than one rule")
    overlaps.check(rules)
    if any(node.find_children(name) for node in nodes for name in _TRANSITIONS):
        raise not_implemented(TRANSITIONS)
    return LifecycleConfiguration(rules, minimum_size)


def _parse_rule(node: Node, has_filters: bool) -> LifecycleRule:
    node.refuse_others("ID", "Status", "Prefix", "Filter", *_ACTIONS, *_TRANSITIONS)
    rule_id, status = node.get("ID"), _STATUSES.get((node.get("Status") or "").strip())
    if status is None:
        raise S3Fault("MalformedXML")
    if rule_id is not None and len(rule_id) > _LONGEST_ID:
        text = f"ID length should not exceed allowed limit of {_LONGEST_ID}"
        raise invalid_argument("ID", f"{rule_id[:_LONGEST_ID]}…", text)
    scope = _parse_scope(node, has_filters)
    if not any(node.find_children(name) for name in (*_ACTIONS, *_TRANSITIONS)):
        raise S3Fault("InvalidRequest", "At least one action needs to be specified in a rule")
    actions = _parse_expiration(node.find_child("Expiration"))
    actions |= _parse_noncurrent(node.find_child("NoncurrentVersionExpiration"))
    actions |= _parse_abort(node.find_child("AbortIncompleteMultipartUpload"))
    for transition in node.find_children("Transition"):
        _check_transition(transition)
    rule = LifecycleRule(id=rule_id or _new_id(), enabled=status, **scope, **actions)
    _check_together(rule)
    return rule


def _new_id() -> str:
    """Return an id for a rule without one, in the form of AWS's."""
    return base64.b64encode(str(uuid.uuid4()).encode()).decode()


def _parse_scope(node: Node, has_filters: bool) -> _Members:
    """Return the filter of a rule, or its prefix; a configuration has the one or the other in all its rules."""
    own, chosen = node.get("Prefix"), node.find_child("Filter")
    if (own is None) == (chosen is None):
        raise S3Fault("MalformedXML")
    if chosen is None:
        if has_filters:
            text = "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."
            raise S3Fault("InvalidRequest", text)
        return {"prefix": _check_prefix(own or ""), "in_rule": True}
    if not has_filters:
        raise S3Fault("InvalidRequest", "Filter element can only be used in Lifecycle V2.")
    chosen.refuse_others("Prefix", "Tag", "And", *(name for name, _ in _SIZES.values()))
    if len(chosen.children) > 1:
        raise S3Fault("MalformedXML")
    both = chosen.find_child("And")
    if both is None:
        return _parse_predicates(chosen)
    both.refuse_others("Prefix", "Tag", *(name for name, _ in _SIZES.values()))
    if len(both.children) < 2:
        raise S3Fault("MalformedXML")
    return _parse_predicates(both)


def _check_prefix(prefix: str) -> str:
    if len(prefix.encode()) > _LONGEST_PREFIX:
        raise S3Fault("InvalidRequest", f"The maximum size of a prefix is {_LONGEST_PREFIX}")
    return prefix


def _parse_predicates(node: Node) -> _Members:
    found: _Members = {}
    prefix = node.get("Prefix")
    if prefix is not None:
        found["prefix"] = _check_prefix(prefix)
    if pairs := _parse_tags(node.find_children("Tag")):
        found["tags"] = pairs
    for member, (name, least) in _SIZES.items():
        if (text := node.get(name)) is not None:
            found[member] = _parse_size(name, text.strip(), least)
    if "larger_than" in found and found.get("smaller_than", _LARGEST_SIZE) <= found["larger_than"]:
        text = "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        raise S3Fault("InvalidRequest", text)
    return found


def _parse_tags(nodes: list[Node]) -> tuple[tuple[str, str], ...]:
    """Return the tags that objects must have; AWS takes a tag without a value for one with the empty value."""
    names = [node.get("Key") for node in nodes]
    if len(set(names)) != len(names):
        raise S3Fault("InvalidRequest", "Duplicate Tag Keys are not allowed.")
    filled = [
        node if node.get("Value") is not None else Node("Tag", children=[*node.children, Node("Value")])
        for node in nodes
    ]
    return tuple(tags.parse_set(Node("TagSet", children=filled), _TAGS).items())


def _parse_size(name: str, text: str, least: int) -> int:
    number = _parse_integer(text)
    if not least <= number <= _LARGEST_SIZE:
        raise S3Fault("InvalidRequest", f"'{name}' should be between {least} and {_LARGEST_SIZE}.")
    return number


def _parse_integer(text: str) -> int:
    """Return a whole number, however large or negative; raises MalformedXML."""
    number = whole_number(text.strip().removeprefix("-"), 0, 2**63 - 1)
    if number is None:
        raise S3Fault("MalformedXML")
    return -number if text.strip().startswith("-") else number


def _parse_positive(node: Node, name: str, action: str) -> int | None:
    """Return a number of days or versions, or None; raises InvalidArgument for one that is not positive."""
    text = node.get(name)
    if text is None:
        return None
    number = _parse_integer(text)
    if number <= 0:
        raise invalid_argument(name, text.strip()[:100], f"'{name}' for {action} action must be a positive integer")
    if number > _LARGEST:
        raise S3Fault("MalformedXML")
    return number


def _parse_expiration(node: Node | None) -> _Members:
    if node is None:
        return {}
    node.refuse_others("Days", "Date", "ExpiredObjectDeleteMarker")
    if len(node.children) != 1:
        raise S3Fault("MalformedXML")
    flag, date = node.get("ExpiredObjectDeleteMarker"), node.get("Date")
    if flag is not None:
        if flag.strip() not in _FLAGS:
            raise S3Fault("MalformedXML")
        return {"expired_markers": _FLAGS[flag.strip()]}
    if date is not None:
        return {"date": _parse_date(date.strip())}
    return {"days": _parse_positive(node, "Days", node.name)}


def _parse_date(text: str) -> int:
    """Return a date, which must be a midnight; raises MalformedXML, InvalidArgument."""
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise S3Fault("MalformedXML") from None
    if seconds % DAY:
        raise invalid_argument("Date", text[:100], "'Date' must be at midnight GMT")
    return int(seconds)


def _parse_noncurrent(node: Node | None) -> _Members:
    if node is None:
        return {}
    node.refuse_others("NoncurrentDays", "NewerNoncurrentVersions")
    days = _parse_positive(node, "NoncurrentDays", node.name)
    if days is None:
        raise S3Fault("MalformedXML")
    newer = _parse_positive(node, "NewerNoncurrentVersions", node.name)
    return {"noncurrent_days": days, **({} if newer is None else {"newer_versions": newer})}


def _parse_abort(node: Node | None) -> _Members:
    if node is None:
        return {}
    node.refuse_others("DaysAfterInitiation")
    days = _parse_positive(node, "DaysAfterInitiation", node.name)
    if days is None:
        raise S3Fault("MalformedXML")
    return {"upload_days": days}


def _check_transition(node: Node) -> None:
    """Raise MalformedXML or InvalidArgument for a transition that AWS would refuse too; the others are not built."""
    node.refuse_others("Date", "Days", "StorageClass")
    date, days = node.get("Date"), node.get("Days")
    if (date is None) == (days is None) or not node.get("StorageClass"):
        raise S3Fault("MalformedXML")
    if date is not None:
        _parse_date(date.strip())
    elif _parse_integer(days or "") < 0:
        raise invalid_argument("Days", (days or "")[:100], "'Days' for Transition action must be a positive integer")


def _check_together(rule: LifecycleRule) -> None:
    """Raise InvalidRequest for a filter or a form that an action cannot have."""
    if rule.in_rule and rule.newer_versions is not None:
        raise S3Fault("InvalidRequest", "NewerNoncurrentVersions element can only be used in Lifecycle V2.")
    has_size = rule.larger_than is not None or rule.smaller_than is not None
    for action, is_there in (
        ("ExpiredObjectDeleteMarker", rule.expired_markers is not None),
        ("AbortIncompleteMultipartUpload", rule.upload_days is not None),
    ):
        if is_there and rule.tags:
            raise S3Fault("InvalidRequest", f"{action} cannot be specified with Tags.")
        if is_there and has_size:
            raise S3Fault("InvalidRequest", f"{action} cannot be specified with Object Size.")


def show(configuration: LifecycleConfiguration) -> str:
    """Return the rules as XML."""
    return "".join(xml.tag("Rule", *_elements(rule)) for rule in configuration.rules)


def _elements(rule: LifecycleRule) -> list[str]:
    found = [xml.text("ID", rule.id)]
    if rule.in_rule:
        found.append(xml.text("Prefix", rule.prefix or ""))
    else:
        found.append(_filter_element(rule))
    found.append(xml.text("Status", "Enabled" if rule.enabled else "Disabled"))
    for name, members in (
        ("Expiration", [
            ("Days", rule.days), ("Date", None if rule.date is None else iso_date(rule.date)),
            ("ExpiredObjectDeleteMarker", rule.expired_markers),
        ]),
        ("NoncurrentVersionExpiration", [
            ("NoncurrentDays", rule.noncurrent_days), ("NewerNoncurrentVersions", rule.newer_versions),
        ]),
        ("AbortIncompleteMultipartUpload", [("DaysAfterInitiation", rule.upload_days)]),
    ):  # fmt: skip
        texts = [xml.text(member, value) for member, value in members if value is not None]
        found += [xml.tag(name, *texts)] if texts else []
    return found


def _filter_element(rule: LifecycleRule) -> str:
    found = [] if rule.prefix is None else [xml.text("Prefix", rule.prefix)]
    found += [xml.tag("Tag", xml.text("Key", name), xml.text("Value", value)) for name, value in rule.tags]
    found += [
        xml.text(name, value) for member, (name, _) in _SIZES.items() if (value := getattr(rule, member)) is not None
    ]
    return xml.tag("Filter", xml.tag("And", *found) if len(found) > 1 else "".join(found))
