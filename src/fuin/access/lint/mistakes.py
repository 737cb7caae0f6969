"""Checks for common mistakes in policies: each yields (statement, text) for `lint.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuin.access.kinds import PolicyKind
from fuin.access.lint.policy_source import GRANTING_KINDS, Document
from fuin.access.shorten import shorten_list
from fuin.access.wildcard import compile_pattern

Mistakes = Iterator[tuple[str, str]]

_VIA = re.compile(r"[a-z0-9*?-]+\.[a-z0-9*?-]+\.amazonaws\.com|\*")
_OBJECT_CONTEXT = "kms:encryptioncontext:aws:s3:arn"
_POSITIVE = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")
_EXACT = ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")


def encrypt_is_not_for_objects(document: Document) -> Mistakes:
    """Find kms:Encrypt without kms:GenerateDataKey: anyone who stores objects needs the latter and never the former."""
    if document.kind not in {*GRANTING_KINDS, PolicyKind.KEY} or document.allows("kms:GenerateDataKey"):
        return
    for statement in document.statements:
        if statement.allows and statement.names("kms:Encrypt"):
            text = (
                "allows kms:Encrypt, and nothing here allows kms:GenerateDataKey: storing objects and envelope "
                "encryption need kms:GenerateDataKey, and kms:Encrypt not at all"
            )
            yield statement.name, text


def multipart_needs_decrypt(document: Document) -> Mistakes:
    """Find writers under a KMS key who cannot write the parts of a multipart upload."""
    if document.kind not in GRANTING_KINDS or document.allows("kms:Decrypt"):
        return
    if document.allows("s3:PutObject") and document.allows("kms:GenerateDataKey"):
        text = (
            "s3:PutObject and kms:GenerateDataKey are allowed, kms:Decrypt is not: a multipart upload (aws s3 cp "
            "begins one from 8 MiB on) opens its data key again for each part"
        )
        yield "", text


def key_policy_locks_out(document: Document) -> Mistakes:
    """Find key policies that nobody can ever replace, or that can be replaced only under a condition."""
    if document.kind is not PolicyKind.KEY:
        return
    for statement in document.statements:
        denies = statement.effect == "Deny" and statement.covers("kms:PutKeyPolicy")
        if denies and statement.everyone and not statement.conditions:
            yield statement.name, "denies kms:PutKeyPolicy to everyone: nobody could ever change this key policy"
            return
    keepers = [item for item in document.statements if item.allows and item.covers("kms:PutKeyPolicy")]
    if not keepers:
        yield "", "nobody is allowed kms:PutKeyPolicy: nobody could ever change this key policy"
    elif all(item.conditions for item in keepers):
        yield "", "kms:PutKeyPolicy is allowed under conditions only: where none holds, nobody can change this policy"


def key_policy_resource(document: Document) -> Mistakes:
    """Find a Resource in a key policy that is not "*", which means "this key" there."""
    if document.kind is not PolicyKind.KEY:
        return
    for statement in document.statements:
        if statement.resource_element == "Resource" and statement.resources != ("*",):
            text = (
                f'Resource is {shorten_list(statement.resources)}: in a key policy "*" means this key, and a statement '
                "about another ARN, as of a replica or a copied policy, has no effect"
            )
            yield statement.name, text


_FOR_EVERYONE = {
    PolicyKind.KEY: ("this key", "every principal of every account"),
    PolicyKind.BUCKET: ("this bucket", "everyone, also unsigned,"),
    PolicyKind.TRUST: ("this role", "every principal of every account that its own policies allow it,"),
}


def policy_for_everyone(document: Document) -> Mistakes:
    """Find a key, bucket or trust policy that allows everyone without a condition."""
    if document.kind not in _FOR_EVERYONE:
        return
    what, whom = _FOR_EVERYONE[document.kind]
    for statement in document.statements:
        if statement.allows and statement.everyone and not statement.conditions:
            yield statement.name, f"allows {shorten_list(statement.actions)} on {what} to {whom} without a condition"


def retire_grant_in_key_policy(document: Document) -> Mistakes:
    """Find kms:RetireGrant in an Allow of a key policy, where it has no effect."""
    if document.kind is not PolicyKind.KEY:
        return
    for statement in document.statements:
        if statement.allows and statement.names("kms:RetireGrant"):
            yield (
                statement.name,
                "allows kms:RetireGrant, without effect in a key policy: the grant itself says who may",
            )


def bucket_key_context(document: Document) -> Mistakes:
    """Find conditions on the object store's encryption context that only one way of storing objects can meet."""
    for statement in document.statements:
        for condition in statement.conditions:
            if condition.lower_key != _OBJECT_CONTEXT or condition.comparison not in _POSITIVE:
                continue
            if not any(_meets(value, objects=True) for value in condition.values):
                text = (
                    f"without an S3 Bucket Key, {condition.key} is the object's ARN, which "
                    f"{shorten_list(condition.values)} does not match"
                )
                yield statement.name, text
            elif not any(_meets(value, objects=False) for value in condition.values):
                text = (
                    f"with an S3 Bucket Key, {condition.key} is the bucket's ARN, which "
                    f"{shorten_list(condition.values)} does not match"
                )
                yield statement.name, text


def _meets(value: str, *, objects: bool) -> bool:
    """Return whether a pattern can match an object's ARN, or a bucket's."""
    resource = value.split(":", 5)[-1]
    if value.count(":") < 5 or "${" in value:
        return True  # a wildcard before the bucket's name, or a variable: both are possible
    bucket, slash, _ = resource.partition("/")
    if objects:
        return bool(slash) or bucket.endswith("*")
    return not slash or compile_pattern(value)(value.partition("/")[0])


def not_action_with_allow(document: Document) -> Mistakes:
    """Find NotAction or NotResource in an Allow without conditions: it allows everything that is not listed."""
    for statement in document.statements:
        if not statement.allows or statement.conditions:
            continue
        if statement.action_element == "NotAction":
            yield statement.name, f"Allow with NotAction allows every action but {shorten_list(statement.actions)}"
        if statement.resource_element == "NotResource":
            yield (
                statement.name,
                f"Allow with NotResource allows every resource but {shorten_list(statement.resources)}",
            )


def missing_null_for_all_values(document: Document) -> Mistakes:
    """Find ForAllValues in an Allow, which is true for a request without the key."""
    for statement in document.statements:
        present = {
            item.lower_key for item in statement.conditions if item.comparison == "Null" and item.values == ("false",)
        }
        for condition in statement.conditions:
            sets = condition.operator.lower().startswith("forallvalues:")
            if statement.allows and sets and condition.lower_key not in present:
                text = (
                    f"ForAllValues holds where the request has no {condition.key} at all: add "
                    f'"Null": {{"{condition.key}": "false"}}'
                )
                yield statement.name, text


def wildcard_that_is_text(document: Document) -> Mistakes:
    """Find `*` in operators that take it as a character."""
    for statement in document.statements:
        for condition in statement.conditions:
            if condition.comparison in _EXACT and any("*" in value for value in condition.values):
                like = "StringNotLike" if "Not" in condition.comparison else "StringLike"
                text = (
                    f"{condition.comparison} takes the * of {shorten_list(condition.values)} as a character; "
                    f"{like} has wildcards"
                )
                yield statement.name, text


def variable_that_is_text(document: Document) -> Mistakes:
    """Find policy variables in a document of a version without variables."""
    if document.version == "2012-10-17":
        return
    for statement in document.statements:
        values = [value for condition in statement.conditions for value in condition.values]
        if any("${" in text for text in (*statement.resources, *values)):
            yield statement.name, 'policy variables are plain text unless Version is "2012-10-17"'


def wrong_via_service_form(document: Document) -> Mistakes:
    """Find values of kms:ViaService that cannot be the name of a service."""
    for statement in document.statements:
        for condition in statement.conditions:
            wrong = [value for value in condition.values if "${" not in value and not _VIA.fullmatch(value)]
            if condition.lower_key == "kms:viaservice" and wrong:
                text = (
                    "kms:ViaService is SERVICE.REGION.amazonaws.com, as s3.us-east-1.amazonaws.com, "
                    f"not {shorten_list(wrong)}"
                )
                yield statement.name, text
