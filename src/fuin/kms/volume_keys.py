"""The data keys of volumes and snapshots, asked for as the caller: EC2 forwards the request, as AWS's does.

| step | asked of KMS |
|---|---|
| a new volume, a copy under another key | GenerateDataKeyWithoutPlaintext, 64 bytes: two keys of AES-256-XTS |
| a volume from a snapshot under the same key | ReEncrypt: the same data key, bound to the volume's id |
| attach | CreateGrant for the host: Decrypt, with the encryption context of this data key only |
| a block of a snapshot | Decrypt |

The host asks for its Decrypt itself, by its grant. The encryption context is `aws:ebs:id`: the id of the volume or
snapshot for which the ciphertext was made. Functions raise what those of `on_behalf.py` do, and the record says each
use as there.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from fuin.errors import FormatError
from fuin.formats import blob as blobs
from fuin.kms.grants import grants
from fuin.kms.grants.grants import PreparedGrant
from fuin.kms.grants.grants import refusal as grant_refusal
from fuin.kms.keys import managed
from fuin.kms.keys.managed_services import ALIASES
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.shapes_grants import CreateGrantInput
from fuin.kms.model.shapes_parts import GrantConstraints
from fuin.kms.on_behalf import require_lasting_key
from fuin.kms.reach import throttling
from fuin.kms.reach.key import authorized_key, open_ciphertext, open_key
from fuin.kms.reach.key_identifiers import find_key
from fuin.kms.reach.use import Use
from fuin.kms.uses import ciphers

if TYPE_CHECKING:
    from fuin.gate.call import Call

__all__ = [
    "PreparedGrant", "VolumeKey", "describe_key", "grant_refusal", "key_arn", "make_volume_key", "open_data_key",
    "prepare_host_grant", "re_encrypt", "require_lasting_key",
]  # fmt: skip

EBS = "ebs"
EBS_ALIAS = ALIASES + EBS
CONTEXT = "aws:ebs:id"
KEY_LENGTH = 64  # bytes
_MAKE, _DECRYPT = Use("kms:GenerateDataKeyWithoutPlaintext"), Use("kms:Decrypt")
_FROM, _TO = (
    {same: Use(action, more=(("kms:reencryptonsamekey", "true" if same else "false"),)) for same in (False, True)}
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo")
)


class VolumeKey(NamedTuple):
    """A data key as it is stored: its ciphertext blob, the ARN of its KMS key, and the id of the key material.

    The material is None for a blob that does not name it: that of a key in an external key store.
    """

    key_arn: str
    material_id: bytes | None
    blob: bytes


def forward_call(call: Call) -> Call:
    """Return the call as EC2's request to KMS."""
    return call.call_by_service(f"ec2.{call.region}.amazonaws.com")


def context_of(resource_id: str) -> dict[str, str]:
    """Return the encryption context of the data key of a volume or snapshot."""
    return {CONTEXT: resource_id}


async def make_volume_key(call: Call, key: str | None, resource_id: str) -> VolumeKey:
    """Return a new data key that nobody has seen, asked for as the caller.

    `key` is a key id, key ARN, alias name or alias ARN; None means alias/aws/ebs, which is made on first use.
    """
    asked = await _asked_about(call, "GenerateDataKeyWithoutPlaintext", key)
    opened = await asked.consult(open_key, key or EBS_ALIAS, _MAKE, context_of(resource_id))
    blob = await ciphers.data_key_without_plaintext(asked, opened, KEY_LENGTH)
    return VolumeKey(opened.arn, _material_id(blob), blob)


async def re_encrypt(call: Call, blob: bytes, from_id: str, key_arn: str, to_id: str) -> VolumeKey:
    """Return the same data key for another volume or snapshot, or under another KMS key, asked for as the caller.

    The data key stays in the keyholder.
    """
    asked = await _asked_about(call, "ReEncrypt", key_arn)
    same = _key_id(blob) == key_arn.rpartition("/")[2]
    source = await asked.consult(open_ciphertext, blob, _FROM[same], identifier=None, context=context_of(from_id))
    target = await asked.consult(open_key, key_arn, _TO[same], context_of(to_id))
    new = await ciphers.re_encrypt(asked, source, blob, target)
    return VolumeKey(target.arn, _material_id(new), new)


async def open_data_key(call: Call, blob: bytes, resource_id: str) -> bytes:
    """Return the data key of a blob, asked for as the caller; the blob names its key."""
    asked = await _asked_about(call, "Decrypt", "")
    opened = await asked.consult(open_ciphertext, blob, _DECRYPT, identifier=None, context=context_of(resource_id))
    return await ciphers.decrypt(asked, opened, blob)


async def prepare_host_grant(call: Call, key_arn: str, resource_id: str, host_arn: str) -> PreparedGrant:
    """Return a grant by which a host may open this one data key, asked for as the caller.

    The attachment's transaction adds it, and the call's commit repeats the check of the right to it.
    """
    asked = forward_call(call)
    wanted = CreateGrantInput(
        KeyId=key_arn,
        GranteePrincipal=host_arn,
        Operations=["Decrypt"],
        Constraints=GrantConstraints(EncryptionContextSubset=context_of(resource_id)),
        Name=str(uuid.uuid4()),
    )
    prepared = await grants.prepare_grant(asked, wanted)
    for check in asked.rights.granted_checks:
        call.remember(check)
    return prepared


async def describe_key(call: Call, key: str | None) -> str:
    """Return the ARN of a key that a volume or snapshot could have, asked for as the caller (kms:DescribeKey)."""
    asked = await _asked_about(call, "DescribeKey", key)
    named = await asked.consult(authorized_key, key or EBS_ALIAS, "kms:DescribeKey", aliases=True, foreign=True)
    return named.arn


def key_arn(call: Call, identifier: str) -> str:
    """Return the ARN of the key that an identifier names, as the caller means it; raises KMS's faults.

    No right is asked for: whatever is done with the key asks for its own.
    """
    asked = forward_call(call)
    named = find_key(asked, asked.services.store.catalog(), identifier, aliases=True)
    if named.key is None:
        raise NotFoundException(named.missing)
    return named.arn


async def _asked_about(call: Call, operation: str, key: str | None) -> Call:
    """Return the forwarded call, counted; no key means alias/aws/ebs, which is made now if it is not there."""
    asked = forward_call(call)
    if asked.services.throttle.rates:
        throttling.admit_use(asked, operation)
    if key is None:
        await managed.ensure_key(asked, EBS)
    return asked


def _key_id(blob: bytes) -> str:
    try:
        return blobs.parse_ids(blob)[0]
    except FormatError:
        raise KmsFault("InvalidCiphertextException") from None


def _material_id(blob: bytes) -> bytes | None:
    try:
        return blobs.parse_ids(blob)[1]
    except FormatError:
        return None
