"""Grants: each allows one principal some operations with one key, under constraints. A grant never denies.

AWS KMS developer guide, "Grants in AWS KMS", and the service model's GrantConstraints: in a constraint, the names of
the encryption context are not case-sensitive, but the values are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fuin import ids
from fuin.access.causes import Reason
from fuin.access.principal_element import Match
from fuin.access.shorten import shorten_list

if TYPE_CHECKING:
    from fuin.access.facts import Facts
    from fuin.access.principal import Principal
    from fuin.access.question import Question

Pairs = tuple[tuple[str, str], ...]

CREATE, RETIRE, DESCRIBE = "CreateGrant", "RetireGrant", "DescribeKey"
_WITHOUT_CONTEXT = frozenset({CREATE, RETIRE, DESCRIBE})  # constraints on the encryption context do not apply to these
_CONTEXT = "kms:encryptioncontext:"  # in lower case, as facts have it
_NEAR_MISSES_AT_MOST = 4


class UnmetConstraint(NamedTuple):
    """A constraint of a grant that a request does not meet, and a sentence about it."""

    constraint: str  # empty for the rule that a grant may only create narrower grants
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant. Principals are ARNs; `…_service` are service principals such as s3.amazonaws.com.

    `account` issued the grant. `operations` are AWS's GrantOperations, such as Decrypt. `equals` and `subset` are pairs
    of the encryption context; a grant has at most one of the two. `created` is in seconds since 1970.
    """

    grant_id: str
    key_id: str
    region: str
    account: str
    name: str | None
    grantee: str | None
    grantee_service: str | None
    retiring: str | None
    retiring_service: str | None
    operations: tuple[str, ...]
    equals: Pairs | None
    subset: Pairs | None
    source_arn: str | None
    created: float

    @property
    def label(self) -> str:
        """Return the grant's name in reasons."""
        return f'grant {self.grant_id} "{self.name}"' if self.name else f"grant {self.grant_id}"

    def match_principal(self, principal: Principal) -> Match:
        """Return how the grant names `principal` as its grantee."""
        return match_principal(self.grantee, self.grantee_service, principal)

    def covers(self, question: Question) -> bool:
        """Return whether the grant has the operation and its constraints are met; the grantee is checked separately.

        Retiring is never covered here: `decide_retirement` decides it, for the one grant that is to be retired.
        """
        operation = question.action.removeprefix("kms:")
        return (
            operation in self.operations
            and operation != RETIRE
            and next(unmet_constraints(self, question), None) is None
        )

    def reason(self, action: str) -> Reason:
        """Return the reason that says what the grant allows."""
        return Reason(f"{self.label} allows {action}", self.label, "", "Allow")


def match_principal(arn: str | None, service: str | None, principal: Principal) -> Match:
    """Return how a grant's principal, an ARN or a service name, names the caller."""
    if principal.kind == "service":
        return Match.DIRECT if service == principal.arn else Match.NONE
    if arn is None or principal.kind == "anonymous":
        return Match.NONE
    if arn == principal.arn:
        return Match.DIRECT
    if arn == principal.identity_arn:
        return Match.IDENTITY
    return Match.ACCOUNT if arn == ids.root_arn(principal.account) else Match.NONE


def unmet_constraints(grant: Grant, question: Question) -> Iterator[UnmetConstraint]:
    """Yield the constraints of a grant that a request does not meet."""
    operation = question.action.removeprefix("kms:")
    if operation == CREATE and (question.proposed is None or not is_narrower(question.proposed, grant)):
        yield UnmetConstraint("", "it lets no grant be created that allows more than itself")
    if operation not in _WITHOUT_CONTEXT:
        if grant.equals is not None and not _equals_context(grant.equals, question.facts()):
            yield _unmet_constraint(f"constraint EncryptionContextEquals {_pairs_text(grant.equals)}")
        if grant.subset is not None and not _includes_context(question.facts(), grant.subset):
            yield _unmet_constraint(f"constraint EncryptionContextSubset {_pairs_text(grant.subset)}")
    if grant.source_arn is not None and question.facts().get("aws:sourcearn") != (grant.source_arn,):
        yield _unmet_constraint(f"constraint SourceArn {grant.source_arn}")


def _unmet_constraint(constraint: str) -> UnmetConstraint:
    return UnmetConstraint(constraint, f"its {constraint} is not met")


def _pairs_text(pairs: Pairs) -> str:
    return "{" + shorten_list([f"{name}={value}" for name, value in pairs]) + "}"


def _includes_context(facts: Mapping[str, tuple[str, ...]], pairs: Pairs) -> bool:
    """Return whether the context has all pairs; if it has a name in several cases, each must have the value."""
    return all(set(facts.get(_CONTEXT + name.lower(), ())) == {value} for name, value in pairs)


def _equals_context(pairs: Pairs, facts: Facts) -> bool:
    return facts.keys_of(_CONTEXT) == {_CONTEXT + name.lower() for name, _ in pairs} and _includes_context(facts, pairs)


def is_narrower(child: Grant, parent: Grant) -> bool:
    """Return whether a grant allows no more than its parent: no other operations, and constraints that are as strict.

    AWS: "Granting CreateGrant permission".
    """
    if not set(child.operations) <= set(parent.operations):
        return False
    if parent.source_arn is not None and child.source_arn != parent.source_arn:
        return False
    if parent.equals is not None:
        return child.equals is not None and _fold_names(child.equals) == _fold_names(parent.equals)
    if parent.subset is not None:
        pairs = child.equals if child.equals is not None else child.subset
        return pairs is not None and _fold_names(pairs) >= _fold_names(parent.subset)
    return True


def _fold_names(pairs: Pairs) -> set[tuple[str, str]]:
    return {(name.lower(), value) for name, value in pairs}


def retirers(grant: Grant, principal: Principal) -> Iterator[tuple[Match, Reason]]:
    """Yield the ways in which the grant itself lets a principal retire it, each with its match and reason."""
    ways = [
        ("names it as its retiring principal", grant.retiring, grant.retiring_service),
        ("was issued by its account", ids.root_arn(grant.account), None),
    ]
    if RETIRE in grant.operations:
        ways.append(("allows kms:RetireGrant to it", grant.grantee, grant.grantee_service))
    for way, arn, service in ways:
        found = match_principal(arn, service, principal)
        if found is not Match.NONE:
            yield found, Reason(f"{grant.label} {way}", grant.label, "", "Allow")


def near_misses(question: Question, grants: Sequence[Grant]) -> tuple[Reason, ...]:
    """Return the caller's grants that nearly allowed it: first those for the operation, then those for others."""
    mine = [grant for grant in grants if grant.match_principal(question.principal) is not Match.NONE]
    operation = question.action.removeprefix("kms:")
    mine.sort(key=lambda grant: operation not in grant.operations)
    return tuple(_near_miss_reason(question, grant, operation) for grant in mine[:_NEAR_MISSES_AT_MOST])


def _near_miss_reason(question: Question, grant: Grant, operation: str) -> Reason:
    if operation not in grant.operations:
        text = f"{grant.label} allows {shorten_list(grant.operations)}, but this needs {operation}"
    else:
        causes = [one.sentence for one in itertools.islice(unmet_constraints(grant, question), _NEAR_MISSES_AT_MOST)]
        text = f"{grant.label} is on {question.action}, but {'; '.join(causes) or 'only for the account'}"
    return Reason(text, grant.label, "", "")
