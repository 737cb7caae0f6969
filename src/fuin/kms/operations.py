"""The table of all operations of AWS KMS: the function, its input and the IAM actions that it needs.

It equals the operations of botocore's model (`tests/house/test_operations_table.py`).
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
    parameters,
    policies,
    public_keys,
    regions,
    rotation,
    signing,
    tags,
)
from fuin.kms.faults import SerializationException, UnknownOperationException
from fuin.kms.shapes import KeyInput

if TYPE_CHECKING:
    from fuin.gate.call import Call

Function = Callable[["Call", Any], Awaitable[msgspec.Struct | None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `decode` makes its checked input of a body, `run` does it and lets the record show `noted`."""

    name: str
    actions: tuple[str, ...]  # IAM actions, all needed
    function: Function
    input: type[msgspec.Struct]
    noted: tuple[str, ...]  # members of the input
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

    def run(self, call: Call, given: msgspec.Struct) -> Awaitable[msgspec.Struct | None]:
        """Do the operation, and return its output; what was asked for is then in the call's facts."""
        if self.noted:
            call.facts["parameters"] = parameters.shown(given, self.noted)
        return self.function(call, given)


def _row(name: str, run: Function, given: type[msgspec.Struct], *actions: str) -> Operation:
    noted = parameters.noted_of(name, given)
    return Operation(name, actions, run, given, noted, msgspec.json.Decoder(given).decode, model.compile_checks(name))


_ROWS = (
    # keys
    _row("CreateKey", keys.create_key, keys.CreateKeyInput, "kms:CreateKey", "kms:TagResource"),
    _row("DescribeKey", keys.describe_key, keys.DescribeKeyInput, "kms:DescribeKey"),
    _row("ListKeys", keys.list_keys, keys.ListKeysInput, "kms:ListKeys"),
    _row(
        "UpdateKeyDescription", keys.update_key_description, keys.UpdateKeyDescriptionInput,
        "kms:UpdateKeyDescription",
    ),
    _row("GetKeyLastUsage", last_usage.get_key_last_usage, KeyInput, "kms:GetKeyLastUsage"),
    # a key's life
    _row("EnableKey", lifecycle.enable_key, KeyInput, "kms:EnableKey"),
    _row("DisableKey", lifecycle.disable_key, KeyInput, "kms:DisableKey"),
    _row(
        "ScheduleKeyDeletion", lifecycle.schedule_key_deletion, lifecycle.ScheduleKeyDeletionInput,
        "kms:ScheduleKeyDeletion",
    ),
    _row("CancelKeyDeletion", lifecycle.cancel_key_deletion, KeyInput, "kms:CancelKeyDeletion"),
    # aliases
    _row("CreateAlias", aliases.create_alias, aliases.CreateAliasInput, "kms:CreateAlias"),
    _row("UpdateAlias", aliases.update_alias, aliases.UpdateAliasInput, "kms:UpdateAlias"),
    _row("DeleteAlias", aliases.delete_alias, aliases.DeleteAliasInput, "kms:DeleteAlias"),
    _row("ListAliases", aliases.list_aliases, aliases.ListAliasesInput, "kms:ListAliases"),
    # policies
    _row("GetKeyPolicy", policies.get_key_policy, policies.GetKeyPolicyInput, "kms:GetKeyPolicy"),
    _row("PutKeyPolicy", policies.put_key_policy, policies.PutKeyPolicyInput, "kms:PutKeyPolicy"),
    _row("ListKeyPolicies", policies.list_key_policies, policies.ListKeyPoliciesInput, "kms:ListKeyPolicies"),
    # grants
    _row("CreateGrant", grants.create_grant, grants.CreateGrantInput, "kms:CreateGrant"),
    _row("ListGrants", grant_lists.list_grants, grant_lists.ListGrantsInput, "kms:ListGrants"),
    _row(
        "ListRetirableGrants", grant_lists.list_retirable_grants, grant_lists.ListRetirableGrantsInput,
        "kms:ListRetirableGrants",
    ),
    _row("RetireGrant", grants.retire_grant, grants.RetireGrantInput, "kms:RetireGrant"),
    _row("RevokeGrant", grants.revoke_grant, grants.RevokeGrantInput, "kms:RevokeGrant"),
    # tags
    _row("TagResource", tags.tag_resource, tags.TagResourceInput, "kms:TagResource"),
    _row("UntagResource", tags.untag_resource, tags.UntagResourceInput, "kms:UntagResource"),
    _row("ListResourceTags", tags.list_resource_tags, tags.ListResourceTagsInput, "kms:ListResourceTags"),
    # rotation
    _row(
        "EnableKeyRotation", rotation.enable_key_rotation, rotation.EnableKeyRotationInput, "kms:EnableKeyRotation"
    ),
    _row("DisableKeyRotation", rotation.disable_key_rotation, KeyInput, "kms:DisableKeyRotation"),
    _row("GetKeyRotationStatus", rotation.get_key_rotation_status, KeyInput, "kms:GetKeyRotationStatus"),
    _row("ListKeyRotations", rotation.list_key_rotations, rotation.ListKeyRotationsInput, "kms:ListKeyRotations"),
    _row("RotateKeyOnDemand", rotation.rotate_key_on_demand, KeyInput, "kms:RotateKeyOnDemand"),
    # import of material
    _row(
        "GetParametersForImport", imports.get_parameters_for_import, imports.GetParametersForImportInput,
        "kms:GetParametersForImport",
    ),
    _row("ImportKeyMaterial", imports.import_key_material, imports.ImportKeyMaterialInput, "kms:ImportKeyMaterial"),
    _row(
        "DeleteImportedKeyMaterial", imports.delete_imported_key_material, imports.DeleteImportedKeyMaterialInput,
        "kms:DeleteImportedKeyMaterial",
    ),
    # regions
    _row(
        "ReplicateKey", regions.replicate_key, regions.ReplicateKeyInput,
        "kms:ReplicateKey", "kms:CreateKey", "kms:TagResource",
    ),
    _row(
        "UpdatePrimaryRegion", regions.update_primary_region, regions.UpdatePrimaryRegionInput,
        "kms:UpdatePrimaryRegion",
    ),
    # encryption
    _row("Encrypt", encryption.encrypt, encryption.EncryptInput, "kms:Encrypt"),
    _row("Decrypt", encryption.decrypt, encryption.DecryptInput, "kms:Decrypt"),
    _row("ReEncrypt", encryption.re_encrypt, encryption.ReEncryptInput, "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    # data keys
    _row("GenerateDataKey", data_keys.generate_data_key, data_keys.GenerateDataKeyInput, "kms:GenerateDataKey"),
    _row(
        "GenerateDataKeyWithoutPlaintext", data_keys.generate_data_key_without_plaintext,
        data_keys.GenerateDataKeyWithoutPlaintextInput, "kms:GenerateDataKeyWithoutPlaintext",
    ),
    _row(
        "GenerateDataKeyPair", data_key_pairs.generate_data_key_pair, data_key_pairs.GenerateDataKeyPairInput,
        "kms:GenerateDataKeyPair",
    ),
    _row(
        "GenerateDataKeyPairWithoutPlaintext", data_key_pairs.generate_data_key_pair_without_plaintext,
        data_key_pairs.GenerateDataKeyPairWithoutPlaintextInput, "kms:GenerateDataKeyPairWithoutPlaintext",
    ),
    _row("GenerateRandom", data_keys.generate_random, data_keys.GenerateRandomInput, "kms:GenerateRandom"),
    # signing, MAC, public keys, agreement, encapsulation
    _row("Sign", signing.sign, signing.SignInput, "kms:Sign"),
    _row("Verify", signing.verify, signing.VerifyInput, "kms:Verify"),
    _row("GenerateMac", macs.generate_mac, macs.GenerateMacInput, "kms:GenerateMac"),
    _row("VerifyMac", macs.verify_mac, macs.VerifyMacInput, "kms:VerifyMac"),
    _row("GetPublicKey", public_keys.get_public_key, public_keys.GetPublicKeyInput, "kms:GetPublicKey"),
    _row(
        "DeriveSharedSecret", agreement.derive_shared_secret, agreement.DeriveSharedSecretInput,
        "kms:DeriveSharedSecret",
    ),
    _row("Encapsulate", encapsulation.encapsulate, encapsulation.EncapsulateInput, "kms:Encapsulate"),
    _row("Decapsulate", encapsulation.decapsulate, encapsulation.DecapsulateInput, "kms:Decapsulate"),
    # custom key stores
    _row(
        "ConnectCustomKeyStore", custom_key_stores.connect_custom_key_store, key_store_shapes.CustomKeyStoreInput,
        "kms:ConnectCustomKeyStore",
    ),
    _row(
        "CreateCustomKeyStore", custom_key_stores.create_custom_key_store, key_store_shapes.CreateCustomKeyStoreInput,
        "kms:CreateCustomKeyStore",
    ),
    _row(
        "DeleteCustomKeyStore", custom_key_stores.delete_custom_key_store, key_store_shapes.CustomKeyStoreInput,
        "kms:DeleteCustomKeyStore",
    ),
    _row(
        "DescribeCustomKeyStores", custom_key_stores.describe_custom_key_stores,
        key_store_shapes.DescribeCustomKeyStoresInput, "kms:DescribeCustomKeyStores",
    ),
    _row(
        "DisconnectCustomKeyStore", custom_key_stores.disconnect_custom_key_store,
        key_store_shapes.CustomKeyStoreInput, "kms:DisconnectCustomKeyStore",
    ),
    _row(
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
