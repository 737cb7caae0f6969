"""Managed policies and their versions: the account's own, and AWS's, which nobody can change."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.policy import PolicyKind, check_policy
from fuin.access.refusals import NotAuthorized
from fuin.gate import lists, policy_warnings
from fuin.identity.iam import entities, paging, quotas
from fuin.identity.wire.faults import QueryFault, no_such_entity
from fuin.numbers import whole_number
from fuin.store.identity import identities
from fuin.store.identity import managed_policies as rows
from fuin.store.identity.inline_policies import total_length
from fuin.store.identity.managed_policies import ManagedPolicy, PolicyVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

_ARN = re.compile(r"arn:aws:iam::([0-9]{12}|aws):policy(/(?:[\x21-\x7e]+/)?)([\w+=,.@-]{1,128})", re.ASCII)


async def create_policy(call: Call, given: Given) -> Output:
    """Add a managed policy; nobody has it yet."""
    policy = ManagedPolicy(
        call.account, given["PolicyName"], ids.new_policy_id(), call.now, given.get("Path", "/"), None,
        entities.tags_of(given), given.get("Description"), call.now,
    )  # fmt: skip
    try:
        await call.consult(entities.permit, policy.arn, entities.request_conditions(given))
        if policy.tags:
            await call.consult(entities.permit, policy.arn, entities.request_conditions(given), action="TagPolicy")
    except NotAuthorized as error:
        raise error.rephrase(noun=f"resource: policy {policy.name}") from None
    _check(call, policy, given["PolicyDocument"])
    await entities.add(call, policy, rows.insert_policy, policy, given["PolicyDocument"], quotas.POLICIES)
    return {"Policy": describe(policy)}


def _check(call: Call, policy: ManagedPolicy, document: str) -> None:
    if total_length(document) > quotas.POLICY_SIZE:
        raise QueryFault("LimitExceeded", f"Cannot exceed quota for PolicySize: {quotas.POLICY_SIZE}")
    check_policy(document, PolicyKind.MANAGED)
    policy_warnings.note(call, document, PolicyKind.MANAGED, policy.arn)


def policy_of(call: Call, given: Given, more: Mapping[str, Any] | None = None, *, owned: bool = False) -> ManagedPolicy:
    """Return the policy that an operation names, if the operation on it is allowed.

    With `owned` the operation changes the policy: then AWS's policies belong to another account, in which no caller has
    a right. To read or attach them, only the caller's own policies must allow it.
    """
    arn = given["PolicyArn"]
    check_arn(arn)
    found = call.services.store.look_up(rows.find_policy, call.account, arn)
    account = identities.policy_owner(call.account, arn) if owned else call.account
    again = partial(policy_of, call, given, more, owned=owned)  # the policy's tags may have changed then
    try:
        entities.permit(
            call, arn, {**entities.resource_conditions(found), **(more or {})}, account=account, again=again
        )
    except NotAuthorized as error:
        raise error.rephrase(noun=f"resource: policy {arn}") from None
    if found is None:
        raise no_such_entity("policy", arn)
    return found


def check_arn(arn: str | None) -> None:
    """Raise InvalidInput unless the text is a policy's ARN; None is taken too."""
    if arn is not None and not _ARN.fullmatch(arn):
        raise QueryFault("InvalidInput", f"ARN {arn} is not valid.")


async def get_policy(call: Call, given: Given) -> Output:
    """Return a policy without its document."""
    return {"Policy": describe(await call.consult(policy_of, given))}


async def list_policies(call: Call, given: Given) -> Output:
    """Return a page of the account's policies and AWS's."""
    prefix = given.get("PathPrefix", "/")
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:policy{prefix}")
    return await lists.page(call, _page, call.account, prefix, given)


def _page(conn: Connection, account: str, prefix: str, given: Given) -> Output:
    """Return a page; all policies are read for it, since a request may filter by the number of attachments."""
    scope = given.get("Scope", "All")
    found = [] if scope == "AWS" else rows.page_policies(conn, account, prefix)
    found += [] if scope == "Local" else rows.policies_of_aws(conn, account, prefix)
    kept = [policy for policy in found if _is_asked_for(policy, given)]
    return paging.page_of_all(given, "Policies", kept, lambda policy: f"{policy.name} {policy.account}", _summarize)


def _is_asked_for(policy: ManagedPolicy, given: Given) -> bool:
    usage = given.get("PolicyUsageFilter")
    if usage is not None and not (policy.boundaries if usage == "PermissionsBoundary" else policy.attachments):
        return False
    return not given.get("OnlyAttached") or policy.attachments > 0


async def delete_policy(call: Call, given: Given) -> None:
    """Remove a policy that nobody has and that has only its default version."""
    policy = await call.consult(policy_of, given, owned=True)
    await entities.change(call, policy, _delete, policy.id)


def _delete(conn: Connection, policy_id: str) -> None:
    rows.delete_policy(conn, rows.policy_by_id(conn, policy_id))


async def create_policy_version(call: Call, given: Given) -> Output:
    """Add a version; with SetAsDefault it holds wherever the policy is attached when this returns."""
    policy = await call.consult(policy_of, given, owned=True)
    document, default = given["PolicyDocument"], given.get("SetAsDefault", False)
    _check(call, policy, document)
    number = await entities.change(call, policy, _add_version, policy.id, document, default, call.now)
    return {"PolicyVersion": {"VersionId": f"v{number}", "IsDefaultVersion": default, "CreateDate": call.now}}


def _add_version(conn: Connection, policy_id: str, document: str, default: bool, now: float) -> int:
    return rows.add_version(conn, rows.policy_by_id(conn, policy_id), document, default=default, now=now)


async def get_policy_version(call: Call, given: Given) -> Output:
    """Return a version with its document."""
    policy = await call.consult(policy_of, given)
    number = _number(policy, given)
    for version in await call.services.store.read(rows.list_versions, policy.id):
        if version.number == number:
            return {"PolicyVersion": describe_version(policy, version, entities.encode_document(version.document))}
    raise _no_version(policy, given)


async def list_policy_versions(call: Call, given: Given) -> Output:
    """Return the versions of a policy, the newest first, without documents."""
    policy = await call.consult(policy_of, given)
    found = await call.services.store.read(rows.list_versions, policy.id)
    order = {version.number: f"{index:03}" for index, version in enumerate(found)}
    return paging.page_of_all(
        given,
        "Versions",
        found,
        lambda version: order[version.number],
        lambda version: describe_version(policy, version),
    )


async def set_default_policy_version(call: Call, given: Given) -> None:
    """Make another version the default; it holds wherever the policy is attached when this returns."""
    policy = await call.consult(policy_of, given, owned=True)
    number = _number(policy, given)
    if all(version.number != number for version in await call.services.store.read(rows.list_versions, policy.id)):
        raise _no_version(policy, given)
    await entities.change(call, policy, _set_default, policy.id, number, call.now)


def _set_default(conn: Connection, policy_id: str, number: int, now: float) -> None:
    rows.set_default(conn, rows.policy_by_id(conn, policy_id), number, now)


async def delete_policy_version(call: Call, given: Given) -> None:
    """Remove a version that is not the default one."""
    policy = await call.consult(policy_of, given, owned=True)
    number = _number(policy, given)
    if all(version.number != number for version in await call.services.store.read(rows.list_versions, policy.id)):
        raise _no_version(policy, given)
    await entities.change(call, policy, _delete_version, policy.id, number)


def _delete_version(conn: Connection, policy_id: str, number: int) -> None:
    rows.delete_version(conn, rows.policy_by_id(conn, policy_id), number)


def _number(policy: ManagedPolicy, given: Given) -> int:
    number = whole_number(given["VersionId"].removeprefix("v"), 0, 999_999_999)
    if number is None:  # v2.draft, which the model allows
        raise _no_version(policy, given)
    return number


def _no_version(policy: ManagedPolicy, given: Given) -> QueryFault:
    return QueryFault("NoSuchEntity",
        f"Policy {policy.arn} version {given['VersionId']} does not exist or is not attachable."
    )  # fmt: skip


def describe(policy: ManagedPolicy) -> Output:
    """Return a policy as outputs have it."""
    return {**_summarize(policy), "Description": policy.description, "Tags": entities.describe_tags(policy)}


def _summarize(policy: ManagedPolicy) -> Output:
    return {
        "PolicyName": policy.name, "PolicyId": policy.id, "Arn": policy.arn, "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}", "AttachmentCount": policy.attachments,
        "PermissionsBoundaryUsageCount": policy.boundaries, "IsAttachable": True, "CreateDate": policy.created,
        "UpdateDate": policy.updated,
    }  # fmt: skip


def describe_version(policy: ManagedPolicy, version: PolicyVersion, document: str | None = None) -> Output:
    """Return a version as outputs have it."""
    return {
        "Document": document, "VersionId": f"v{version.number}",
        "IsDefaultVersion": version.number == policy.default_version, "CreateDate": version.created,
    }  # fmt: skip
