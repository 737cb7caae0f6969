"""The data keys of snapshots, opened as the caller: once for a short time, but decided anew on each request.

The EBS direct APIs ask for kms:Decrypt with every block. So the plaintext is kept as that of a bucket key is
(`gate/bucket_keys.py`): a caller that has lost the right, or a key that was disabled, is refused by the very next
request, and the plaintext is wiped. `facts.snapshotKeys` of a request's record has the KMS key, and where the data key
came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms import bucket_keys, on_behalf, volume_keys
from fuin.kms.reach.key import open_ciphertext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate.call import Call
    from fuin.kms.reach.key import OpenKey

_FACT = "snapshotKeys"


async def open_snapshot_key(call: Call, blob: bytes, context_id: str) -> bytes:
    """Return the data key of a snapshot, asked for as the caller (kms:Decrypt); the blob names its key.

    Raises what `on_behalf.open_data_key` does.
    """
    asked = volume_keys.forward_call(call)
    context = volume_keys.context_of(context_id)
    name = ("snapshot", call.principal.conclusion_key, call.region, blob, context_id)
    kept = await bucket_keys.serve_key(call, asked, name, _decide, bucket_keys.decrypt, blob, context, _FACT)
    return kept.plaintext.reveal()


def _decide(asked: Call, _: str, blob: bytes, context: Mapping[str, str]) -> OpenKey:
    return open_ciphertext(asked, blob, on_behalf.DECRYPT, identifier=None, context=context)
