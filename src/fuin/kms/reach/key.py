"""The way to a key: find the key that an identifier names, check the caller's right, look at its state and usage.

The order is AWS's, as measured in September 2026 (floci-io/floci, pull request 3968): found and authorized, then
whether the key made the ciphertext, then usage, state and algorithm. Rights come before existence: a caller who may
not do the action on keys of the account does not learn which keys exist.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fuin import ids
from fuin.access.refusals import NotAuthorized
from fuin.errors import FormatError, FuinError
from fuin.formats import blob, context
from fuin.kms.model.faults import InvalidArnException, InvalidKeyUsageException, KmsFault, NotFoundException
from fuin.kms.model.specs import SYMMETRIC_DEFAULT, algorithms
from fuin.kms.reach import rights, states
from fuin.kms.reach.key_identifiers import KeyReference, find_key
from fuin.store.kms.keys import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.facts import Given
    from fuin.access.grants import Grant
    from fuin.formats.wrapped import Material
    from fuin.gate.call import Call
    from fuin.kms.reach.use import Use
    from fuin.store.catalog import Catalog
    from fuin.store.kms.keys import Key

Context = dict[str, str]

_OF_DATA_KEYS = frozenset({
    "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
})  # fmt: skip


class OpenKey(msgspec.Struct, frozen=True):
    """A key that the caller may use now, with the material and the parameter that the keyholder needs.

    The parameter of symmetric ciphertext is the encoded encryption context, of everything else the algorithm's name.
    """

    arn: str
    key: Key
    material: Material
    parameter: bytes
    use: str  # the action
    pairs: Mapping[str, str] | None  # the encryption context, for the audit record; None without one
    manager: str | None = None  # who has the key, when no caller does
    dry_run: bool | None = None

    @property
    def material_id(self) -> str | None:
        """Return the id of the material in use as AWS shows it: of symmetric encryption keys only."""
        return self.material.material_id.hex() if self.key.spec == SYMMETRIC_DEFAULT else None

    def draft(self, call: Call) -> bytes:
        """Return the audit record's draft for this use."""
        return call.draft(
            use=self.use, key=self.arn, manager=self.manager, context=self.pairs, dry_run=self.dry_run
        )  # fmt: skip


def authorized_key(
    call: Call,
    identifier: str,
    action: str,
    *,
    aliases: bool = False,
    foreign: bool = False,
    extra: Given | None = None,
    proposed: Grant | None = None,
) -> KeyReference:
    """Return the key for an action that does not use its material, after asking for the right and the state allows it.

    `foreign` lets keys of other accounts be named, as far as their policy allows. `extra` holds more condition keys,
    and `proposed` is the grant that kms:CreateGrant is to create.
    """
    catalog = call.services.store.catalog()
    named = find_key(call, catalog, identifier, aliases=aliases)
    call.facts["kmsKey"] = named.arn
    try:
        call.permit(action, named.resource, extra, catalog=catalog, proposed=proposed)
    except NotAuthorized as error:
        raise rights.refusal_for_caller(call, named, action, error, rights.THIS_RESOURCE) from None
    if named.key is None:
        raise NotFoundException(named.missing)
    if not foreign and named.account != call.account:
        raise rights.hidden_key_refusal(call, action, rights.THIS_RESOURCE)
    states.check_state(named.key, action, named.arn)
    again = partial(
        authorized_key, call, identifier, action, aliases=aliases, foreign=foreign, extra=extra, proposed=proposed
    )
    call.remember(again)
    return named


def existing_key(named: KeyReference) -> Key:
    """Return the key that an identifier names; raises NotFoundException if there is no such key."""
    if named.key is None:
        raise NotFoundException(named.missing)
    return named.key


def open_key(
    call: Call, identifier: str, use: Use, context: Mapping[str, str] | None = None, ciphertext: bytes | None = None
) -> OpenKey:
    """Return the key, with its current material, for an action that uses it; raises AccessDenied and KMS faults.

    Of a symmetric `ciphertext` the key must be the maker.
    """
    catalog = call.services.store.catalog()
    index = (call.principal.conclusion_key, call.region, call.via, identifier, use)
    right = catalog.conclusions.get(index)
    if right is not None:
        return _reuse_conclusion(call, right, context)
    try:
        named = find_key(call, catalog, identifier, aliases=True)
    except InvalidArnException as error:  # cryptographic operations do not model it
        raise NotFoundException(str(error)) from None
    try:
        return _check_and_open(call, catalog, named, use, context, None, index, ciphertext)
    except NotAuthorized as error:
        raise rights.refusal_for_caller(call, named, use.action, error, rights.THIS_RESOURCE) from None


def open_ciphertext(
    call: Call,
    ciphertext: bytes,
    use: Use,
    *,
    identifier: str | None,
    context: Mapping[str, str] | None,
) -> OpenKey:
    """Return the key that made a symmetric ciphertext blob, with the material it names; the blob says which key.

    An `identifier` that names another key is IncorrectKeyException. Raises InvalidCiphertextException for bytes that
    are no blob, and AccessDenied for a blob of a key that is not to be seen from here.
    """
    if identifier is not None:
        opened = open_key(call, identifier, use, context, ciphertext)
        try:  # also here, where the right was concluded before
            material_id = _check_maker(opened.key, ciphertext)
            material = _material(call.services.store.catalog(), opened.key, material_id)
        except FuinError:
            _record_refused_use(call, use, opened.arn, context)
            raise
        return msgspec.structs.replace(opened, material=material)
    key_id, material_id = _ids_in(ciphertext)
    catalog = call.services.store.catalog()
    index = (call.principal.conclusion_key, call.region, call.via, key_id, material_id, use)
    right = catalog.conclusions.get(index)
    if right is not None:
        return _reuse_conclusion(call, right, context)
    key = catalog.key(key_id, call.region)
    if key is None or key.manager == SERVICE or states.is_gone(key):
        raise rights.hidden_key_refusal(call, use.action, rights.OF_CIPHERTEXT)
    key = states.key_as_of(key, call.now)
    named = KeyReference(ids.key_arn(key.account, key.region, key.key_id), key.account, key)
    try:
        return _check_and_open(call, catalog, named, use, context, material_id, index)
    except NotAuthorized as error:
        raise rights.refusal_for_caller(call, named, use.action, error, rights.OF_CIPHERTEXT) from None


def _check_maker(key: Key, ciphertext: bytes) -> bytes:
    """Return the id of the material that a blob names; raises IncorrectKeyException if it is another key's."""
    key_id, material_id = _ids_in(ciphertext)
    if key_id != key.key_id:
        raise KmsFault("IncorrectKeyException")
    return material_id


def _ids_in(ciphertext: bytes) -> tuple[str, bytes]:
    """Return the ids of the key and the material that a blob names."""
    try:
        return blob.parse_ids(ciphertext)
    except FormatError:
        raise KmsFault("InvalidCiphertextException") from None


class _Conclusion(NamedTuple):
    """A use of a key that is allowed under all conditions, until anything in the catalog changes."""

    arn: str
    key: Key
    material: Material
    parameter: bytes
    use: str
    decision: msgspec.Raw  # JSON, for every request's record


def _reuse_conclusion(call: Call, right: _Conclusion, pairs: Mapping[str, str] | None) -> OpenKey:
    """Return the key by a right that was concluded before; only the encryption context is new."""
    call.decisions.append(right.decision)
    if not pairs:
        return OpenKey(right.arn, right.key, right.material, right.parameter, right.use, None)
    return OpenKey(right.arn, right.key, right.material, encode_context(pairs), right.use, pairs)


def _check_and_open(
    call: Call,
    catalog: Catalog,
    named: KeyReference,
    use: Use,
    encryption_context: Mapping[str, str] | None,
    material_id: bytes | None,
    index: tuple[object, ...],
    ciphertext: bytes | None = None,
) -> OpenKey:
    pairs = encryption_context or {}
    encoded = encode_context(pairs)
    try:
        conditions = partial(rights.add_use, use, pairs)
        unconditional = call.permit(use.action, named.resource, conditions, catalog=catalog)
        key = named.key
        if key is None:
            raise NotFoundException(named.missing)
        if ciphertext is not None:
            _check_maker(key, ciphertext)
        _check_usage(key, use, named.arn)
        states.check_state(key, use.action, named.arn)
        _check_algorithm(key, use)
        material = _material(catalog, key, material_id)
    except FuinError:
        _record_refused_use(call, use, named.arn, pairs)
        raise
    empty = context.EMPTY
    if use.algorithm not in {SYMMETRIC_DEFAULT, None}:  # nothing but symmetric ciphertext has a context
        encoded = empty = use.algorithm.encode()
        pairs = {}
    if unconditional and key.valid_to is None:  # material that expires is looked at each time
        right = _Conclusion(named.arn, key, material, empty, use.action, _encode_decision(call.decisions[-1]))
        catalog.conclusions.keep(index, right)
    return OpenKey(named.arn, key, material, encoded, use.action, pairs or None)


def _record_refused_use(call: Call, use: Use, arn: str, pairs: Mapping[str, str] | None) -> None:
    call.facts["refusedUse"] = {"use": use.action, "key": arn, **({"context": pairs} if pairs else {})}


def _encode_decision(decision: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(decision))


def _check_usage(key: Key, use: Use, arn: str) -> None:
    """Refuse a use that the key is not made for."""
    if use.usage not in {None, key.usage}:
        operation = use.action.removeprefix("kms:")
        raise InvalidKeyUsageException(f"{arn} key usage is {key.usage} which is not valid for {operation}.")


def _check_algorithm(key: Key, use: Use) -> None:
    """Refuse an algorithm that keys of this spec do not have."""
    if use.algorithm is not None and use.algorithm not in algorithms(key.spec, key.usage):
        if use.action in _OF_DATA_KEYS:
            raise InvalidKeyUsageException("You cannot generate a data key with an asymmetric CMK")
        raise InvalidKeyUsageException(f"Algorithm {use.algorithm} is incompatible with key spec {key.spec}.")


def _material(catalog: Catalog, key: Key, material_id: bytes | None) -> Material:
    material = catalog.material(key.key_id, key.region, material_id or key.current_material)
    if material is None:
        raise KmsFault("InvalidCiphertextException")
    return material


def encode_context(pairs: Mapping[str, str]) -> bytes:
    """Return the encoded encryption context; raises ValidationException when it is too large for its format."""
    try:
        return context.encode(pairs)
    except FormatError as error:
        raise KmsFault("ValidationException", f"The encryption context is not valid: {error}") from None
