"""One row of the table of condition keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["String", "ARN", "Bool", "Numeric", "Date", "IP address"]

FAMILY = "NAME"  # the end of a key's name if the request chooses the rest: kms:EncryptionContext:NAME


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """A condition key: its name as AWS writes it, the kind of its values, and whether it has several (`many`).

    Requests for `actions` have it: "*" means all actions, "s3:*" all of a service. `holds` describes its values;
    `absent` says when it is missing ("" if never). `brought` is False for a key that no request to this server has.
    `from_header` is True if the value is the request's header of the same name. `aws_actions`, in lower case, are the
    actions of S3 for which AWS accepts the key in a bucket policy; None means all.
    """

    name: str
    kind: Kind
    actions: tuple[str, ...]
    holds: str
    absent: str = ""
    many: bool = False
    brought: bool = True
    from_header: bool = False
    aws_actions: frozenset[str] | None = None

    @property
    def family(self) -> bool:
        """Return whether the name ends with a part that the request chooses."""
        return self.name.endswith(FAMILY)

    def belongs(self, action: str) -> bool:
        """Return whether requests for an action, written as AWS writes it, may have the key."""
        return any(
            action.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == action for pattern in self.actions
        )


def never(
    name: str,
    kind: Kind,
    why: str,
    *,
    many: bool = False,
    actions: tuple[str, ...] = ("*",),
    aws_actions: frozenset[str] | None = None,
) -> ConditionKey:
    """Return the row of a key of AWS that no request to this server has."""
    return ConditionKey(name, kind, actions, why, "always", many, brought=False, aws_actions=aws_actions)
