"""What is asked of the policies: who wants to do what to which resource, under which circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.access.principal import Principal

if TYPE_CHECKING:
    from fuin.access.grants import Grant

_PRINCIPAL_TYPES = {
    "root": "Account", "user": "User", "role": "AssumedRole", "anonymous": "Anonymous", "service": "Service",
}  # fmt: skip


@dataclass(slots=True)
class Ask:
    """One question: may `principal` do `action` to `resource`?

    `action` is written as AWS writes it (kms:GenerateDataKey), `resource` is an ARN or "*". `context` maps condition
    keys to the request's values, a tuple for a key that has several; names of condition keys are not case-sensitive.
    What follows from the principal itself (aws:PrincipalArn, kms:CallerAccount …) is added here and cannot be given.
    `proposed` is the grant that kms:CreateGrant is to create.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]]
    proposed: Grant | None = None
    _facts: dict[str, tuple[str, ...]] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def circumstances_mattered(self) -> bool:
        """Tell whether a condition has been looked at: without one, who and what alone have decided."""
        return self._facts is not None

    def facts(self) -> Mapping[str, tuple[str, ...]]:
        """Return the condition keys in lower case with their values; made once, and only if a condition asks.

        A key has several values only when the request named it in several cases (the encryption context may hold
        both `App` and `app`); conditions then take the reading that grants less.
        """
        if self._facts is None:
            facts: dict[str, tuple[str, ...]] = {}
            for key, value in self.context.items():
                folded = key.lower()
                facts[folded] = (*facts.get(folded, ()), *((value,) if isinstance(value, str) else value))
            facts.update(_principal_facts(self.principal))
            self._facts = facts
        return self._facts


def _principal_facts(principal: Principal) -> dict[str, tuple[str, ...]]:
    facts: dict[str, tuple[str, ...]] = {
        "aws:principaltype": (_PRINCIPAL_TYPES[principal.kind],),
        "aws:principalisawsservice": ("true" if principal.kind == "service" else "false",),
    }
    if principal.kind != "service":
        facts["aws:userid"] = (principal.id,)
    if principal.kind in ("root", "user", "role"):
        facts["aws:principalarn"] = (principal.role_arn or principal.arn,)
        facts["aws:principalaccount"] = facts["kms:calleraccount"] = (principal.account,)
    if principal.kind == "user":
        facts["aws:username"] = (principal.name,)
    for name, value in principal.tags:
        facts[f"aws:principaltag/{name.lower()}"] = (value,)
    return facts
