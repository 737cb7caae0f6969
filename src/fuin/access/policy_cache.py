"""Compiled policies, remembered by their text: a policy is compiled once, and a change of its text is seen at once."""

from __future__ import annotations

from fuin.access.policy import Policy, PolicyKind, parse_policy


class PolicyCache:
    """Compiled policies by their text, as long as the texts are not too long together: who makes keys makes many."""

    CHARACTERS_AT_MOST = 8 * 1024 * 1024  # a compiled policy takes about 25 bytes for each

    def __init__(self) -> None:
        self._known: dict[PolicyKind, dict[str, Policy]] = {kind: {} for kind in PolicyKind}
        self._characters = 0

    def find_or_compile(self, document: str, kind: PolicyKind) -> Policy:
        """Return the compiled form of a stored policy document; the text is the key, so a change is seen at once."""
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
