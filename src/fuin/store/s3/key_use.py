"""Which KMS key an object, an upload or a bucket's default depends on, as columns beside their JSON.

The JSON of the column `encryption` is what the services read. These columns are made from it whenever it is written, so
the two cannot differ. They answer the opposite question: what depends on a key? See `dependents.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from fuin import ids
from fuin.errors import FormatError
from fuin.formats import blob
from fuin.formats.message import DIGEST_LENGTH

_ALIAS = "alias/"
_UNDER_KMS = ("aws:kms", "aws:kms:dsse")


class KeyUse(NamedTuple):
    """The values of the columns `scheme`, `kms_key_arn` and `kms_material_id`; None without such a value."""

    scheme: str | None  # AES256, aws:kms, aws:kms:dsse or SSE-C
    key_arn: str | None
    material_id: bytes | None

    @property
    def is_under_kms(self) -> bool:
        """Return whether the data key is under a KMS key of the account's, not of the service's, or of the client's."""
        return self.scheme in _UNDER_KMS


class _Encryption(msgspec.Struct, frozen=True):
    algorithm: str | None = None
    key: str | None = None
    blob: bytes = b""
    header: bytes = b""


_decode = msgspec.json.Decoder(_Encryption).decode


def object_key_use(encryption: str) -> KeyUse:
    """Return the columns of an object or an upload, whose JSON has the key's ARN and the encrypted data key.

    The encrypted data key itself names the key material; the keyholder is not asked.
    """
    stored = _decode(encryption)
    if not stored.key:  # SSE-C: the client has the key
        return KeyUse(stored.algorithm, None, None)
    return KeyUse(stored.algorithm, stored.key, _material_id(stored.blob))


def rewrapped_header(encryption: str) -> bytes | None:
    """Return the SHA-256 of the encrypted data key in the header of a message that was re-wrapped, None of others.

    Such a message still has the encrypted data key with which it was written, and the index has the one that counts. Of
    two layers it is the outer one.
    """
    return _decode(encryption).header[:DIGEST_LENGTH] or None


def _material_id(data_key: bytes) -> bytes | None:
    try:
        return blob.parse_ids(data_key)[1] if data_key else None
    except FormatError:
        return None


def default_key_use(encryption: str | None, account: str, region: str) -> KeyUse:
    """Return the columns of a bucket's default, which may name its key by id, ARN or alias, or not at all.

    An alias stays one: it may name another key tomorrow. The ARN is then the alias's, in the bucket's own account.
    """
    if encryption is None:
        return KeyUse(None, None, None)
    default = _decode(encryption)
    return KeyUse(default.algorithm, _default_arn(default, account, region), None)


def _default_arn(default: _Encryption, account: str, region: str) -> str | None:
    key = default.key
    if key is None:
        key = "alias/aws/s3" if default.algorithm in _UNDER_KMS else None
    if key is None or key.startswith("arn:"):
        return key
    if key.startswith(_ALIAS):
        return ids.alias_arn(account, region, key)
    return ids.key_arn(account, region, key) if ids.is_key_id(key) else None
