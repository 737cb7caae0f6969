"""Checks of policies for what can never match: each yields (statement, what is wrong), for `lint.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fuin.access.actions import KEYLESS, KMS, S3_BUCKET, S3_KEYLESS, S3_OBJECT, S3_OPERATIONS
from fuin.access.condition_keys import is_known
from fuin.access.wildcard import compile_pattern, is_pattern
from fuin.access.words import listed
from fuin.access.written import GIVING, Document

Found = Iterator[tuple[str, str]]

_ALIASES = ("kms:createalias", "kms:updatealias", "kms:deletealias")
_OF_KEYS = "arn:aws:kms:"
_ALL_BUCKETS = "arn:aws:s3:::*"  # AWS's own policies list buckets by it
# Service Authorization Reference, "AWS Security Token Service".
_STS = frozenset({
    "sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:assumeroot",
    "sts:decodeauthorizationmessage", "sts:getaccesskeyinfo", "sts:getcalleridentity", "sts:getfederationtoken",
    "sts:getservicebearertoken", "sts:getsessiontoken", "sts:setcontext", "sts:setsourceidentity", "sts:tagsession",
})  # fmt: skip


def unknown_action(document: Document) -> Found:
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


def unknown_condition_key(document: Document) -> Found:
    """Find condition keys that no request has: the condition is as if the key were absent."""
    for statement in document.statements:
        for condition in statement.conditions:
            if not is_known(condition.key):
                yield statement.name, f"no request has the condition key {condition.key}: it is always absent"


def other_service(document: Document) -> Found:
    """Find statements whose actions and resources belong to different services."""
    for statement in document.statements:
        if statement.action_element != "Action" or statement.resource_element != "Resource" or not statement.resources:
            continue  # trust policies have no resources
        services, resources = statement.services(), statement.resources
        services |= {"iam"} if "sts" in services else set()  # it is asked about roles and users
        of_resources = {_service(resource) for resource in resources}
        if "*" in services or "*" in of_resources or services & of_resources:
            continue
        yield (
            statement.name,
            f"{listed(statement.actions)} can never be asked of {listed(resources)}: another service's",
        )


def _service(resource: str) -> str:
    parts = resource.split(":")
    return "*" if len(parts) < 6 or is_pattern(parts[2]) or "$" in parts[2] else parts[2]


def bucket_or_object(document: Document) -> Found:
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
            yield statement.name, f"{listed(objects)} needs the ARN of objects, as {resources[0]}/*"
        if buckets and all("/" in item for item in resources):
            bucket = resources[0].partition("/")[0]
            yield statement.name, f"{listed(buckets)} needs the ARN of the bucket itself, as {bucket}"


def alias_as_resource(document: Document) -> Found:
    """Find an alias as the resource of actions that are decided for keys."""
    for statement in document.statements:
        aliases = [item for item in statement.resources if item.startswith(_OF_KEYS) and ":alias/" in item]
        others = [item for item in statement.resources if not (item.startswith(_OF_KEYS) and ":alias/" in item)]
        on_keys = [action for action in statement.actions if action.lower() not in _ALIASES]
        if statement.allows and aliases and on_keys and not others:
            text = (
                f"{listed(on_keys)} is decided for the key, whose ARN {listed(aliases)} is not; name the key, or "
                "use the condition kms:ResourceAliases or kms:RequestAlias"
            )
            yield statement.name, text


def action_without_key(document: Document) -> Found:
    """Find actions on no particular resource that are allowed on particular ones only."""
    if document.kind not in GIVING:
        return
    for statement in document.statements:
        if not statement.allows or statement.resource_element != "Resource" or "*" in statement.resources:
            continue
        keyless = KEYLESS if _ALL_BUCKETS in statement.resources else KEYLESS | S3_KEYLESS
        found = [action for action in statement.actions if action.lower() in keyless]
        if found:
            yield statement.name, f'{listed(found)} is on no particular resource: its Resource must be "*"'
