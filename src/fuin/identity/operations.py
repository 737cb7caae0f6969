"""The operations of IAM and STS that are built: name, IAM action, function.

The other operations of the service model get an error that says so (`app.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.identity.iam import iam
from fuin.identity.sts import assume_role, federation, sts
from fuin.identity.wire.model import Given, Model, Output

if TYPE_CHECKING:
    from fuin.gate.call import Call

Function = Callable[["Call", Given], Awaitable[Output | None]]


@dataclass(frozen=True, slots=True)
class QueryOperation:
    """One operation; `action` is the IAM action that it needs, empty where no right is needed."""

    name: str
    action: str
    run: Function


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the query protocol: its model and its operations.

    A signature may be for any Region, for IAM too: AWS's IAM is in us-east-1 only, but clients with an endpoint URL
    sign for their own Region (boto3 does). Conditions see `region`, in which the service is, and not the Region of the
    signature, so that no caller can choose it. It is empty for a service that is in every Region.
    """

    model: Model
    operations: dict[str, QueryOperation]
    region: str = ""


def _table(*rows: QueryOperation) -> dict[str, QueryOperation]:
    return {row.name: row for row in rows}


STS = Service(
    Model("sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"),
    _table(
        QueryOperation("AssumeRole", "sts:AssumeRole", assume_role.assume_role),
        QueryOperation(
            "DecodeAuthorizationMessage", "sts:DecodeAuthorizationMessage", sts.decode_authorization_message
        ),
        QueryOperation("GetAccessKeyInfo", "sts:GetAccessKeyInfo", sts.get_access_key_info),
        QueryOperation("GetCallerIdentity", "", sts.get_caller_identity),
        QueryOperation("GetFederationToken", "sts:GetFederationToken", federation.get_federation_token),
        QueryOperation("GetSessionToken", "", sts.get_session_token),
    ),
)

IAM = Service(
    Model("iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"),
    _table(*(QueryOperation(name, f"iam:{name}", run) for name, run in iam.ROWS)),
    region="us-east-1",  # AWS: "AWS global condition context keys", aws:RequestedRegion
)

SERVICES = {"sts": STS, "iam": IAM}
