"""A cache of compiled policies: each policy is compiled once. A changed policy has another text, and so another
entry."""

from __future__ import annotations

from fuin.access.policy import Policy, PolicyKind, parse_policy


class PolicyCache:
    """Compiled policies by their text. The total length is limited, because somebody who makes many keys makes many."""

    CHARACTERS_AT_MOST = 8 * 1024 * 1024  # a compiled policy takes about 25 bytes for each

    def __init__(self) -> None:
        self._known: dict[PolicyKind, dict[str, Policy]] = {kind: {} for kind in PolicyKind}
        self._characters = 0

    def find_or_compile(self, document: str, kind: PolicyKind) -> Policy:
        """Return the compiled form of a stored policy document."""
        policy = self._known[kind].get(document)
        return policy if policy is not None else self._compile(document, kind)

    def _compile(self, document: str, kind: PolicyKind) -> Policy:
        policy = parse_policy(document, kind)
        self._characters += len(document)
        if self._characters > self.CHARACTERS_AT_MOST:
            for known in self._known.values():
                known.clear()
            self._characters = len(document)
        self._known[kind][document] = policy
        return policy


_known = PolicyCache()
compile_policy = _known.find_or_compile
