"""An account's password policy: get, update, delete; and whether a password conforms to it."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

from fuin.identity.iam import entities
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import NotFound
from fuin.store.identity import account_aliases, password_policies

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

# UpdateAccountPasswordPolicy sets these for members that are missing: it replaces the whole policy.
_DEFAULTS: dict[str, Any] = {
    "MinimumPasswordLength": 6, "RequireSymbols": False, "RequireNumbers": False,
    "RequireUppercaseCharacters": False, "RequireLowercaseCharacters": False, "AllowUsersToChangePassword": False,
}  # fmt: skip
# IAM user guide, "Default password policy" of accounts without one of their own.
_DEFAULT_LENGTH, _DEFAULT_KINDS = 8, 3
_KINDS = {
    "RequireSymbols": frozenset("!@#$%^&*()_+-=[]{}|'"), "RequireNumbers": frozenset(string.digits),
    "RequireUppercaseCharacters": frozenset(string.ascii_uppercase),
    "RequireLowercaseCharacters": frozenset(string.ascii_lowercase),
}  # fmt: skip


async def get_account_password_policy(call: Call, _given: Given) -> Output:
    """Return the account's password policy; raises NoSuchEntity if it has none, so that the default one holds."""
    await call.consult(entities.permit, "*")
    policy = await call.consult(policy_of)
    if policy is None:
        raise QueryFault("NoSuchEntity", f"The Password Policy with domain name {call.account} cannot be found.")
    return {"PasswordPolicy": {**policy, "ExpirePasswords": "MaxPasswordAge" in policy}}


async def update_account_password_policy(call: Call, given: Given) -> None:
    """Set the account's password policy as a whole; it holds for passwords that are set later."""
    await call.consult(entities.permit, "*")
    await call.announce("change")
    await call.write(password_policies.put_policy, call.account, json.dumps({**_DEFAULTS, **given}))


async def delete_account_password_policy(call: Call, _given: Given) -> None:
    """Remove the account's password policy, so that the default one holds."""
    await call.consult(entities.permit, "*")
    await call.announce("change")
    try:
        await call.write(password_policies.delete_policy, call.account)
    except NotFound:
        raise QueryFault("NoSuchEntity", "The account policy with name PasswordPolicy cannot be found.") from None


def policy_of(call: Call) -> dict[str, Any] | None:
    """Return the password policy of the caller's account as outputs have it, or None."""
    document = call.services.store.look_up(password_policies.find_policy, call.account)
    return None if document is None else json.loads(document)


def check(call: Call, password: str, old: str | None = None) -> None:
    """Raise PasswordPolicyViolation for a password that does not conform to the policy of the caller's account.

    Earlier passwords are not kept, so the new password is compared only with `old`, which the caller brings.
    """
    policy = policy_of(call)
    have = sum(not kind.isdisjoint(password) for kind in _KINDS.values())
    if policy is None:
        names = {call.account, call.services.store.look_up(account_aliases.find_alias, call.account)}
        conforms = len(password) >= _DEFAULT_LENGTH and have >= _DEFAULT_KINDS and password not in names
    else:
        conforms = len(password) >= policy["MinimumPasswordLength"]
        conforms &= all(not kind.isdisjoint(password) for name, kind in _KINDS.items() if policy[name])
        conforms &= "PasswordReusePrevention" not in policy or password != old
    if not conforms:
        raise QueryFault("PasswordPolicyViolation", "Password does not conform to the account password policy.")
