"""A refusal for want of a right: who, what, where, by which kind of policy; and AWS's sentence for it.

Nobody takes the sentence apart. A service that must tell the caller less, or calls the resource by another name,
changes the refusal (`NotAuthorized.rephrase`). The sentence is put together when the answer is written, in each
service's `faults`.
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
_OF_CALLER = (IDENTITY, BOUNDARY, SESSION)


class Refusal(NamedTuple):
    """Who is not authorized to do what, and by which kind of policy: `explicit` by a Deny, else for want of an Allow.

    `noun` is what the caller called the resource, where its ARN would tell more ("resource: user bob", "this
    resource"). `cause` is AWS's text where it names no kind of policy, `hint` what this server adds.
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
        return not self.explicit and not self.cause and self.kind in _OF_CALLER

    @property
    def sentence(self) -> str:
        """Return AWS's sentence; S3 puts the resource in quotes and leaves out that it is on none.

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
        """Return AWS's wording, safe to show to the caller."""
        return self.refusal.sentence

    def rephrase(self, **changes: Any) -> NotAuthorized:
        """Return the refusal in other words for the caller, such as with another noun for the resource."""
        return NotAuthorized(self.refusal._replace(**changes), self.decision)
