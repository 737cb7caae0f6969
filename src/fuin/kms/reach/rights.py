"""Condition keys of KMS requests, and refusals as AWS words them.

Source: AWS KMS developer guide, "AWS KMS condition keys".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fuin.access.causes import RESOURCE
from fuin.access.refusals import NotAuthorized, Refusal
from fuin.access.resources.key import KeyResource
from fuin.gate.commit import HeldRights
from fuin.gate.record import RequestRecord
from fuin.kms.model.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SYMMETRIC_DEFAULT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.decide import Decision
    from fuin.access.facts import Facts, Pairs, Table, Values
    from fuin.gate.call import Call
    from fuin.kms.reach.key_identifiers import KeyReference
    from fuin.kms.reach.use import Use

# AWS's text for a key in another account: the same whether it exists or not.
_UNSEEN = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
THIS_RESOURCE, OF_CIPHERTEXT = "this resource", "the resource associated with this ciphertext"

# The condition key with the algorithm, in lower case as facts have it, by the key's usage.
ALGORITHM_KEY = {
    ENCRYPT_DECRYPT: "kms:encryptionalgorithm",
    SIGN_VERIFY: "kms:signingalgorithm",
    GENERATE_VERIFY_MAC: "kms:macalgorithm",
    KEY_AGREEMENT: "kms:keyagreementalgorithm",
    ENCAPSULATE_DECAPSULATE: "kms:encapsulationalgorithm",
}


def add_use(use: Use, pairs: Mapping[str, str], facts: Facts) -> None:
    """Add the condition keys of a use of a key: the algorithm and the encryption context."""
    facts.add_table(_USE, use, pairs)
    for key, value in use.more:
        facts.known[key] = (value,)


def _algorithm(usage: str, use: Use, _: Mapping[str, str]) -> Values | None:
    return (use.algorithm,) if use.usage == usage and use.algorithm is not None else None


def _context(use: Use, pairs: Mapping[str, str]) -> Pairs:
    """Return the encryption context, which only symmetric encryption has."""
    return tuple(pairs.items()) if use.algorithm == SYMMETRIC_DEFAULT else ()


_USE: Table = {
    **{key: partial(_algorithm, usage) for usage, key in ALGORITHM_KEY.items()},
    "kms:encryptioncontext:": _context,
    "kms:encryptioncontextkeys": lambda use, pairs: tuple(name for name, _ in _context(use, pairs)),
}


def tag_conditions(tags: Mapping[str, str]) -> dict[str, Values]:
    """Return the condition keys of tags in a request: aws:RequestTag/NAME and aws:TagKeys."""
    keys: dict[str, Values] = {f"aws:RequestTag/{name}": (value,) for name, value in tags.items()}
    return keys | {"aws:TagKeys": tuple(tags)}


def bypass_conditions(given: bool | None) -> dict[str, Values]:
    """Return kms:BypassPolicyLockoutSafetyCheck; AWS: absent, not false, from a request that does not say it."""
    return {} if given is None else {"kms:BypassPolicyLockoutSafetyCheck": ("true",) if given else ("false",)}


def refusal_for_caller(call: Call, named: KeyReference, action: str, error: NotAuthorized, noun: str) -> NotAuthorized:
    """Return the refusal as AWS words it: a caller of another account does not learn of the key or its policy.

    `noun` is the resource in the sentence. Where only an Allow in the caller's own policies is missing, the key policy
    has let the caller know of the key. All other refusals are those of a missing key, with the ARN that the caller
    named.
    """
    if named.account == call.account:
        return error
    if error.refusal.is_callers_own:
        return error if noun is THIS_RESOURCE and not named.alias else error.rephrase(noun=noun)
    of_none = _refusal_of_missing_key(call, named, action) if noun is THIS_RESOURCE and not named.alias else None
    if of_none is not None and of_none.refusal.explicit:
        return NotAuthorized(of_none.refusal, error.decision)
    return hidden_key_refusal(call, action, noun, error.decision)


def _refusal_of_missing_key(call: Call, named: KeyReference, action: str) -> NotAuthorized | None:
    """Return how the caller's own policies refuse a key that does not exist.

    A Deny in the caller's own policies may depend on the key's tags, aliases or spec, or on their absence. A Deny in
    the key policy goes before it. Any other answer than this one would reveal a key of another account.
    """
    trial = msgspec.structs.replace(call, record=RequestRecord(), rights=HeldRights())
    try:
        trial.permit(action, KeyResource(named.arn, named.account, None, None, named.alias))
    except NotAuthorized as error:
        return error
    return None


def hidden_key_refusal(call: Call, action: str, noun: str, decision: Decision | None = None) -> NotAuthorized:
    """Return the refusal for a key that the caller must not know of."""
    return NotAuthorized(Refusal(call.principal, action, "", RESOURCE, noun=noun, cause=_UNSEEN), decision)
