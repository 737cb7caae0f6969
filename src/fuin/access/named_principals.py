"""The principals that the policy of a resource names; they must exist when the policy is put."""

from collections.abc import Iterator

from fuin.access.policy import Policy


def principals_of(policy: Policy) -> Iterator[str]:
    """Yield the AWS principals that a policy names: account numbers, ARNs, and ids of deleted users and roles."""
    for statement in policy.statements:
        grantees = statement.grantees
        if grantees is not None:
            yield from sorted(grantees.accounts)
            yield from sorted(grantees.arns)
            yield from sorted(name for name in grantees.others if name.startswith(("AIDA", "AROA")))
