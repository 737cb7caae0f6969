"""One row of the table of condition keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["String", "ARN", "Bool", "Numeric", "Date", "IP address"]

FAMILY = "NAME"  # how a key's name ends when the rest is the request's choice: kms:EncryptionContext:NAME


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """A condition key: its name as AWS writes it, the kind of its values, and whether it has several.

    `actions` bring it: "*" stands for all, "s3:*" for all of a service. `holds` says what its values are, `absent`
    when it is not there ("" if it always is). `brought` is False for a key that no request brings to this server.
    `from_header` is True where the value is the request's header of the same name. `aws_actions`, in lower case, are
    those of S3 for which AWS takes the key in a bucket policy, None for all.
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
        """Return whether requests for an action, written as AWS writes it, may bring the key."""
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
    """Return the row of a key that AWS has and that no request brings here."""
    return ConditionKey(name, kind, actions, why, "always", many, brought=False, aws_actions=aws_actions)
