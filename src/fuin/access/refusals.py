"""A refusal because a right is missing: the principal, action, resource and kind of policy, and AWS's sentence for it.

No code takes the sentence apart. If a service must say less, or calls the resource by another name, it changes the
refusal (`NotAuthorized.rephrase`). Each service's `faults` makes the sentence when it writes the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fuin.access.causes import BOUNDARY, IDENTITY, SESSION, TRUST
from fuin.errors import AccessDenied

if TYPE_CHECKING:
    from fuin.access.decide import Decision
    from fuin.access.principal import Principal

_ARTICLES = {IDENTITY: "an", TRUST: "the"}
_NO_BUCKET = ("*", "arn:aws:s3:::*")
_CALLERS_KINDS = (IDENTITY, BOUNDARY, SESSION)


class Refusal(NamedTuple):
    """The principal, the action, and the kind of policy that refuses: `explicit` by a Deny, else by a missing Allow.

    `noun` is the caller's name for the resource, if its ARN would say more than the caller may know ("resource: user
    bob", "this resource"). `cause` is AWS's text if it names no kind of policy; `hint` is a text that this server adds.
    """

    principal: Principal
    action: str
    resource: str
    kind: str
    explicit: bool = False
    noun: str = ""
    cause: str = ""
    hint: str = ""

    @property
    def is_callers_own(self) -> bool:
        """Return whether only an Allow of the caller's own policies or their limits is missing."""
        return not self.explicit and not self.cause and self.kind in _CALLERS_KINDS

    @property
    def sentence(self) -> str:
        """Return AWS's sentence; S3 puts the resource in quotes, and leaves it out if there is no particular one.

        AWS: IAM user guide, "Troubleshoot access denied error messages".
        """
        who = "anonymous" if self.principal.kind == "anonymous" else self.principal.arn
        what = f"{self.action} {self._resource_phrase}{self.cause or self._cause_phrase}"
        return f"User: {who} is not authorized to perform: {what}{self.hint}"

    @property
    def _resource_phrase(self) -> str:
        if self.noun:
            return f"on {self.noun} "
        if not self.action.startswith("s3:"):
            return f"on resource: {self.resource} "
        return f'on resource: "{self.resource}" ' if self.resource not in _NO_BUCKET else ""

    @property
    def _cause_phrase(self) -> str:
        if self.explicit:
            return f"with an explicit deny in {_ARTICLES.get(self.kind, 'a')} {self.kind}"
        return f"because no {self.kind} allows the {self.action} action"


class NotAuthorized(AccessDenied):
    """The policies do not allow a request; `refusal` is the answer to the caller, `decision` the reason for it."""

    def __init__(self, refusal: Refusal, decision: Decision | None = None) -> None:
        super().__init__()
        self.refusal = refusal
        self.decision = decision

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """Return AWS's sentence, which the caller may see."""
        return self.refusal.sentence

    def rephrase(self, **changes: Any) -> NotAuthorized:
        """Return the refusal with other words for the caller, such as another noun for the resource."""
        return NotAuthorized(self.refusal._replace(**changes), self.decision)
