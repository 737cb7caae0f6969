"""What one tenant can make the server keep in memory is bounded."""

import json

import pytest

from fuin.access.compiled import Policies
from fuin.access.policy import PolicyKind


def test_compiled_policies_are_bounded_by_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each policy may be long, and whoever may make keys may make thousands of policies."""
    monkeypatch.setattr(Policies, "CHARACTERS_AT_MOST", 2_000)
    policies = Policies()

    def document(number: int) -> str:
        statement = {"Sid": f"S{number}", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": statement})

    kept = policies.compiled(document(0), PolicyKind.KEY)
    assert policies.compiled(document(0), PolicyKind.KEY) is kept
    for number in range(1, 100):
        policies.compiled(document(number), PolicyKind.KEY)
        assert sum(len(text) for known in policies._known.values() for text in known) <= 2_000
    assert policies.compiled(document(0), PolicyKind.KEY) is not kept
