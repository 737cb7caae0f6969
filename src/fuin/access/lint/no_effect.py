"""Checks for parts of policies that can never match: each yields (statement, text) for `lint.py`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from fuin.access.lint.policy_source import GRANTING_KINDS, Document
from fuin.access.shorten import shorten, shorten_list
from fuin.access.vocabulary.actions import EC2_KEYLESS, KEYLESS, KMS, S3_BUCKET, S3_KEYLESS, S3_OBJECT, S3_OPERATIONS
from fuin.access.vocabulary.condition_keys import find, is_known
from fuin.access.wildcard import compile_pattern, is_pattern

Mistakes = Iterator[tuple[str, str]]

_ALIASES = ("kms:createalias", "kms:updatealias", "kms:deletealias")
_MFA = "aws:multifactorauthpresent"
_OF_KEYS = "arn:aws:kms:"
_ALL_BUCKETS = "arn:aws:s3:::*"  # AWS's own policies have it for s3:ListAllMyBuckets
# Service Authorization Reference, "AWS Security Token Service".
_STS = frozenset({
    "sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:assumeroot",
    "sts:decodeauthorizationmessage", "sts:getaccesskeyinfo", "sts:getcalleridentity", "sts:getfederationtoken",
    "sts:getservicebearertoken", "sts:getsessiontoken", "sts:setcontext", "sts:setsourceidentity", "sts:tagsession",
})  # fmt: skip


def unknown_action(document: Document) -> Mistakes:
    """Find actions that no request needs: misspelled ones, and names of operations that need another action."""
    for statement in document.statements:
        for action in statement.actions:
            service, _, name = action.partition(":")
            folded = action.lower()
            if service.lower() == "sts" and not _is_one(folded, _STS):
                yield statement.name, f"there is no action {action}"
            if service.lower() == "kms" and not _is_one(folded, KMS):
                hint = (
                    "; re-encrypting needs kms:ReEncryptFrom and kms:ReEncryptTo" if name.lower() == "reencrypt" else ""
                )
                yield statement.name, f"there is no action {action}{hint}"
            if service.lower() == "s3" and folded in S3_OPERATIONS:
                yield statement.name, f"there is no action {action}: that operation needs {S3_OPERATIONS[folded]}"


def _is_one(action: str, known: Collection[str]) -> bool:
    return action in known or (is_pattern(action) and any(map(compile_pattern(action), known)))


def unknown_condition_key(document: Document) -> Mistakes:
    """Find condition keys that no request has: they are always absent."""
    for statement in document.statements:
        for condition in statement.conditions:
            if not is_known(condition.key):
                yield statement.name, f"no request has the condition key {condition.key}: it is always absent"


def key_never_here(document: Document) -> Mistakes:
    """Find conditions on keys of AWS that no request to this server has, if that decides about the statement."""
    for statement in document.statements:
        for condition in statement.conditions:
            comparison, negated = condition.comparison, "Not" in condition.comparison
            if comparison == "Null" or condition.operator.startswith("ForAllValues:"):
                continue
            if condition.operator.endswith("IfExists") or statement.allows is negated:
                continue
            key = find(condition.key)
            if key is not None and not key.brought:
                effect = "the statement allows nothing" if statement.allows else "that condition of a Deny always holds"
                yield statement.name, f"no request to this server has {condition.key}, so {effect}"
            elif condition.lower_key == _MFA and comparison == "Bool" and condition.values == ("true",):
                yield statement.name, "there are no MFA devices here, so the statement allows nothing"


def range_as_text(document: Document) -> Mistakes:
    """Find address ranges with an operator that compares texts: no address is equal to a range."""
    for statement in document.statements:
        for condition in statement.conditions:
            key = find(condition.key)
            if key is None or key.kind != "IP address" or not condition.comparison.startswith("String"):
                continue
            ranges = [value for value in condition.values if "/" in value]
            if ranges:
                proper = "NotIpAddress" if "Not" in condition.comparison else "IpAddress"
                text = f"{condition.operator} takes {shorten_list(ranges)} for a text that no address is; use {proper}"
                yield statement.name, text


def other_service(document: Document) -> Mistakes:
    """Find statements whose actions and resources belong to different services."""
    for statement in document.statements:
        if statement.action_element != "Action" or statement.resource_element != "Resource" or not statement.resources:
            continue  # trust policies have no resources
        services, resources = statement.services(), statement.resources
        services |= {"iam"} if "sts" in services else set()  # its resources are roles and users
        services |= {"ec2"} if "ebs" in services else set()  # its resources are snapshots
        of_resources = {_service(resource) for resource in resources}
        if "*" in services or "*" in of_resources or services & of_resources:
            continue
        yield (
            statement.name,
            f"{shorten_list(statement.actions)} can never be asked of {shorten_list(resources)}: another service's",
        )


def _service(resource: str) -> str:
    parts = resource.split(":")
    return "*" if len(parts) < 6 or is_pattern(parts[2]) or "$" in parts[2] else parts[2]


def bucket_or_object(document: Document) -> Mistakes:
    """Find actions on objects with a bucket as their resource, and the other way round."""
    for statement in document.statements:
        if statement.resource_element != "Resource" or not statement.allows:
            continue
        resources = [item for item in statement.resources if _service(item) == "s3"]
        if not resources or len(resources) != len(statement.resources):
            continue
        objects = [action for action in statement.actions if action.lower() in S3_OBJECT]
        buckets = [action for action in statement.actions if action.lower() in S3_BUCKET]
        if objects and not any("/" in item or item.endswith("*") for item in resources):
            yield statement.name, f"{shorten_list(objects)} needs the ARN of objects, as {resources[0]}/*"
        if buckets and all("/" in item for item in resources):
            bucket = resources[0].partition("/")[0]
            yield statement.name, f"{shorten_list(buckets)} needs the ARN of the bucket itself, as {bucket}"


def arn_form(document: Document) -> Mistakes:
    """Find ARNs with a form that no key, bucket, object, user or role has: they match nothing."""
    for statement in document.statements:
        for resource in statement.resources:
            wrong = _wrong_form(resource)
            if wrong:
                yield statement.name, f"nothing has the ARN {shorten(resource)}: {wrong}"


def _wrong_form(arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""  # "*", or an ARN that is completed with it
    _, partition, service, region, account, rest = parts
    if not compile_pattern(partition)("aws"):
        return "the partition is aws here"
    if service in {"s3", "iam"} and not compile_pattern(region)(""):
        return f"ARNs of {service} have no Region"
    if service == "s3" and not compile_pattern(account)(""):
        return "those of buckets and objects have no account, as arn:aws:s3:::bucket/key"
    start = re.split(r"[*?$]", rest, maxsplit=1)[0]
    if service == "kms" and not (region and account):
        return "those of keys have a Region and an account; * stands for any"
    if service == "kms" and not any(word.startswith(start) or start.startswith(word) for word in ("key/", "alias/")):
        return "those of keys go on with key/ after the account"
    if service == "ec2" and start.startswith("snapshot/") and not compile_pattern(account)(""):
        return "those of snapshots have no account, as arn:aws:ec2:REGION::snapshot/ID"
    if service == "sts" and start.startswith("role/"):
        return "those of roles begin with arn:aws:iam:"
    return ""


def alias_as_resource(document: Document) -> Mistakes:
    """Find an alias as the resource of actions for which the key itself is the resource."""
    for statement in document.statements:
        aliases = [item for item in statement.resources if item.startswith(_OF_KEYS) and ":alias/" in item]
        others = [item for item in statement.resources if not (item.startswith(_OF_KEYS) and ":alias/" in item)]
        on_keys = [action for action in statement.actions if action.lower() not in _ALIASES]
        if statement.allows and aliases and on_keys and not others:
            text = (
                f"{shorten_list(on_keys)} is decided for the key, whose ARN {shorten_list(aliases)} is not; name the "
                "key, or use the condition kms:ResourceAliases or kms:RequestAlias"
            )
            yield statement.name, text


def action_without_key(document: Document) -> Mistakes:
    """Find actions that have no particular resource, but are allowed for particular resources only."""
    if document.kind not in GRANTING_KINDS:
        return
    for statement in document.statements:
        if not statement.allows or statement.resource_element != "Resource" or "*" in statement.resources:
            continue
        keyless = KEYLESS if _ALL_BUCKETS in statement.resources else KEYLESS | S3_KEYLESS
        found = [action for action in statement.actions if action.lower() in keyless | EC2_KEYLESS]
        if found:
            yield statement.name, f'{shorten_list(found)} is on no particular resource: its Resource must be "*"'
