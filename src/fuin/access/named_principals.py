"""Whom the documents of resources name: what must exist when they are put."""

from collections.abc import Iterator

from fuin.access.policy import Policy


def principals_of(policy: Policy) -> Iterator[str]:
    """Yield the AWS principals that a policy's statements name: accounts' numbers, ARNs, ids of what has ended."""
    for statement in policy.statements:
        grantees = statement.grantees
        if grantees is not None:
            yield from sorted(grantees.accounts)
            yield from sorted(grantees.arns)
            yield from sorted(name for name in grantees.others if name.startswith(("AIDA", "AROA")))
