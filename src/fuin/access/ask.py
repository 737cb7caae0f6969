"""What is asked of the policies: who wants to do what to which resource, under which circumstances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.access.facts import Facts, Fill, Given
from fuin.access.principal import Principal

if TYPE_CHECKING:
    from fuin.access.grants import Grant

_PRINCIPAL_TYPES = {
    "root": "Account", "user": "User", "role": "AssumedRole", "federated": "FederatedUser", "anonymous": "Anonymous",
    "service": "Service",
}  # fmt: skip
# What is not there for every principal, and so has to be taken away from a request that claims it.
_ITS_OWN = (
    "aws:principalarn", "aws:principalisawsservice", "aws:principalservicename", "aws:principalservicenameslist",
    "aws:username", "kms:calleraccount",
)  # fmt: skip
# AWS: kms:CallerAccount belongs to all of KMS but this (Service Authorization Reference).
_WITHOUT_CALLER = frozenset({"kms:ListRetirableGrants"})


@dataclass(slots=True)
class Ask:
    """One question: may `principal` do `action` to `resource`?

    `action` is written as AWS writes it (kms:GenerateDataKey), `resource` is an ARN or "*". `context` holds the
    request's condition keys (names are not case-sensitive; a tuple for a key that has several values), or is what puts
    them into the facts once a condition asks. What follows from the principal itself (aws:PrincipalArn,
    kms:CallerAccount …) is added here and cannot be given. `proposed` is the grant that kms:CreateGrant is to create.
    """

    principal: Principal
    action: str
    resource: str
    context: Given | Fill
    proposed: Grant | None = None
    _facts: Facts | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def circumstances_mattered(self) -> bool:
        """Tell whether a condition has been looked at: without one, who and what alone have decided."""
        return self._facts is not None

    def facts(self) -> Facts:
        """Return the condition keys with their values; made once, and only if a condition asks."""
        if self._facts is None:
            facts = Facts()
            context = self.context
            if callable(context):
                context(facts)
            else:
                facts.add(context)
                for key in _ITS_OWN:
                    facts.known.pop(key, None)
            _add_principal(self.principal, self.action, facts)
            self._facts = facts
        return self._facts


def _add_principal(principal: Principal, action: str, facts: Facts) -> None:
    """Add what follows from who asks; AWS: "AWS global condition context keys", "Properties of the principal"."""
    known = facts.known
    known["aws:principaltype"] = (_PRINCIPAL_TYPES[principal.kind],)
    if principal.kind == "anonymous":
        known["aws:userid"] = known["aws:principalaccount"] = ("anonymous",)
        return
    if principal.kind == "service":
        known["aws:principalisawsservice"] = ("true",)
        known["aws:principalservicename"] = known["aws:principalservicenameslist"] = (principal.arn,)
        return
    known["aws:principalisawsservice"] = ("false",)
    known["aws:userid"] = (principal.id,)
    known["aws:principalarn"] = (principal.role_arn if principal.kind == "role" else principal.arn,)
    known["aws:principalaccount"] = (principal.account,)
    if action.startswith("kms:") and action not in _WITHOUT_CALLER:
        known["kms:calleraccount"] = (principal.account,)
    if principal.kind == "user":
        known["aws:username"] = (principal.name,)
    for name, value in principal.tags:
        known[f"aws:principaltag/{name.lower()}"] = (value,)
    for name, value in principal.session_facts:
        known[name.lower()] = (value,)
