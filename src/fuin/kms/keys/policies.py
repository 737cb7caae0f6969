"""Key policies: GetKeyPolicy, PutKeyPolicy, ListKeyPolicies, and the checks of a policy that is put."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fuin import crash
from fuin.access.named_principals import principals_of
from fuin.access.policy import PolicyKind
from fuin.access.policy_cache import compile_policy
from fuin.errors import AccessDenied
from fuin.gate import policy_warnings
from fuin.gate.record import RequestRecord
from fuin.kms.model import quotas
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.shapes_grants import (
    GetKeyPolicyInput,
    GetKeyPolicyOutput,
    ListKeyPoliciesInput,
    ListKeyPoliciesOutput,
    PutKeyPolicyInput,
)
from fuin.kms.reach import rights
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.store.errors import NotFound
from fuin.store.identity import principals
from fuin.store.identity.principals import NoSuchPrincipal
from fuin.store.kms import keys

if TYPE_CHECKING:
    from fuin.access.resources.key import KeyResource
    from fuin.gate.call import Call

_NAME = "default"  # the only name that a key policy has here
_OF_SHARES = "AWS_RAM"  # AWS: the key policy that RAM manages, of a key that is shared through it
_POLICY_NAME = "kms:PolicyName"
_INVALID_PRINCIPALS = "Policy contains a statement with one or more invalid principals."


async def get_key_policy(call: Call, input: GetKeyPolicyInput) -> GetKeyPolicyOutput:
    """Return the key policy exactly as it was put."""
    named = await call.consult(
        authorized_key, input.KeyId or "", "kms:GetKeyPolicy", extra={_POLICY_NAME: input.PolicyName or _NAME}
    )
    _check_name(input.PolicyName)
    return GetKeyPolicyOutput(Policy=existing_key(named).policy, PolicyName=_NAME)


async def put_key_policy(call: Call, input: PutKeyPolicyInput) -> None:
    """Replace the key policy; holds in every worker when this returns."""
    bypass = bool(input.BypassPolicyLockoutSafetyCheck)
    extra = {
        _POLICY_NAME: (input.PolicyName or _NAME,),
        **rights.bypass_conditions(input.BypassPolicyLockoutSafetyCheck),
    }
    named = await call.consult(authorized_key, input.KeyId or "", "kms:PutKeyPolicy", extra=extra)
    key = existing_key(named)
    if input.PolicyName == _OF_SHARES:
        raise KmsFault("ValidationException", "The AWS_RAM policy can only be managed by the RAM service.")
    _check_name(input.PolicyName)
    policy = input.Policy or ""
    await call.consult(check_key_policy, named.resource.with_policy(policy), policy, bypass=bypass)
    call.facts["policySha256"] = hashlib.sha256(policy.encode()).hexdigest()
    crash.point("put_key_policy.before_store")
    try:
        await call.change(keys.set_policy, key.key_id, key.region, policy)
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None
    crash.point("put_key_policy.after_store")


async def list_key_policies(call: Call, input: ListKeyPoliciesInput) -> ListKeyPoliciesOutput:
    """Return the one name that key policies have; there is no second page, so no marker can be valid."""
    await call.consult(authorized_key, input.KeyId or "", "kms:ListKeyPolicies")
    if input.Marker is not None:  # the model has no InvalidMarkerException here
        raise KmsFault("ValidationException", "Could not deserialize marker")
    return ListKeyPoliciesOutput(PolicyNames=[_NAME], Truncated=False)


def _check_name(name: str | None) -> None:
    if name not in {None, _NAME}:
        raise NotFoundException("No such policy exists")


def check_key_policy(call: Call, resource: KeyResource, policy: str, *, bypass: bool) -> None:
    """Refuse a policy that is malformed, or under which the caller could not replace it again.

    AWS: "the key policy must allow the calling principal to make a subsequent PutKeyPolicy request". Raises
    LimitExceededException, MalformedPolicy (what is wrong, and where) or MalformedPolicyDocumentException. `resource`
    is the key under that policy.
    """
    quotas.check_policy(policy)
    _check_principals(call, tuple(principals_of(compile_policy(policy, PolicyKind.KEY))))
    if not bypass:
        _check_lockout(call, resource)
    policy_warnings.note(call, policy, PolicyKind.KEY, resource.arn)


def _check_lockout(call: Call, resource: KeyResource) -> None:
    trial = msgspec.structs.replace(call, record=RequestRecord())  # a question about the future leaves no decision
    try:
        trial.permit("kms:PutKeyPolicy", resource, {_POLICY_NAME: _NAME})
    except AccessDenied:
        raise KmsFault(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        ) from None


def _check_principals(call: Call, names: tuple[str, ...]) -> None:
    """Refuse a policy that names a principal that does not exist, also by the time that it is stored."""

    def check() -> None:
        try:
            call.services.store.look_up(principals.check, names)
        except NoSuchPrincipal:
            raise KmsFault("MalformedPolicyDocumentException", _INVALID_PRINCIPALS) from None

    check()
    call.remember(check)
