"""Warnings about a policy that a request puts: in the server's log and the request's record, never an error.

The policy has been checked before. A warning is about a part that is well-formed, but probably not what its author
means.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fuin.access.lint import lint

if TYPE_CHECKING:
    from fuin.access.kinds import PolicyKind
    from fuin.gate.call import Call

_log = logging.getLogger("fuin.policies")
_NOTED_AT_MOST = 8  # in the record, which must stay small


def note(call: Call, document: str, kind: PolicyKind, owner: str) -> None:
    """Log and record the warnings about a policy that a request puts; `owner` is the ARN of the key or other owner."""
    found = lint.lint(document, kind, _NOTED_AT_MOST)
    if not found:
        return
    call.facts["policyWarnings"] = [finding.line for finding in found]
    for finding in found:  # the author of the policy chooses the names of statements: no line breaks
        _log.warning("%s of %s, put by request %s: %s", kind.value, ascii(owner), call.request_id, ascii(finding.line))
