"""Warnings about likely mistakes in valid policies; they never refuse a policy.

Each check is a function of `mistakes.py` or `no_effect.py`, with a name and a page that explains it. When a policy is
put, `gate/policy_warnings.py` writes its warnings to the server's log and the request's record. `fuin policy lint`
prints them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fuin.access.kinds import PolicyKind
from fuin.access.lint import mistakes, no_effect, policy_source
from fuin.access.policy import parse_policy

Check = Callable[[policy_source.Document], Iterator[tuple[str, str]]]  # yields (statement or "", mistake)

_KMS = "https://docs.aws.amazon.com/kms/latest/developerguide/"
_S3 = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
_ELEMENTS = _IAM + "reference_policies_elements_"
_ANALYZER = _IAM + "access-analyzer-reference-policy-checks.html"
_AT_MOST = 50

# name: (the check, the page that explains it)
CHECKS: dict[str, tuple[Check, str]] = {
    "encrypt-is-not-for-objects": (mistakes.encrypt_is_not_for_objects, _S3 + "UsingKMSEncryption.html"),
    "multipart-needs-decrypt": (mistakes.multipart_needs_decrypt, _S3 + "mpuoverview.html"),
    "key-policy-locks-out": (mistakes.key_policy_locks_out, _KMS + "key-policy-default.html"),
    "key-policy-resource": (mistakes.key_policy_resource, _KMS + "key-policy-overview.html"),
    "for-everyone": (mistakes.policy_for_everyone, _KMS + "key-policy-overview.html"),
    "retire-grant-in-key-policy": (mistakes.retire_grant_in_key_policy, _KMS + "grant-delete.html"),
    "bucket-key-context": (mistakes.bucket_key_context, _S3 + "bucket-key.html"),
    "not-action-with-allow": (mistakes.not_action_with_allow, _ELEMENTS + "notaction.html"),
    "for-all-values-without-null": (mistakes.missing_null_for_all_values, _ANALYZER),
    "wildcard-that-is-text": (mistakes.wildcard_that_is_text, _ELEMENTS + "condition_operators.html"),
    "variable-that-is-text": (mistakes.variable_that_is_text, _IAM + "reference_policies_variables.html"),
    "via-service-form": (mistakes.wrong_via_service_form, _KMS + "conditions-kms.html#conditions-kms-via-service"),
    "unknown-condition-key": (no_effect.unknown_condition_key, _KMS + "policy-conditions.html"),
    "key-never-here": (no_effect.key_never_here, _IAM + "reference_policies_condition-keys.html"),
    "range-as-text": (no_effect.range_as_text, _ELEMENTS + "condition_operators.html"),
    "unknown-action": (no_effect.unknown_action, "https://docs.aws.amazon.com/service-authorization/latest/reference/"),
    "other-service": (no_effect.other_service, _ELEMENTS + "resource.html"),
    "bucket-or-object": (no_effect.bucket_or_object, _S3 + "security_iam_service-with-iam.html"),
    "arn-form": (no_effect.arn_form, _IAM + "reference-arns.html"),
    "alias-as-resource": (no_effect.alias_as_resource, _KMS + "alias-authorization.html"),
    "action-without-key": (no_effect.action_without_key, _KMS + "kms-api-permissions-reference.html"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One likely mistake: the check's name, the statement ("" for the whole policy), a text, and a page about it."""

    check: str
    statement: str
    text: str
    link: str

    @property
    def line(self) -> str:
        """Return the finding as one line: the statement, the text, and the check's name."""
        return f"{self.statement}: {self.text} [{self.check}]" if self.statement else f"{self.text} [{self.check}]"


def lint(text: str, kind: PolicyKind, at_most: int = _AT_MOST) -> tuple[Finding, ...]:
    """Return the likely mistakes in a policy document; raises MalformedPolicy if it is not a valid policy."""
    parse_policy(text, kind)
    document = policy_source.read(text, kind)
    found = (
        Finding(name, statement, wrong, link)
        for name, (check, link) in CHECKS.items()
        for statement, wrong in check(document)
    )
    return tuple(itertools.islice(found, at_most))
