"""The way to a key: find what an identifier names, ask whether the caller may, look at its state and usage.

The order is AWS's: found and authorized, then state, then usage. Rights come before existence: whoever would not be
allowed the action on keys of the account learns nothing of which keys exist.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fuin import ids
from fuin.errors import AccessDenied, FormatError, FuinError
from fuin.formats import blob, context
from fuin.gate import permit_identity, permit_key
from fuin.kms import states
from fuin.kms.faults import (
    IncorrectKeyException,
    InvalidArnException,
    InvalidCiphertextException,
    InvalidGrantTokenException,
    InvalidKeyUsageException,
    NotFoundException,
    ValidationException,
)
from fuin.store.keys import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.formats.wrapped import Material
    from fuin.gate import Call
    from fuin.store.catalog import Catalog
    from fuin.store.keys import Key

Context = dict[str, str]

ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"

# What AWS says of a key that is not of the caller's account: the same whether it exists or not.
_UNSEEN = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
_THIS_RESOURCE, _OF_CIPHERTEXT = "this resource", "the resource associated with this ciphertext"


class Named(NamedTuple):
    """What an identifier names: a key's ARN and the key, or None with AWS's text for what is missing."""

    arn: str
    account: str
    key: Key | None
    missing: str = ""
    alias: str = ""  # the alias by which it was named


class OpenKey(msgspec.Struct, frozen=True):
    """A key that the caller may use now, with the material and the encoded context for the keyholder."""

    arn: str
    key: Key
    material: Material
    context: bytes
    use: str  # the action
    pairs: Mapping[str, str] | None  # the encryption context, for the audit record; None when there is none
    manager: str | None = None  # who has the key, when no caller does
    dry_run: bool | None = None

    def draft(self, call: Call) -> bytes:
        """Return the audit record's draft for this use."""
        return call.draft(
            use=self.use, key=self.arn, manager=self.manager, context=self.pairs, dry_run=self.dry_run
        )  # fmt: skip


class Reference(NamedTuple):
    """An identifier, taken apart: a key's id and ARN, or else the name of an alias."""

    account: str
    key_id: str
    arn: str
    alias: str


def find(call: Call, catalog: Catalog, identifier: str, *, aliases: bool) -> Named:
    """Return what a key id, key ARN, alias name or alias ARN names, as seen from the caller's account and region.

    Raises NotFoundException for what can name no key here, and InvalidArnException. Service-owned keys and keys past
    their deletion date do not exist.
    """
    account, key_id, arn, alias = refer(identifier, call.account, call.region)
    if alias:
        target = catalog.alias(account, call.region, alias) if aliases else None
        if target is None:
            if not aliases:
                raise InvalidArnException("Key Aliases are not supported for this operation.")
            return _no_alias(call.region, account, alias)
        key_id, arn = target, ids.key_arn(account, call.region, target)
    key = catalog.key(key_id, call.region)
    if key is not None and key.account == account and key.manager != SERVICE and not states.is_gone(key, call.now):
        return Named(arn, account, key, "", alias)
    if alias:
        return _no_alias(call.region, account, alias)
    if not ids.is_key_id(key_id):
        raise NotFoundException(f"Invalid keyId '{identifier}'")
    return Named(arn, account, None, f"Key '{arn}' does not exist")


@lru_cache(maxsize=4096)
def refer(identifier: str, account: str, region: str) -> Reference:
    """Take an identifier apart; `account` is the caller's, which identifiers other than ARNs mean."""
    resource = identifier if identifier.startswith("alias/") else f"key/{identifier}"
    if identifier.startswith("arn:"):
        parts = identifier.split(":", 5)
        if len(parts) != 6 or parts[1] != "aws" or parts[2] != "kms":
            raise InvalidArnException(f"Invalid arn {identifier}")
        if parts[3] != region:
            raise NotFoundException(f"Invalid arn {parts[3]}")
        account, resource = parts[4:]
    if resource.startswith("alias/"):
        return Reference(account, "", "", resource)
    if not resource.startswith("key/"):
        raise NotFoundException(f"Invalid keyId '{identifier}'")
    return Reference(account, resource[4:], ids.key_arn(account, region, resource[4:]), "")


def _no_alias(region: str, account: str, name: str) -> Named:
    """Return an alias that is not there; rights are asked for keys in general, since it names none."""
    arn = ids.alias_arn(account, region, name)
    return Named(ids.key_arn(account, region, "*"), account, None, missing=f"Alias {arn} is not found.", alias=name)


def reach(
    call: Call,
    identifier: str,
    action: str,
    *,
    aliases: bool = False,
    foreign: bool = False,
    extra: Mapping[str, str] | None = None,
) -> Named:
    """Return the key for an action that does not use its material; the caller may do it and the state allows it.

    `foreign` lets keys of other accounts be named, as far as their policy allows. `extra` holds more condition keys.
    """
    catalog = call.services.store.catalog()
    named = find(call, catalog, identifier, aliases=aliases)
    call.facts["kmsKey"] = named.arn
    conditions = _conditions(named)
    conditions.update(extra or {})
    try:
        if named.key is None:
            permit_identity(call, action, named.arn, named.account, conditions)
            raise NotFoundException(named.missing)
        permit_key(call, action, named.arn, named.account, named.key.policy, conditions, catalog)
    except AccessDenied as error:
        raise _refused(call, named, action, error, _THIS_RESOURCE) from None
    if not foreign and named.account != call.account:
        raise _unseen(call, action, _THIS_RESOURCE)
    states.check_state(named.key, action, named.arn)
    return named


def _refused(call: Call, named: Named, action: str, error: AccessDenied, noun: str) -> AccessDenied:
    """Return the refusal as AWS words it: it tells a caller of another account nothing of the key or its policy.

    `noun` is what the caller asked for. A refusal by the caller's own policies is told in any case, with the key's ARN
    if the caller knows it already.
    """
    if named.account == call.account:
        return error
    if "identity-based policy" not in error.sentence:
        return _unseen(call, action, noun)
    if noun is _THIS_RESOURCE and not named.alias:
        return error
    return AccessDenied(error.sentence.replace(f"resource: {named.arn}", noun))


def _unseen(call: Call, action: str, noun: str) -> AccessDenied:
    return AccessDenied(f"User: {call.principal.arn} is not authorized to perform: {action} on {noun} {_UNSEEN}")


def found(named: Named) -> Key:
    """Return the key that `reach` has found."""
    if named.key is None:
        raise NotFoundException(named.missing)
    return named.key


def open_key(
    call: Call,
    identifier: str,
    action: str,
    *,
    context: Mapping[str, str] | None,
    usage: str = ENCRYPT_DECRYPT,
) -> OpenKey:
    """Return the key, with its current material, for an action that uses it; raises AccessDenied and KMS faults."""
    catalog = call.services.store.catalog()
    index = (call.principal.arn, call.region, call.via, action, identifier, usage)
    right = catalog.conclusions.get(index)
    if right is not None:
        return _again(call, right, context)
    try:
        named = find(call, catalog, identifier, aliases=True)
    except InvalidArnException as error:  # cryptographic operations do not model it
        raise NotFoundException(error.message) from None
    try:
        return _open(call, catalog, named, action, context, usage, None, index)
    except AccessDenied as error:
        raise _refused(call, named, action, error, _THIS_RESOURCE) from None


def open_ciphertext(
    call: Call,
    ciphertext: bytes,
    action: str,
    *,
    identifier: str | None,
    context: Mapping[str, str] | None,
) -> OpenKey:
    """Return the key that made a ciphertext blob, with the material it names; the blob alone says which key.

    An `identifier` that names another key is IncorrectKeyException. Raises InvalidCiphertextException for bytes that
    are no blob, and AccessDenied for a blob of a key that is not to be seen from here.
    """
    if identifier is not None:
        opened = open_key(call, identifier, action, context=context)
        key_id, material_id = _whose(ciphertext)
        if key_id != opened.key.key_id:
            raise IncorrectKeyException
        material = _material(call.services.store.catalog(), opened.key, material_id)
        return msgspec.structs.replace(opened, material=material)
    key_id, material_id = _whose(ciphertext)
    catalog = call.services.store.catalog()
    key = catalog.key(key_id, call.region)
    if key is None or key.manager == SERVICE or states.is_gone(key, call.now):
        raise _unseen(call, action, _OF_CIPHERTEXT)
    index = (call.principal.arn, call.region, call.via, action, key_id, material_id)
    right = catalog.conclusions.get(index)
    if right is not None:
        return _again(call, right, context)
    named = Named(ids.key_arn(key.account, key.region, key.key_id), key.account, key)
    try:
        return _open(call, catalog, named, action, context, ENCRYPT_DECRYPT, material_id, index)
    except AccessDenied as error:
        raise _refused(call, named, action, error, _OF_CIPHERTEXT) from None


def _whose(ciphertext: bytes) -> tuple[str, bytes]:
    """Return the ids of the key and the material that a blob names."""
    try:
        return blob.whose(ciphertext)
    except FormatError:
        raise InvalidCiphertextException from None


class _Right(NamedTuple):
    """A use of a key that is allowed whatever its circumstances, until anything in the catalog changes."""

    arn: str
    key: Key
    material: Material
    use: str
    decision: dict[str, object]


def _again(call: Call, right: _Right, pairs: Mapping[str, str] | None) -> OpenKey:
    """Return the key by a right that was found before; only the encryption context is new."""
    call.decisions.append(right.decision)
    if not pairs:
        return OpenKey(right.arn, right.key, right.material, context.EMPTY, right.use, None)
    return OpenKey(right.arn, right.key, right.material, encode_context(pairs), right.use, pairs)


def _open(
    call: Call,
    catalog: Catalog,
    named: Named,
    action: str,
    encryption_context: Mapping[str, str] | None,
    usage: str,
    material_id: bytes | None,
    index: tuple[object, ...],
) -> OpenKey:
    pairs = encryption_context or {}
    encoded = encode_context(pairs)
    try:
        conditions = _conditions(named)
        _add_use(conditions, pairs)
        key = named.key
        if key is None:
            permit_identity(call, action, named.arn, named.account, conditions)
            raise NotFoundException(named.missing)
        stands = permit_key(call, action, named.arn, named.account, key.policy, conditions, catalog)
        states.check_state(key, action, named.arn)
        if key.usage != usage:
            raise InvalidKeyUsageException(
                f"{named.arn} key usage is {key.usage} which is not valid for {action.removeprefix('kms:')}."
            )
        material = _material(catalog, key, material_id)
    except FuinError:
        call.facts["refusedUse"] = {"use": action, "key": named.arn, **({"context": pairs} if pairs else {})}
        raise
    if stands:
        catalog.conclusions.keep(index, _Right(named.arn, key, material, action, call.decisions[-1]))
    return OpenKey(named.arn, key, material, encoded, action, pairs or None)


def _material(catalog: Catalog, key: Key, material_id: bytes | None) -> Material:
    material = catalog.material(key.key_id, material_id or key.current_material)
    if material is None:
        raise InvalidCiphertextException
    return material


def _conditions(named: Named) -> dict[str, str]:
    """Return the condition keys of a key that policies may ask for; AWS: "AWS KMS condition keys"."""
    conditions: dict[str, str] = {}
    key = named.key
    if key is not None:
        conditions["kms:KeySpec"] = key.spec
        conditions["kms:KeyUsage"] = key.usage
        conditions["kms:KeyOrigin"] = key.origin
        conditions["kms:MultiRegion"] = "true" if key.multi_region else "false"
        for name, value in key.tags:
            conditions[f"aws:ResourceTag/{name}"] = value
    if named.alias:
        conditions["kms:RequestAlias"] = named.alias
    return conditions


def _add_use(conditions: dict[str, str], encryption_context: Mapping[str, str]) -> None:
    """Add the condition keys of a use of the key: the algorithm and each pair of the encryption context."""
    conditions["kms:EncryptionAlgorithm"] = SYMMETRIC_DEFAULT
    for name, value in encryption_context.items():
        conditions[f"kms:EncryptionContext:{name}"] = value


def encode_context(pairs: Mapping[str, str]) -> bytes:
    """Return the encoded encryption context; raises ValidationException when it is too large for its format."""
    try:
        return context.encode(pairs)
    except FormatError as error:
        raise ValidationException(f"The encryption context is not valid: {error}") from None


def check_grant_tokens(tokens: list[str] | None) -> None:
    """Refuse grant tokens: no grants exist yet, so no token can be valid."""
    if tokens:
        raise InvalidGrantTokenException("The grant token is not valid.")


def check_symmetric(algorithm: str | None) -> None:
    """Refuse an encryption algorithm that does not fit a symmetric key."""
    if algorithm is not None and algorithm != SYMMETRIC_DEFAULT:
        raise InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {SYMMETRIC_DEFAULT}.")
