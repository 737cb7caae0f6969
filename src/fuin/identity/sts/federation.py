"""GetFederationToken: credentials of a federated user, limited by the rights of its user and by its session policies.

AWS: "GetFederationToken" in the STS API reference, "Permissions for GetFederationToken" in the IAM user guide. A
federated user is stored nowhere: it is a name that a user (or the root) vouches for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.resources.own import OwnResource
from fuin.clock import CLOCK
from fuin.errors import AccessDenied
from fuin.formats.session_token import Claims
from fuin.identity.sts import credentials, session_policies, session_tags

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.sts.session_tags import Tags
    from fuin.identity.wire.model import Given, Output

_USUAL, _OF_ROOT = 43_200, 3600  # seconds


async def get_federation_token(call: Call, given: Given) -> Output:
    """Return temporary credentials of a federated user, for a user or root with a long-lived access key.

    The right is checked again when the credentials have been made: a right that was taken away meanwhile gives none.
    """
    who = call.principal
    if who.kind not in ("user", "root") or who.session_facts:
        raise AccessDenied("Cannot call GetFederationToken with session credentials")
    arn = ids.federated_arn(who.account, given["Name"])
    tags = session_tags.parse(given, who).passed
    await call.consult(_permit, arn, tags)
    duration: int = given.get("DurationSeconds", _USUAL)
    document, arns = await call.consult(session_policies.parse, given, who.account)
    claims = Claims(
        kind="federated", account=who.account, id=who.id, issued=int(CLOCK.issue_time(call.now)), issuer=who.arn,
        issuer_key=call.access_key_id, session=given["Name"], policy=document, policy_arns=arns, tags=tags,
    )  # fmt: skip
    packed = credentials.packed_percent(document, arns, tags)
    issued = await credentials.issue(call, given, claims, min(duration, _OF_ROOT) if who.kind == "root" else duration)
    noted = len(call.decisions)
    await call.consult(_permit, arn, tags)
    del call.decisions[noted:]
    user = {"FederatedUserId": f"{who.account}:{given['Name']}", "Arn": arn}
    return {**issued, "FederatedUser": user, "PackedPolicySize": packed}


def _permit(call: Call, arn: str, tags: Tags) -> None:
    """Check the rights; tags need another right: "Pass session tags in AWS STS"; raises AccessDenied."""
    keys: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{name}": value for name, value in tags}
    if tags:
        keys["aws:TagKeys"] = tuple(name for name, _ in tags)
    for action in ("sts:GetFederationToken", "sts:TagSession") if tags else ("sts:GetFederationToken",):
        call.permit(action, OwnResource(arn, call.account), keys)
