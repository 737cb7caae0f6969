"""The checks of S3 for a bucket policy that is put, with S3's own error texts.

AWS publishes no list of these texts; S3 is known to answer the ones here. Each error also has a detail of ours, which
says what is wrong and where. If S3 would accept a policy that this server cannot evaluate, `check_policy` refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fuin.access.conditions import parse_conditions
from fuin.access.document import load
from fuin.access.kinds import SIZE_LIMITS, PolicyKind, size_of
from fuin.access.policy import Policy, PolicyTooLong, check_policy
from fuin.access.principal_element import parse_grantees
from fuin.access.shorten import shorten, shorten_list
from fuin.access.statement import statement_name
from fuin.access.vocabulary import actions
from fuin.access.vocabulary.condition_keys import find
from fuin.access.wildcard import compile_pattern, is_pattern
from fuin.errors import DuplicateElement, MalformedPolicy

_VERSIONS = ("2008-10-17", "2012-10-17")
_ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_SYNTAX = "Invalid policy syntax."
_INVALID_KEY = "Policy has an invalid condition key"


class Refused(MalformedPolicy):
    """A bucket policy that S3 refuses, with S3's sentence; `detail` says what is wrong and where (or is empty)."""

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.detail = detail


class TooLong(Refused, PolicyTooLong):
    """A bucket policy that is longer than S3 takes."""


def check_bucket_policy(document: str, bucket: str) -> Policy:
    """Return the compiled form of a policy that is put on the bucket with the ARN `bucket`; raises MalformedPolicy."""
    members = _members(document)
    limit = SIZE_LIMITS[PolicyKind.BUCKET]
    if size_of(document, PolicyKind.BUCKET) > limit:
        raise TooLong(f"Normalized policy document exceeds the maximum allowed size of {limit} bytes")
    if unknown := sorted(members.keys() - {"Version", "Id", "Statement"}):
        raise Refused(f"Unknown field {shorten(unknown[0])}")
    version = members.get("Version", _VERSIONS[0])
    if version not in _VERSIONS:
        raise Refused("The policy must contain a valid version string")
    if not isinstance(members.get("Id", ""), str):
        raise Refused(_SYNTAX, "Id must be a string")
    for index, item in enumerate(_statements(members), 1):
        _StatementCheck(item, index, bucket, variables=version == _VERSIONS[1]).check()
    return check_policy(document, PolicyKind.BUCKET)


def _members(document: str) -> dict[str, object]:
    if not document.startswith("{"):
        raise Refused("Policies must be valid JSON and the first byte must be '{'")
    try:
        return load(document)
    except DuplicateElement as error:
        refusal = Refused(f"Statement/policy already has instance of {error.element}")
    except MalformedPolicy as error:
        refusal = Refused("This policy contains invalid Json", str(error))
    raise refusal


def _statements(members: dict[str, object]) -> list[object]:
    if "Statement" not in members:
        raise Refused("Missing required field Statement")
    raw = members["Statement"]
    if raw == []:
        raise Refused("Could not parse the policy: Statement is empty!")
    return raw if isinstance(raw, list) else [raw]


class _StatementCheck:
    """The check of one statement, in S3's order."""

    def __init__(self, item: object, index: int, bucket: str, *, variables: bool) -> None:
        self._where = f"statement {index}"
        self._bucket = bucket
        self._variables = variables
        if not isinstance(item, dict):
            raise Refused(_SYNTAX, f"{self._where} must be an object")
        self._item: dict[str, object] = item
        sid = item.get("Sid", "")
        if not isinstance(sid, str):
            raise Refused(_SYNTAX, f"{self._where}: Sid must be a string")
        self._where = statement_name(sid, index)

    def check(self) -> None:
        """Raise Refused for the first thing that S3 does not accept."""
        item = self._item
        if unknown := sorted(item.keys() - _ELEMENTS):
            raise Refused(f"Unknown field {shorten(unknown[0])}", self._where)
        if "Effect" not in item:
            raise Refused("Missing required field Effect", self._where)
        effect = item["Effect"]
        if effect not in ("Allow", "Deny"):
            raise Refused(f"Invalid effect: {shorten(effect)}" if isinstance(effect, str) else _SYNTAX, self._where)
        self._check_principal()
        named = self._texts("Action")
        for action in named:
            if not matching(action):
                raise Refused("Policy has invalid action", f"{self._where}: {shorten(action)}")
        resources = self._texts("Resource")
        for resource in resources:
            if resource != self._bucket and not resource.startswith(f"{self._bucket}/"):
                raise Refused("Policy has invalid resource", f"{self._where}: {shorten(resource)}")
        if "Condition" in item:
            self._check_conditions(named)
        if "Action" in item and "Resource" in item:
            self._check_fit(named, resources)

    def _check_principal(self) -> None:
        for element in ("Principal", "NotPrincipal"):
            if element not in self._item:
                continue
            if self._item[element] in ("", [], {}):
                raise Refused("Missing required field Principal cannot be empty!", self._where)
            try:
                parse_grantees(self._item[element], self._where, "bucket policy")
            except MalformedPolicy as error:
                raise Refused("Invalid principal in policy", error.detail) from None
            return
        raise Refused("Missing required field Principal", self._where)

    def _texts(self, element: str) -> list[str]:
        """Return the texts of an element or its negation; the statement must have one of the two."""
        present = [name for name in (element, f"Not{element}") if name in self._item]
        if not present:
            raise Refused(f"Missing required field {element}", self._where)
        if len(present) > 1:
            raise Refused(f"Statement/policy already has instance of {element}", self._where)
        value = self._item[present[0]]
        items = value if isinstance(value, list) else [value]
        if not items:
            raise Refused(f"Missing required field {element} cannot be empty!", self._where)
        texts = [text for text in items if isinstance(text, str)]
        if len(texts) != len(items):
            raise Refused(_SYNTAX, f"{self._where}: {present[0]} must be a string or a list of strings")
        return texts

    def _check_conditions(self, named: Sequence[str]) -> None:
        block = self._item["Condition"]
        if not isinstance(block, dict):
            raise Refused(_SYNTAX, f"{self._where}: Condition must be an object")
        applying: set[frozenset[str]] = set()
        for operator, keys in block.items():
            for key in keys if isinstance(keys, dict) else ():
                applying.add(_actions_of(key, self._where))
            self._check_operator(operator, keys)
        if "Action" not in self._item:
            return
        for group in applying:
            for action in named:
                if group.isdisjoint(matching(action)):
                    raise Refused(
                        "Conditions do not apply to combination of actions and resources in statement",
                        f"{self._where}: {shorten(action)}",
                    )

    def _check_operator(self, operator: str, keys: object) -> None:
        try:
            parse_conditions({operator: keys}, self._where, variables=self._variables)
        except MalformedPolicy as error:
            wrong = str(error)
        else:
            return
        if wrong.endswith("is not supported"):
            raise Refused(f"Invalid Condition type : {shorten(operator)}", self._where)
        if "IpAddress" in operator:
            raise Refused("Invalid IP address in Conditions", wrong)
        raise Refused(_SYNTAX, wrong)

    def _check_fit(self, named: Sequence[str], resources: Sequence[str]) -> None:
        """Refuse an action that is possible on none of the resources."""
        on = actions.S3_BUCKET if self._bucket in resources else frozenset[str]()
        if any(resource != self._bucket for resource in resources):
            on |= actions.S3_OBJECT
        for action in named:
            if on.isdisjoint(matching(action)):
                raise Refused(
                    "Action does not apply to any resource(s) in statement",
                    f"{self._where}: {shorten(action)} on {shorten_list(resources)}",
                )


@lru_cache(maxsize=4096)
def matching(action: str) -> frozenset[str]:
    """Return the actions of S3, in lower case, that an action text of a policy matches."""
    folded = action.lower()
    if folded in ("*", "s3:*"):
        return actions.S3
    if not is_pattern(folded):
        return actions.S3 & {folded}
    return frozenset(filter(compile_pattern(folded), actions.S3)) if folded.startswith("s3:") else frozenset()


def _actions_of(key: str, where: str) -> frozenset[str]:
    """Return the actions that a condition key belongs to.

    S3 accepts every key that begins with aws:, its own keys, and the keys of identity providers, which sessions have.
    """
    folded = key.lower()
    vendor = folded.partition(":")[0]
    if folded.startswith("s3:"):
        row = find(folded)
        if row is None:
            raise Refused(_INVALID_KEY, f"{where}: {shorten(key)}")
        return actions.S3 if row.aws_actions is None else row.aws_actions
    if not folded.startswith(("aws:", "saml:")) and "." not in vendor:
        raise Refused(_INVALID_KEY, f"{where}: {shorten(key)}")
    return actions.S3
