"""What one tenant can make the server keep in memory is bounded."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from fuin.access.policy import PolicyKind
from fuin.access.policy_cache import PolicyCache
from fuin.gate import authentication, sessions


def test_compiled_policies_are_bounded_by_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each policy may be long, and whoever may make keys may make thousands of policies."""
    monkeypatch.setattr(PolicyCache, "CHARACTERS_AT_MOST", 2_000)
    policies = PolicyCache()

    def document(number: int) -> str:
        statement = {"Sid": f"S{number}", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": statement})

    kept = policies.find_or_compile(document(0), PolicyKind.KEY)
    assert policies.find_or_compile(document(0), PolicyKind.KEY) is kept
    for number in range(1, 100):
        policies.find_or_compile(document(number), PolicyKind.KEY)
        assert sum(len(text) for known in policies._known.values() for text in known) <= 2_000
    assert policies.find_or_compile(document(0), PolicyKind.KEY) is not kept


def test_signing_keys_and_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has one access key may sign for any day, Region and service, and have any number of sessions."""
    monkeypatch.setattr(authentication, "_DAY_KEYS_AT_MOST", 10)
    monkeypatch.setattr(sessions, "_AT_MOST", 10)
    keys: Any = authentication.DayKeys()
    for number in range(30):
        credential = SimpleNamespace(access_key_id="A", date="20261129", region=f"r-{number}", service="s3")
        keys.keep(b"sealed", credential, b"key")
        keys.sessions.keep(SimpleNamespace(token=f"{number}", credential=credential), object())
    assert (len(keys._keys), len(keys.sessions._sessions)) == (10, 10)
    assert keys.cached_key(b"sealed", credential) == b"key"
