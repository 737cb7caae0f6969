"""The Condition element: which operators and keys there are, and whether a request meets them.

AWS: "IAM JSON policy elements: Condition operators". Several operators and keys must all hold; of several values one is
enough. A key that the request lacks makes a positive operator false, a negated one true, and any …IfExists true.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fuin.access.wildcard import Matcher, compile_any
from fuin.access.words import short
from fuin.errors import MalformedPolicy

Facts = Mapping[str, tuple[str, ...]]


def _equal(values: tuple[str, ...]) -> Matcher:
    return frozenset(values).__contains__


def _equal_ignoring_case(values: tuple[str, ...]) -> Matcher:
    wanted = frozenset(value.lower() for value in values)
    return lambda text: text.lower() in wanted


# operator: (how its values are compared, whether it is negated)
OPERATORS: dict[str, tuple[Callable[[tuple[str, ...]], Matcher], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (compile_any, False),
    "StringNotLike": (compile_any, True),
    "Bool": (_equal_ignoring_case, False),
}
_IF_EXISTS = "IfExists"

# Keys that a request brings here, and keys that AWS would leave out as well for callers like ours (no organization,
# no session, no VPC, no principal tags). Any other key is refused: a Deny on a key that never comes would never deny.
KEYS = frozenset({
    "aws:calledviafirst", "aws:calledvialast", "aws:federatedprovider", "aws:multifactorauthpresent",
    "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice", "aws:principalorgid",
    "aws:principalservicename", "aws:principaltype", "aws:requestedregion", "aws:securetransport", "aws:sourceaccount",
    "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpce", "aws:useragent",
    "aws:userid", "aws:username", "aws:viaawsservice", "aws:vpcsourceip",
    "kms:bypasspolicylockoutsafetycheck", "kms:calleraccount", "kms:datakeypairspec", "kms:encapsulationalgorithm",
    "kms:encryptionalgorithm", "kms:expirationmodel", "kms:grantconstraintsourcearn", "kms:grantconstrainttype",
    "kms:granteeprincipal", "kms:granteeserviceprincipal", "kms:grantisforawsresource", "kms:keyagreementalgorithm",
    "kms:keyorigin", "kms:keyspec", "kms:keyusage", "kms:macalgorithm", "kms:messagetype", "kms:multiregion",
    "kms:multiregionkeytype", "kms:policyname", "kms:primaryregion", "kms:reencryptonsamekey", "kms:replicaregion",
    "kms:requestalias", "kms:retiringprincipal", "kms:retiringserviceprincipal", "kms:signingalgorithm",
    "kms:viaservice", "kms:wrappingalgorithm", "kms:wrappingkeyspec",
    "s3:authtype", "s3:delimiter", "s3:max-keys", "s3:prefix", "s3:signatureversion", "s3:x-amz-acl",
    "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-metadata-directive", "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-storage-class",
})  # fmt: skip
KEY_FAMILIES = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "kms:encryptioncontext:")


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key; `key` is in lower case, `written` as in the policy."""

    operator: str
    written: str
    key: str
    values: tuple[str, ...]
    matches: Matcher
    negated: bool
    if_exists: bool

    def holds(self, facts: Facts, *, every: bool) -> bool:
        """Tell whether the request's values meet it; `every` asks it of all values, else one is enough."""
        found = facts.get(self.key)
        if found is None:
            return self.if_exists or self.negated
        results = [self.matches(value) is not self.negated for value in found]
        return all(results) if every else any(results)


def parse_conditions(block: object, where: str) -> tuple[Condition, ...]:
    """Return the conditions of a Condition element; raises MalformedPolicy, with `where` naming the statement."""
    if not isinstance(block, dict):
        raise MalformedPolicy(f"{where}: Condition must be an object")
    conditions: list[Condition] = []
    for operator, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise MalformedPolicy(f"{where}: Condition {short(operator)} must be an object of condition keys")
        conditions.extend(_condition(operator, key, values, where) for key, values in keys.items())
    return tuple(conditions)


def _condition(operator: str, written: str, raw: object, where: str) -> Condition:
    base = operator.removesuffix(_IF_EXISTS)
    if base not in OPERATORS:
        raise MalformedPolicy(f"{where}: condition operator {short(operator)} is not supported")
    key = written.lower()
    if key not in KEYS and not any(key.startswith(family) and key != family for family in KEY_FAMILIES):
        raise MalformedPolicy(f"{where}: condition key {short(written)} is not supported")
    values = _values(raw, f"{where}: condition {operator} {written}")
    if base == "Bool" and any(value.lower() not in ("true", "false") for value in values):
        raise MalformedPolicy(f"{where}: condition {operator} {written} takes true or false")
    compile_values, negated = OPERATORS[base]
    matches = compile_values(values)
    return Condition(operator, written, key, values, matches, negated, operator.endswith(_IF_EXISTS))


def _values(raw: object, where: str) -> tuple[str, ...]:
    items = raw if isinstance(raw, list) else [raw]
    if not items:
        raise MalformedPolicy(f"{where} has no value")
    return tuple(_value(item, where) for item in items)


def _value(item: object, where: str) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if not isinstance(item, str):
        raise MalformedPolicy(f"{where}: values must be strings")
    if "${" in item:
        raise MalformedPolicy(f"{where}: policy variables are not supported: {short(item)}")
    return item
