"""Encryption by default and its key: Get-, Enable- and DisableEbsEncryptionByDefault, Get-, Modify- and Reset-
EbsDefaultKmsKeyId.

On AWS encryption by default is off in a new account; here it is on, since no byte of a volume is stored unencrypted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import kms_refusals, rights
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.kms import volume_keys
from fuin.store.volumes import ebs_defaults

if TYPE_CHECKING:
    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call


class GetEbsEncryptionByDefaultInput(Input):
    """The input of GetEbsEncryptionByDefault."""


class EnableEbsEncryptionByDefaultInput(Input):
    """The input of EnableEbsEncryptionByDefault."""


class DisableEbsEncryptionByDefaultInput(Input):
    """The input of DisableEbsEncryptionByDefault."""


class GetEbsDefaultKmsKeyIdInput(Input):
    """The input of GetEbsDefaultKmsKeyId."""


class ModifyEbsDefaultKmsKeyIdInput(Input):
    """The input of ModifyEbsDefaultKmsKeyId."""

    KmsKeyId: str


class ResetEbsDefaultKmsKeyIdInput(Input):
    """The input of ResetEbsDefaultKmsKeyId."""


async def get_ebs_encryption_by_default(call: Call, input: GetEbsEncryptionByDefaultInput) -> Output:
    """Return whether new volumes are encrypted without being asked."""
    await rights.check_describe(call, input)
    defaults = await call.services.store.read(ebs_defaults.find_defaults, call.account, call.region)
    return {"ebsEncryptionByDefault": defaults.by_default, "sseType": "sse-kms" if defaults.by_default else "none"}


async def enable_ebs_encryption_by_default(call: Call, input: EnableEbsEncryptionByDefaultInput) -> Output:
    """Switch encryption by default on."""
    return await _set_by_default(call, input, True)


async def disable_ebs_encryption_by_default(call: Call, input: DisableEbsEncryptionByDefaultInput) -> Output:
    """Switch encryption by default off: from then on a request that does not ask for encryption is refused."""
    return await _set_by_default(call, input, False)


async def _set_by_default(call: Call, input: Input, by_default: bool) -> Output:
    await rights.check_describe(call, input)
    await call.write(ebs_defaults.set_by_default, call.account, call.region, by_default)
    return {"ebsEncryptionByDefault": by_default}


async def get_ebs_default_kms_key_id(call: Call, input: GetEbsDefaultKmsKeyIdInput) -> Output:
    """Return the key for new volumes: its ARN, or alias/aws/ebs."""
    await rights.check_describe(call, input)
    defaults = await call.services.store.read(ebs_defaults.find_defaults, call.account, call.region)
    return {"kmsKeyId": defaults.key_id or volume_keys.EBS_ALIAS}


async def modify_ebs_default_kms_key_id(call: Call, input: ModifyEbsDefaultKmsKeyIdInput) -> Output:
    """Set the key for new volumes; the caller must be able to describe it."""
    await rights.check_describe(call, input)
    try:
        arn = await volume_keys.describe_key(call, input.KmsKeyId)
    except kms_refusals.REFUSALS as error:
        text = kms_refusals.cause_of(error)["message"]
        raise Ec2Fault("InvalidKmsKeyId", f"The KMS key '{input.KmsKeyId[:256]}' cannot be used: {text}") from None
    await call.write(ebs_defaults.set_key, call.account, call.region, arn)
    return {"kmsKeyId": arn}


async def reset_ebs_default_kms_key_id(call: Call, input: ResetEbsDefaultKmsKeyIdInput) -> Output:
    """Go back to alias/aws/ebs."""
    await rights.check_describe(call, input)
    await call.write(ebs_defaults.set_key, call.account, call.region, "")
    return {"kmsKeyId": volume_keys.EBS_ALIAS}
