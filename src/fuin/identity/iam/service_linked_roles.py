"""Service-linked roles: create, delete, and the status of a deletion. They are only data: no service assumes them here.

AWS attaches a policy of the service to each role, which nobody else can attach. This server does not have those
policies, so the roles have no policies and allow nothing. In AWS only AWS may change these roles, and here nobody may;
`entities.py` refuses it.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.refusals import NotAuthorized
from fuin.identity.iam import entities, quotas, roles
from fuin.identity.iam.linked_services import LINKED
from fuin.identity.wire.faults import QueryFault, no_such_entity
from fuin.store.errors import AlreadyExists
from fuin.store.identity import role_deletions
from fuin.store.identity.roles import Role, insert_role

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

_NAME_AT_MOST = 64
_TASK = re.compile(r"task(/aws-service-role/[\w+=,.@-]{1,128}/)([\w+=,.@-]{1,64})/[0-9a-f-]{36}", re.ASCII)
# AWS: they count towards the roles of an account, and can still be made when that is reached; but not without end.
_AT_MOST = 2 * quotas.ROLES


async def create_service_linked_role(call: Call, given: Given) -> Output:
    """Add the role of a service, which nobody but the service may assume."""
    service, suffix = given["AWSServiceName"], given.get("CustomSuffix")
    linked = LINKED.get(service)
    name = "AWSServiceRoleFor*" if linked is None else linked.role + (f"_{suffix}" if suffix else "")
    role = Role(
        call.account, name, ids.new_role_id(), call.now, f"{entities.OF_SERVICES}{service}/",
        trust_policy=_trust_policy(service), description=given.get("Description"), service=service,
    )  # fmt: skip
    await call.consult(entities.permit, role.arn, {"iam:AWSServiceName": service})
    if linked is None:
        raise QueryFault("InvalidInput", f"The service-linked role of {service} is not known to this server.")
    if suffix and not linked.suffixed:
        raise QueryFault("InvalidInput", f"Custom suffix is not allowed for {service}")
    if len(name) > _NAME_AT_MOST:
        raise QueryFault(
            "InvalidInput", f"The name of the role, {name}, would have more than {_NAME_AT_MOST} characters."
        )
    await call.announce("change")
    try:
        await call.add(insert_role, role, _AT_MOST)
    except AlreadyExists:
        text = f"Service role name {name} has been taken in this account, please try a different suffix."
        raise QueryFault("InvalidInput", text) from None
    return {"Role": roles.describe(role)}


def _trust_policy(service: str) -> str:
    statement = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def delete_service_linked_role(call: Call, given: Given) -> Output:
    """Remove the role of a service; no service uses it here, so it is deleted when this returns."""
    role = await call.consult(entities.role, given["RoleName"])
    if role.service is None:
        raise no_such_entity("service-linked role", role.name)
    task = f"task{role.path}{role.name}/{uuid.uuid4()}"
    await entities.change(call, role, role_deletions.end_role, role, task, call.now)
    return {"DeletionTaskId": task}


async def get_service_linked_role_deletion_status(call: Call, given: Given) -> Output:
    """Answer that a deletion has succeeded: one that fails gives an error at once."""
    task = given["DeletionTaskId"]
    named = _TASK.fullmatch(task)
    path, name = ("/", "*") if named is None else named.groups()
    arn = ids.iam_arn(call.account, Role.kind, path, name)
    try:
        await call.consult(entities.permit, arn)
    except NotAuthorized as error:
        raise error.rephrase(noun=f"resource: role {name}") from None
    if named is None:
        raise QueryFault("InvalidInput", "The deletion task id is not valid.")
    if not await call.services.store.read(role_deletions.has_ended, call.account, task):
        raise QueryFault("NoSuchEntity", f"The deletion task {task} cannot be found.")
    return {"Status": "SUCCEEDED"}
