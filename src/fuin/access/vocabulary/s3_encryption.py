"""The names of the encryption schemes for objects, and the rights to keys that they need.

Headers, policies, records and the index use these names. Only `s3/sealing` knows what a scheme does.
"""

from __future__ import annotations

SSE_S3, SSE_KMS, SSE_KMS_DSSE = "AES256", "aws:kms", "aws:kms:dsse"
SSE_C = "SSE-C"  # the index's name, and that of BlockedEncryptionTypes; its header says AES256

# The action on the key that an action on an object needs. The object store asks KMS for it as the caller.
_OF_KMS = {
    "s3:getobject": "kms:Decrypt", "s3:getobjectattributes": "kms:Decrypt", "s3:putobject": "kms:GenerateDataKey",
    "s3:updateobjectencryption": "kms:ReEncryptFrom",
}  # fmt: skip
KEY_ACTIONS = {SSE_KMS: _OF_KMS, SSE_KMS_DSSE: _OF_KMS}


def key_action(scheme: str | None, action: str) -> str | None:
    """Return the KMS action that an S3 action needs under a scheme, None if the caller needs no right to a key."""
    return KEY_ACTIONS.get(scheme or "", {}).get(action.lower())
