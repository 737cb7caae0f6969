"""Identifiers of keys: key ids, key ARNs, alias names and alias ARNs, seen from a caller's account and Region."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fuin import ids
from fuin.access.resources.key import KeyResource
from fuin.kms.model.faults import InvalidArnException, NotFoundException
from fuin.kms.reach import states
from fuin.store.kms.keys import SERVICE

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.store.catalog import Catalog
    from fuin.store.kms.keys import Key


class KeyReference(NamedTuple):
    """A key that an identifier names: its ARN and the key, or None with AWS's text that says what is missing."""

    arn: str
    account: str
    key: Key | None
    missing: str = ""
    alias: str = ""  # the alias by which it was named

    @property
    def resource(self) -> KeyResource:
        """Return the key as a resource."""
        arn, account, key, _, alias = self
        return KeyResource(arn, account, None if key is None else key.policy, key, alias)


class Identifier(NamedTuple):
    """An identifier, taken apart: a key's id and ARN, or else the name of an alias."""

    account: str
    key_id: str
    arn: str
    alias: str


def find_key(call: Call, catalog: Catalog, identifier: str, *, aliases: bool) -> KeyReference:
    """Return the key that an identifier names, as seen from the caller's account and Region.

    Raises NotFoundException for an identifier that can name no key here, and InvalidArnException. Service-owned keys
    and keys past their deletion date do not exist for callers.
    """
    account, key_id, arn, alias = parse_identifier(identifier, call.account, call.region)
    if alias:
        target = catalog.alias(account, call.region, alias) if aliases else None
        if target is None:
            if not aliases:
                raise InvalidArnException("Key Aliases are not supported for this operation.")
            return _missing_alias(call.region, account, alias)
        key_id, arn = target, ids.key_arn(account, call.region, target)
    key = catalog.key(key_id, call.region)
    if key is not None and key.account == account and key.manager != SERVICE and not states.is_gone(key):
        return KeyReference(arn, account, states.key_as_of(key, call.now), "", alias)
    if alias:
        return _missing_alias(call.region, account, alias)
    if not ids.is_key_id(key_id.lower()):  # AWS: a UUID in capitals is no key's id, but has the form of one
        raise NotFoundException(f"Invalid keyId {key_id}" if key_id != identifier else f"Invalid keyId '{key_id}'")
    return KeyReference(arn, account, None, f"Key '{arn}' does not exist")


@lru_cache(maxsize=4096)
def parse_identifier(identifier: str, account: str, region: str) -> Identifier:
    """Parse an identifier; `account` is the caller's, which identifiers other than ARNs mean."""
    resource = identifier if identifier.startswith("alias/") else f"key/{identifier}"
    if identifier.startswith("arn:"):
        parts = identifier.split(":", 5)
        if len(parts) != 6 or parts[1] != "aws" or parts[2] != "kms":
            raise InvalidArnException(f"Invalid arn {identifier}")
        if parts[3] != region:
            raise NotFoundException(f"Invalid arn {parts[3]}")
        account, resource = parts[4:]
    if resource.startswith("alias/"):
        return Identifier(account, "", "", resource)
    if not resource.startswith("key/"):
        raise NotFoundException(f"Invalid keyId '{identifier}'")
    return Identifier(account, resource[4:], ids.key_arn(account, region, resource[4:]), "")


def _missing_alias(region: str, account: str, name: str) -> KeyReference:
    """Return the reference of a missing alias. It names no key, so the right is asked for keys in general."""
    arn = ids.alias_arn(account, region, name)
    return KeyReference(
        ids.key_arn(account, region, "*"), account, None, missing=f"Alias {arn} is not found.", alias=name
    )
