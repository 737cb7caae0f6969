"""The question that policies decide: may this principal do this action to this resource, with these condition keys?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.access.facts import AddFacts, Facts, Given, Pairs, Table, Values
from fuin.access.principal import Principal

if TYPE_CHECKING:
    from fuin.access.grants import Grant

_PRINCIPAL_TYPES = {
    "root": "Account", "user": "User", "role": "AssumedRole", "federated": "FederatedUser", "anonymous": "Anonymous",
    "service": "Service",
}  # fmt: skip
_TAG = "aws:principaltag/"
# AWS: kms:CallerAccount belongs to all of KMS but this (Service Authorization Reference).
_WITHOUT_CALLER = frozenset({"kms:ListRetirableGrants"})


@dataclass(slots=True)
class Question:
    """One question: may `principal` do `action` to `resource`?

    `action` is written as AWS writes it (kms:GenerateDataKey), `resource` is an ARN or "*". `context` is a mapping of
    the request's condition keys (names are not case-sensitive; a key with several values has a tuple), or a function
    that adds them to the facts. The function is called only if a condition asks. Keys that follow from the principal
    (aws:PrincipalArn, kms:CallerAccount …) are added here, and `context` cannot set them. `proposed` is the grant that
    kms:CreateGrant is about to create.
    """

    principal: Principal
    action: str
    resource: str
    context: Given | AddFacts
    proposed: Grant | None = None
    _facts: Facts | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def used_conditions(self) -> bool:
        """Return whether a condition was evaluated; if not, only principal, action and resource decided."""
        return self._facts is not None

    def facts(self) -> Facts:
        """Return the condition keys with their values; they are prepared once, and only if a condition asks."""
        facts = self._facts
        if facts is None:
            facts = Facts()
            context = self.context
            if callable(context):  # the gate's function, which adds no keys of the principal
                context(facts)
                _add_principal(self.principal, self.action, facts)
            else:
                facts.add(context)
                _put_principal(self.principal, self.action, facts)
            self._facts = facts
        return facts


def _tags(principal: Principal, _: str) -> Pairs:
    """Return the tags of a principal; if names differ only in case, the last one counts."""
    return tuple({name.lower(): value for name, value in principal.tags}.items())


def _calling_account(principal: Principal, action: str) -> Values | None:
    return (principal.account,) if action.startswith("kms:") and action not in _WITHOUT_CALLER else None


# The condition keys that follow from the principal; AWS: "AWS global condition context keys", "Properties of the
# principal".
_PRINCIPAL: Table = {
    "aws:principaltype": lambda who, _: (_PRINCIPAL_TYPES[who.kind],),
    "aws:principalisawsservice": lambda who, _: ("false",),
    "aws:userid": lambda who, _: (who.id,),
    "aws:principalarn": lambda who, _: (who.identity_arn if who.kind == "role" else who.arn,),
    "aws:principalaccount": lambda who, _: (who.account,),
    "kms:calleraccount": _calling_account,
    "aws:username": lambda who, _: (who.name,) if who.kind == "user" else None,
    _TAG: _tags,
}
_ANONYMOUS: Table = {
    "aws:principaltype": lambda who, _: (_PRINCIPAL_TYPES[who.kind],),
    "aws:userid": lambda who, _: ("anonymous",),
    "aws:principalaccount": lambda who, _: ("anonymous",),
}
_SERVICE: Table = {
    "aws:principaltype": lambda who, _: (_PRINCIPAL_TYPES[who.kind],),
    "aws:principalisawsservice": lambda who, _: ("true",),
    "aws:principalservicename": lambda who, _: (who.arn,),
    "aws:principalservicenameslist": lambda who, _: (who.arn,),
}
_TABLES = {"anonymous": _ANONYMOUS, "service": _SERVICE}
# Not every principal has all of these keys. If a request claims one of them, it is dropped.
_PRINCIPAL_KEYS = frozenset(_PRINCIPAL) | frozenset(_SERVICE)


def _add_principal(principal: Principal, action: str, facts: Facts) -> None:
    """Add the keys that follow from the principal; their values are found when a condition asks."""
    facts.add_table(_TABLES.get(principal.kind, _PRINCIPAL), principal, action)
    for name, value in principal.session_facts:
        facts.known[name.lower()] = (value,)


def _put_principal(principal: Principal, action: str, facts: Facts) -> None:
    """Replace known keys, which the request may have claimed, by those that follow from the principal."""
    for key in (*_PRINCIPAL_KEYS, *(_TAG + name for name, _ in _tags(principal, action))):
        facts.known.pop(key, None)
    _add_principal(principal, action, facts)
