"""Session policies: the document and the managed policies in a request for temporary credentials.

AWS: "Session policies" in the IAM user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access import identity_policy
from fuin.access.policy import PolicyKind, parse_policy
from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given

_AT_MOST = 10


def parse(call: Call, given: Given, account: str) -> tuple[str, tuple[str, ...]]:
    """Return the document (or an empty text) and the ARNs of existing policies, of `account` or AWS.

    Raises MalformedPolicy or QueryFault.
    """
    document: str = given.get("Policy", "")
    if document:
        identity_policy.check(document, PolicyKind.SESSION)
        parse_policy(document, PolicyKind.SESSION)
    arns = tuple(item.get("arn", "") for item in given.get("PolicyArns", []))
    if len(arns) > _AT_MOST:
        raise QueryFault("ValidationError", f"A session has at most {_AT_MOST} managed session policies.")
    catalog = call.services.store.catalog()
    for arn in arns:
        if catalog.managed_document(account, arn) is None:
            raise QueryFault("InvalidParameterValue", f"Policy {arn} does not exist or is not attachable.")
    return document, arns
