"""Condition keys of KMS requests, and refusals as AWS words them.

Source: AWS KMS developer guide, "AWS KMS condition keys".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fuin.access.reasons import BOUNDARY, EXPLICITLY, IDENTITY, SESSION
from fuin.errors import AccessDenied
from fuin.gate.commit import HeldRights
from fuin.gate.permit import permit_identity
from fuin.gate.record import Record
from fuin.kms.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SYMMETRIC_DEFAULT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.facts import Facts, Given, Table, Values
    from fuin.gate.call import Call
    from fuin.kms.naming import KeyReference
    from fuin.kms.use import Use
    from fuin.store.kms.keys import Key

# AWS's text for a key in another account: the same whether it exists or not.
_UNSEEN = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
_OF_CALLER = (IDENTITY, BOUNDARY, SESSION)  # the policies that are the caller's own
THIS_RESOURCE, OF_CIPHERTEXT = "this resource", "the resource associated with this ciphertext"

# The condition key with the algorithm, in lower case as facts have it, by the key's usage.
ALGORITHM_KEY = {
    ENCRYPT_DECRYPT: "kms:encryptionalgorithm",
    SIGN_VERIFY: "kms:signingalgorithm",
    GENERATE_VERIFY_MAC: "kms:macalgorithm",
    KEY_AGREEMENT: "kms:keyagreementalgorithm",
    ENCAPSULATE_DECAPSULATE: "kms:encapsulationalgorithm",
}


def _multi_region_type(_: Call, key: Key) -> Values | None:
    if key.primary_region is None:
        return None
    return ("PRIMARY",) if key.primary_region == key.region else ("REPLICA",)


def _aliases(call: Call, key: Key) -> Values:
    """Return the names of all aliases of a key (kms:ResourceAliases)."""
    return call.services.store.catalog().alias_names(key.account, key.region, key.key_id)


_KEY: Table = {
    "kms:keyspec": lambda _, key: (key.spec,),
    "kms:customermasterkeyspec": lambda _, key: (key.spec,),
    "kms:keyusage": lambda _, key: (key.usage,),
    "kms:customermasterkeyusage": lambda _, key: (key.usage,),
    "kms:keyorigin": lambda _, key: (key.origin,),
    "kms:multiregion": lambda _, key: ("true",) if key.multi_region else ("false",),
    "kms:multiregionkeytype": _multi_region_type,
    "kms:resourcealiases": _aliases,
}


def add_key(call: Call, named: KeyReference, extra: Given | None, facts: Facts) -> None:
    """Put the condition keys of the key that was named, and of the operation, into the facts."""
    key = named.key
    if key is not None:
        facts.by_table(_KEY, call, key)
        if key.tags:
            facts.by_family("aws:resourcetag/", partial(_add_tags, key))
    if named.alias:
        facts.known["kms:requestalias"] = (named.alias,)
    if extra:
        facts.add(extra)


def _add_tags(key: Key, facts: Facts) -> None:
    for name, value in key.tags:
        facts.also(f"aws:resourcetag/{name}", value)


def add_use(call: Call, named: KeyReference, use: Use, pairs: Mapping[str, str], facts: Facts) -> None:
    """Put the condition keys of the key and of its use into the facts: the algorithm and the encryption context.

    Not before one is asked for that the request itself does not have: this is for every use of a key.
    """
    facts.then(partial(_add_use, call, named, use, pairs))


def _add_use(call: Call, named: KeyReference, use: Use, pairs: Mapping[str, str], facts: Facts) -> None:
    add_key(call, named, None, facts)
    if use.usage is not None and use.algorithm is not None:
        facts.known[ALGORITHM_KEY[use.usage]] = (use.algorithm,)
    if pairs and use.algorithm == SYMMETRIC_DEFAULT:  # nothing else has an encryption context
        facts.by_family("kms:encryptioncontext", partial(_add_context, pairs))
    for key, value in use.more:
        facts.known[key] = (value,)


def _add_context(pairs: Mapping[str, str], facts: Facts) -> None:
    """Put the condition keys of an encryption context that is not empty into the facts."""
    facts.known["kms:encryptioncontextkeys"] = tuple(pairs)
    for name, value in pairs.items():
        facts.also(f"kms:encryptioncontext:{name}", value)


def of_new_key(spec: str, usage: str, origin: str, replica: bool | None, tags: Mapping[str, str]) -> dict[str, Values]:
    """Return the condition keys of a key that is to be made; `replica` is None for a single-Region key.

    AWS: aws:ResourceTag/NAME is there "in requests that create a resource with an attached tag" as well.
    """
    keys: dict[str, Values] = {
        "kms:KeySpec": (spec,),
        "kms:CustomerMasterKeySpec": (spec,),
        "kms:KeyUsage": (usage,),
        "kms:CustomerMasterKeyUsage": (usage,),
        "kms:KeyOrigin": (origin,),
        "kms:MultiRegion": ("false",) if replica is None else ("true",),
    }
    if replica is not None:
        keys["kms:MultiRegionKeyType"] = ("REPLICA",) if replica else ("PRIMARY",)
    return keys | {f"aws:ResourceTag/{name}": (value,) for name, value in tags.items()}


def of_tags(tags: Mapping[str, str]) -> dict[str, Values]:
    """Return the condition keys of tags in a request: aws:RequestTag/NAME and aws:TagKeys."""
    keys: dict[str, Values] = {f"aws:RequestTag/{name}": (value,) for name, value in tags.items()}
    return keys | {"aws:TagKeys": tuple(tags)}


def of_bypass(given: bool | None) -> dict[str, Values]:
    """Return kms:BypassPolicyLockoutSafetyCheck; AWS: absent, not false, from a request that does not say it."""
    return {} if given is None else {"kms:BypassPolicyLockoutSafetyCheck": ("true",) if given else ("false",)}


def refusal_for_caller(call: Call, named: KeyReference, action: str, error: AccessDenied, noun: str) -> AccessDenied:
    """Return the refusal as AWS words it: a caller of another account does not learn of the key or its policy.

    `noun` is the resource in the sentence. Where only an Allow in the caller's own policies is missing, the key policy
    has let the caller know of the key. All other refusals are those of a missing key, with the ARN that the caller
    named.
    """
    if named.account == call.account:
        return error
    if EXPLICITLY not in error.sentence and any(kind in error.sentence for kind in _OF_CALLER):
        if noun is THIS_RESOURCE and not named.alias:
            return error
        return AccessDenied(error.sentence.replace(f"resource: {named.arn}", noun))
    of_none = _refusal_of_missing_key(call, named, action) if noun is THIS_RESOURCE and not named.alias else None
    return of_none if of_none is not None and EXPLICITLY in of_none.sentence else hidden_key_refusal(call, action, noun)


def _refusal_of_missing_key(call: Call, named: KeyReference, action: str) -> AccessDenied | None:
    """Return how the caller's own policies refuse a key that does not exist.

    A Deny in the caller's own policies may depend on the key's tags, aliases or spec, or on their absence. A Deny in
    the key policy goes before it. Any other answer than this one would reveal a key of another account.
    """
    trial = msgspec.structs.replace(call, record=Record(), rights=HeldRights())
    try:
        permit_identity(trial, action, named.arn, named.account, partial(add_key, call, named._replace(key=None), None))
    except AccessDenied as error:
        return error
    return None


def hidden_key_refusal(call: Call, action: str, noun: str) -> AccessDenied:
    """Return the refusal for a key that the caller must not know of."""
    return AccessDenied(f"User: {call.principal.arn} is not authorized to perform: {action} on {noun} {_UNSEEN}")
