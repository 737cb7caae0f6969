"""The table of all operations of AWS KMS: the function and the IAM actions that it needs; inputs are the model's.

It equals the operations of botocore's model (`tests/house/test_operations_table.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fuin.kms import parameters
from fuin.kms.grants import grant_lists, grants
from fuin.kms.key_stores import custom_key_stores
from fuin.kms.keys import aliases, keys, last_usage, lifecycle, policies, regions, tags
from fuin.kms.material import imports, rotation
from fuin.kms.model.checks import compile_checks
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_inputs import INPUTS
from fuin.kms.uses import agreement, data_key_pairs, data_keys, encapsulation, encryption, macs, public_keys, signing

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.kms.model.shape import Input, Output

Function = Callable[["Call", Any], Awaitable["Output | None"]]


@dataclass(frozen=True, slots=True)
class KmsOperation:
    """One operation: `decode` makes its checked input of a body, `run` does it, and its record has `recorded`."""

    name: str
    actions: tuple[str, ...]  # IAM actions, all needed
    function: Function
    input: type[Input]
    recorded: tuple[str, ...]  # members of the input
    _decode: Callable[[bytes], Input]
    _check: Callable[[Input], None]

    def decode(self, body: bytes) -> Input:
        """Return the checked input; raises SerializationException or ValidationException."""
        try:
            input = self._decode(body or b"{}")
        except (ValueError, RecursionError):  # malformed, of wrong types, not UTF-8, nested too deeply
            raise KmsFault("SerializationException") from None
        self._check(input)
        return input

    def run(self, call: Call, input: Input) -> Awaitable[Output | None]:
        """Put the request's parameters into the call's facts, do the operation, and return its output."""
        if self.recorded:
            call.facts["parameters"] = parameters.describe(input, self.recorded)
        return self.function(call, input)


def _row(name: str, function: Function, *actions: str) -> KmsOperation:
    input = INPUTS[name]
    recorded = parameters.recorded_members(name, input)
    decode, check = msgspec.json.Decoder(input).decode, compile_checks(input)
    return KmsOperation(name, actions, function, input, recorded, decode, check)


_ROWS = (
    # keys
    _row("CreateKey", keys.create_key, "kms:CreateKey", "kms:TagResource"),
    _row("DescribeKey", keys.describe_key, "kms:DescribeKey"),
    _row("ListKeys", keys.list_keys, "kms:ListKeys"),
    _row("UpdateKeyDescription", keys.update_key_description, "kms:UpdateKeyDescription"),
    _row("GetKeyLastUsage", last_usage.get_key_last_usage, "kms:GetKeyLastUsage"),
    # a key's life
    _row("EnableKey", lifecycle.enable_key, "kms:EnableKey"),
    _row("DisableKey", lifecycle.disable_key, "kms:DisableKey"),
    _row("ScheduleKeyDeletion", lifecycle.schedule_key_deletion, "kms:ScheduleKeyDeletion"),
    _row("CancelKeyDeletion", lifecycle.cancel_key_deletion, "kms:CancelKeyDeletion"),
    # aliases
    _row("CreateAlias", aliases.create_alias, "kms:CreateAlias"),
    _row("UpdateAlias", aliases.update_alias, "kms:UpdateAlias"),
    _row("DeleteAlias", aliases.delete_alias, "kms:DeleteAlias"),
    _row("ListAliases", aliases.list_aliases, "kms:ListAliases"),
    # policies
    _row("GetKeyPolicy", policies.get_key_policy, "kms:GetKeyPolicy"),
    _row("PutKeyPolicy", policies.put_key_policy, "kms:PutKeyPolicy"),
    _row("ListKeyPolicies", policies.list_key_policies, "kms:ListKeyPolicies"),
    # grants
    _row("CreateGrant", grants.create_grant, "kms:CreateGrant"),
    _row("ListGrants", grant_lists.list_grants, "kms:ListGrants"),
    _row("ListRetirableGrants", grant_lists.list_retirable_grants, "kms:ListRetirableGrants"),
    _row("RetireGrant", grants.retire_grant, "kms:RetireGrant"),
    _row("RevokeGrant", grants.revoke_grant, "kms:RevokeGrant"),
    # tags
    _row("TagResource", tags.tag_resource, "kms:TagResource"),
    _row("UntagResource", tags.untag_resource, "kms:UntagResource"),
    _row("ListResourceTags", tags.list_resource_tags, "kms:ListResourceTags"),
    # rotation
    _row("EnableKeyRotation", rotation.enable_key_rotation, "kms:EnableKeyRotation"),
    _row("DisableKeyRotation", rotation.disable_key_rotation, "kms:DisableKeyRotation"),
    _row("GetKeyRotationStatus", rotation.get_key_rotation_status, "kms:GetKeyRotationStatus"),
    _row("ListKeyRotations", rotation.list_key_rotations, "kms:ListKeyRotations"),
    _row("RotateKeyOnDemand", rotation.rotate_key_on_demand, "kms:RotateKeyOnDemand"),
    # import of material
    _row("GetParametersForImport", imports.get_parameters_for_import, "kms:GetParametersForImport"),
    _row("ImportKeyMaterial", imports.import_key_material, "kms:ImportKeyMaterial"),
    _row("DeleteImportedKeyMaterial", imports.delete_imported_key_material, "kms:DeleteImportedKeyMaterial"),
    # regions
    _row("ReplicateKey", regions.replicate_key, "kms:ReplicateKey", "kms:CreateKey", "kms:TagResource"),
    _row("UpdatePrimaryRegion", regions.update_primary_region, "kms:UpdatePrimaryRegion"),
    # encryption
    _row("Encrypt", encryption.encrypt, "kms:Encrypt"),
    _row("Decrypt", encryption.decrypt, "kms:Decrypt"),
    _row("ReEncrypt", encryption.re_encrypt, "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    # data keys
    _row("GenerateDataKey", data_keys.generate_data_key, "kms:GenerateDataKey"),
    _row(
        "GenerateDataKeyWithoutPlaintext",
        data_keys.generate_data_key_without_plaintext,
        "kms:GenerateDataKeyWithoutPlaintext",
    ),
    _row("GenerateDataKeyPair", data_key_pairs.generate_data_key_pair, "kms:GenerateDataKeyPair"),
    _row(
        "GenerateDataKeyPairWithoutPlaintext",
        data_key_pairs.generate_data_key_pair_without_plaintext,
        "kms:GenerateDataKeyPairWithoutPlaintext",
    ),
    _row("GenerateRandom", data_keys.generate_random, "kms:GenerateRandom"),
    # signing, MAC, public keys, agreement, encapsulation
    _row("Sign", signing.sign, "kms:Sign"),
    _row("Verify", signing.verify, "kms:Verify"),
    _row("GenerateMac", macs.generate_mac, "kms:GenerateMac"),
    _row("VerifyMac", macs.verify_mac, "kms:VerifyMac"),
    _row("GetPublicKey", public_keys.get_public_key, "kms:GetPublicKey"),
    _row("DeriveSharedSecret", agreement.derive_shared_secret, "kms:DeriveSharedSecret"),
    _row("Encapsulate", encapsulation.encapsulate, "kms:Encapsulate"),
    _row("Decapsulate", encapsulation.decapsulate, "kms:Decapsulate"),
    # custom key stores
    _row("ConnectCustomKeyStore", custom_key_stores.connect_custom_key_store, "kms:ConnectCustomKeyStore"),
    _row("CreateCustomKeyStore", custom_key_stores.create_custom_key_store, "kms:CreateCustomKeyStore"),
    _row("DeleteCustomKeyStore", custom_key_stores.delete_custom_key_store, "kms:DeleteCustomKeyStore"),
    _row("DescribeCustomKeyStores", custom_key_stores.describe_custom_key_stores, "kms:DescribeCustomKeyStores"),
    _row("DisconnectCustomKeyStore", custom_key_stores.disconnect_custom_key_store, "kms:DisconnectCustomKeyStore"),
    _row("UpdateCustomKeyStore", custom_key_stores.update_custom_key_store, "kms:UpdateCustomKeyStore"),
)

OPERATIONS: dict[str, KmsOperation] = {row.name: row for row in _ROWS}
_PREFIX = "TrentService."
_BY_TARGET = {f"{_PREFIX}{name}".encode(): operation for name, operation in OPERATIONS.items()}


def find_operation(method: str, target: bytes | None) -> KmsOperation:
    """Return the operation of an X-Amz-Target header; all are posted. Raises UnknownOperationException."""
    operation = _BY_TARGET.get(target or b"")
    if operation is None or method != "POST":
        raise KmsFault("UnknownOperationException")
    return operation
