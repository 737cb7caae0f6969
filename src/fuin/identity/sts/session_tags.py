"""Session tags: those that a request may pass, and those that a chain of roles inherits.

AWS: "Pass session tags in AWS STS" and "Chaining roles with session tags" in the IAM user guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from fuin.access.principal import Principal
    from fuin.identity.wire.model import Given

TAGS_AT_MOST = 50

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SessionTags:
    """The tags that a request passes, those that its caller's session hands down, and the keys that go on."""

    passed: Tags
    inherited: Tags
    transitive: tuple[str, ...]

    @property
    def all_tags(self) -> Tags:
        """Return the tags of the new session."""
        return (*self.inherited, *self.passed)


def parse(given: Given, caller: Principal) -> SessionTags:
    """Return the tags of a new session; raises QueryFault for tags that AWS refuses."""
    passed = tuple((tag["Key"], tag["Value"]) for tag in given.get("Tags", []))
    folded = {name.lower() for name, _ in passed}
    if len(folded) != len(passed):
        raise _invalid_tags("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(name.startswith("aws:") for name in folded):
        raise _invalid_tags("Tag keys that begin with aws: are reserved for AWS use.")
    asked = {name.lower() for name in given.get("TransitiveTagKeys", [])}
    if not asked <= folded:
        raise _invalid_tags("The specified transitive tag key must be included in the requested tags.")
    down = {name.lower() for name in caller.transitive}
    if down & folded:
        raise _invalid_tags(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session."
        )
    inherited = tuple(tag for tag in caller.tags if tag[0].lower() in down)
    if len(inherited) + len(passed) > TAGS_AT_MOST:
        raise _invalid_tags(f"A session has at most {TAGS_AT_MOST} tags, with those that it inherits.")
    going_on = tuple(name for name, _ in passed if name.lower() in asked)
    return SessionTags(passed, inherited, (*[name for name, _ in inherited], *going_on))


def _invalid_tags(text: str) -> QueryFault:
    return QueryFault("InvalidParameterValue", text)
