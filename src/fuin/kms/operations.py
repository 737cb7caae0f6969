"""The table of all operations of AWS KMS: the function, its input and the IAM actions that it needs.

It equals the operations of botocore's model (`tests/house/test_operations_table.py`). Operations that are not built
yet stand in it as well and answer UnsupportedOperationException.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fuin.kms import (
    agreement,
    aliases,
    custom_key_stores,
    data_key_pairs,
    data_keys,
    encapsulation,
    encryption,
    grant_lists,
    grants,
    imports,
    key_store_shapes,
    keys,
    last_usage,
    lifecycle,
    macs,
    model,
    policies,
    public_keys,
    regions,
    rotation,
    signing,
    tags,
)
from fuin.kms.faults import SerializationException, UnknownOperationException, UnsupportedOperationException
from fuin.kms.shapes import KeyInput

if TYPE_CHECKING:
    from fuin.gate import Call

Function = Callable[["Call", Any], Awaitable[msgspec.Struct | None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `decode` makes its checked input of a body, `run` does it."""

    name: str
    actions: tuple[str, ...]  # IAM actions, all needed
    run: Function
    input: type[msgspec.Struct]
    built: bool
    _decode: Callable[[bytes], msgspec.Struct]
    _check: Callable[[msgspec.Struct], None]

    def decode(self, body: bytes) -> msgspec.Struct:
        """Return the checked input; raises SerializationException or ValidationException."""
        try:
            given = self._decode(body or b"{}")
        except (ValueError, RecursionError):  # malformed, of wrong types, not UTF-8, nested too deeply
            raise SerializationException from None
        self._check(given)
        return given


class _Unread(msgspec.Struct):
    """The input of an operation that is not built: any object."""


def _built(name: str, run: Function, given: type[msgspec.Struct], *actions: str) -> Operation:
    return Operation(name, actions, run, given, True, msgspec.json.Decoder(given).decode, model.compile_checks(name))


def _later(name: str, *actions: str) -> Operation:
    async def refuse(_call: Call, _given: Any) -> None:
        raise UnsupportedOperationException(f"Fuin does not build {name} yet.")

    return Operation(name, actions, refuse, _Unread, False, msgspec.json.Decoder(_Unread).decode, lambda _: None)


_ROWS = (
    # keys
    _built("CreateKey", keys.create_key, keys.CreateKeyInput, "kms:CreateKey", "kms:TagResource"),
    _built("DescribeKey", keys.describe_key, keys.DescribeKeyInput, "kms:DescribeKey"),
    _built("ListKeys", keys.list_keys, keys.ListKeysInput, "kms:ListKeys"),
    _built(
        "UpdateKeyDescription", keys.update_key_description, keys.UpdateKeyDescriptionInput,
        "kms:UpdateKeyDescription",
    ),
    _built("GetKeyLastUsage", last_usage.get_key_last_usage, KeyInput, "kms:GetKeyLastUsage"),
    # a key's life
    _built("EnableKey", lifecycle.enable_key, KeyInput, "kms:EnableKey"),
    _built("DisableKey", lifecycle.disable_key, KeyInput, "kms:DisableKey"),
    _built(
        "ScheduleKeyDeletion", lifecycle.schedule_key_deletion, lifecycle.ScheduleKeyDeletionInput,
        "kms:ScheduleKeyDeletion",
    ),
    _built("CancelKeyDeletion", lifecycle.cancel_key_deletion, KeyInput, "kms:CancelKeyDeletion"),
    # aliases
    _built("CreateAlias", aliases.create_alias, aliases.CreateAliasInput, "kms:CreateAlias"),
    _built("UpdateAlias", aliases.update_alias, aliases.UpdateAliasInput, "kms:UpdateAlias"),
    _built("DeleteAlias", aliases.delete_alias, aliases.DeleteAliasInput, "kms:DeleteAlias"),
    _built("ListAliases", aliases.list_aliases, aliases.ListAliasesInput, "kms:ListAliases"),
    # policies
    _built("GetKeyPolicy", policies.get_key_policy, policies.GetKeyPolicyInput, "kms:GetKeyPolicy"),
    _built("PutKeyPolicy", policies.put_key_policy, policies.PutKeyPolicyInput, "kms:PutKeyPolicy"),
    _built("ListKeyPolicies", policies.list_key_policies, policies.ListKeyPoliciesInput, "kms:ListKeyPolicies"),
    # grants
    _built("CreateGrant", grants.create_grant, grants.CreateGrantInput, "kms:CreateGrant"),
    _built("ListGrants", grant_lists.list_grants, grant_lists.ListGrantsInput, "kms:ListGrants"),
    _built(
        "ListRetirableGrants", grant_lists.list_retirable_grants, grant_lists.ListRetirableGrantsInput,
        "kms:ListRetirableGrants",
    ),
    _built("RetireGrant", grants.retire_grant, grants.RetireGrantInput, "kms:RetireGrant"),
    _built("RevokeGrant", grants.revoke_grant, grants.RevokeGrantInput, "kms:RevokeGrant"),
    # tags
    _built("TagResource", tags.tag_resource, tags.TagResourceInput, "kms:TagResource"),
    _built("UntagResource", tags.untag_resource, tags.UntagResourceInput, "kms:UntagResource"),
    _built("ListResourceTags", tags.list_resource_tags, tags.ListResourceTagsInput, "kms:ListResourceTags"),
    # rotation
    _built(
        "EnableKeyRotation", rotation.enable_key_rotation, rotation.EnableKeyRotationInput, "kms:EnableKeyRotation"
    ),
    _built("DisableKeyRotation", rotation.disable_key_rotation, KeyInput, "kms:DisableKeyRotation"),
    _built("GetKeyRotationStatus", rotation.get_key_rotation_status, KeyInput, "kms:GetKeyRotationStatus"),
    _built("ListKeyRotations", rotation.list_key_rotations, rotation.ListKeyRotationsInput, "kms:ListKeyRotations"),
    _built("RotateKeyOnDemand", rotation.rotate_key_on_demand, KeyInput, "kms:RotateKeyOnDemand"),
    # import of material
    _built(
        "GetParametersForImport", imports.get_parameters_for_import, imports.GetParametersForImportInput,
        "kms:GetParametersForImport",
    ),
    _built("ImportKeyMaterial", imports.import_key_material, imports.ImportKeyMaterialInput, "kms:ImportKeyMaterial"),
    _built(
        "DeleteImportedKeyMaterial", imports.delete_imported_key_material, imports.DeleteImportedKeyMaterialInput,
        "kms:DeleteImportedKeyMaterial",
    ),
    # regions
    _built(
        "ReplicateKey", regions.replicate_key, regions.ReplicateKeyInput,
        "kms:ReplicateKey", "kms:CreateKey", "kms:TagResource",
    ),
    _built(
        "UpdatePrimaryRegion", regions.update_primary_region, regions.UpdatePrimaryRegionInput,
        "kms:UpdatePrimaryRegion",
    ),
    # encryption
    _built("Encrypt", encryption.encrypt, encryption.EncryptInput, "kms:Encrypt"),
    _built("Decrypt", encryption.decrypt, encryption.DecryptInput, "kms:Decrypt"),
    _built("ReEncrypt", encryption.re_encrypt, encryption.ReEncryptInput, "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    # data keys
    _built("GenerateDataKey", data_keys.generate_data_key, data_keys.GenerateDataKeyInput, "kms:GenerateDataKey"),
    _built(
        "GenerateDataKeyWithoutPlaintext", data_keys.generate_data_key_without_plaintext,
        data_keys.GenerateDataKeyWithoutPlaintextInput, "kms:GenerateDataKeyWithoutPlaintext",
    ),
    _built(
        "GenerateDataKeyPair", data_key_pairs.generate_data_key_pair, data_key_pairs.GenerateDataKeyPairInput,
        "kms:GenerateDataKeyPair",
    ),
    _built(
        "GenerateDataKeyPairWithoutPlaintext", data_key_pairs.generate_data_key_pair_without_plaintext,
        data_key_pairs.GenerateDataKeyPairWithoutPlaintextInput, "kms:GenerateDataKeyPairWithoutPlaintext",
    ),
    _built("GenerateRandom", data_keys.generate_random, data_keys.GenerateRandomInput, "kms:GenerateRandom"),
    # signing, MAC, public keys, agreement, encapsulation
    _built("Sign", signing.sign, signing.SignInput, "kms:Sign"),
    _built("Verify", signing.verify, signing.VerifyInput, "kms:Verify"),
    _built("GenerateMac", macs.generate_mac, macs.GenerateMacInput, "kms:GenerateMac"),
    _built("VerifyMac", macs.verify_mac, macs.VerifyMacInput, "kms:VerifyMac"),
    _built("GetPublicKey", public_keys.get_public_key, public_keys.GetPublicKeyInput, "kms:GetPublicKey"),
    _built(
        "DeriveSharedSecret", agreement.derive_shared_secret, agreement.DeriveSharedSecretInput,
        "kms:DeriveSharedSecret",
    ),
    _built("Encapsulate", encapsulation.encapsulate, encapsulation.EncapsulateInput, "kms:Encapsulate"),
    _built("Decapsulate", encapsulation.decapsulate, encapsulation.DecapsulateInput, "kms:Decapsulate"),
    # custom key stores
    _built(
        "ConnectCustomKeyStore", custom_key_stores.connect_custom_key_store, key_store_shapes.CustomKeyStoreInput,
        "kms:ConnectCustomKeyStore",
    ),
    _built(
        "CreateCustomKeyStore", custom_key_stores.create_custom_key_store, key_store_shapes.CreateCustomKeyStoreInput,
        "kms:CreateCustomKeyStore",
    ),
    _built(
        "DeleteCustomKeyStore", custom_key_stores.delete_custom_key_store, key_store_shapes.CustomKeyStoreInput,
        "kms:DeleteCustomKeyStore",
    ),
    _built(
        "DescribeCustomKeyStores", custom_key_stores.describe_custom_key_stores,
        key_store_shapes.DescribeCustomKeyStoresInput, "kms:DescribeCustomKeyStores",
    ),
    _built(
        "DisconnectCustomKeyStore", custom_key_stores.disconnect_custom_key_store,
        key_store_shapes.CustomKeyStoreInput, "kms:DisconnectCustomKeyStore",
    ),
    _built(
        "UpdateCustomKeyStore", custom_key_stores.update_custom_key_store, key_store_shapes.UpdateCustomKeyStoreInput,
        "kms:UpdateCustomKeyStore",
    ),
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
_PREFIX = "TrentService."
_BY_TARGET = {f"{_PREFIX}{name}".encode(): operation for name, operation in OPERATIONS.items()}


def named(method: str, target: bytes | None) -> Operation:
    """Return the operation of an X-Amz-Target header; all are posted. Raises UnknownOperationException."""
    operation = _BY_TARGET.get(target or b"")
    if operation is None or method != "POST":
        raise UnknownOperationException
    return operation
