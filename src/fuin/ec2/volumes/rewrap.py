"""Re-wrap: the data key of a volume comes under another KMS key, or the newest material of its own. No data are moved.

AWS has no such operation: there a volume keeps its key, and a copy of a snapshot under another key is written anew.
Here ModifyVolume takes `FuinKmsKeyId`. The data key stays the same, so anyone who once had it can still read the disk,
and the host's disk need not be there. The host writes the new ciphertext into the disk's header at the next attach.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.ec2.request import kms_refusals, resource_ids
from fuin.ec2.wire.faults import Ec2Fault
from fuin.kms import volume_keys
from fuin.store.errors import NotFound
from fuin.store.volumes import volumes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.kms.volume_keys import VolumeKey
    from fuin.store.volumes.volumes import Volume


async def rewrap_volume(call: Call, volume: Volume, key: str) -> None:
    """Encrypt a volume's data key under another KMS key, asked for as the caller (kms:ReEncryptFrom, ReEncryptTo)."""
    _check_available(volume)
    try:
        arn = await call.consult(volume_keys.key_arn, key)
        made = await volume_keys.re_encrypt(call, volume.data_key, volume.context_id, arn, volume.context_id)
        call.remember(partial(volume_keys.require_lasting_key, call, arn))
        call.facts["rewrap"] = {"from": volume.kms_key_arn, "to": arn}
        await call.write(_replace, volume, made)
    except Ec2Fault:
        raise
    except kms_refusals.REFUSALS as error:
        text = kms_refusals.cause_of(error)["message"]
        raise Ec2Fault("InvalidKmsKeyId", f"The KMS key '{key[:256]}' cannot be used: {text}") from None
    except NotFound:
        raise resource_ids.missing_fault(resource_ids.VOLUME, volume.volume_id) from None


def _check_available(volume: Volume) -> None:
    if volume.state != volumes.AVAILABLE:
        text = f"Volume '{volume.volume_id}' is '{volume.state}': its host has a grant for the present key. Detach it."
        raise Ec2Fault("IncorrectState", text)


def _replace(conn: Connection, before: Volume, made: VolumeKey) -> None:
    """Store the new ciphertext, unless the volume was attached or re-wrapped meanwhile; raises NotFound."""
    volume = volumes.lock_volume(conn, before.volume_id)
    _check_available(volume)
    if volume.data_key != before.data_key:
        raise Ec2Fault("IncorrectState", f"The data key of volume '{before.volume_id}' has changed meanwhile.")
    volumes.set_data_key(conn, volume.volume_id, made.key_arn, made.material_id, made.blob)
