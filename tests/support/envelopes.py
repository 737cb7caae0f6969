"""Rows and messages of objects whose keys are made up: as the object store writes them, without a keyholder."""

import os

import msgspec

from fuin.formats import blob, message
from fuin.formats.message import EncryptedDataKey


def data_key(key_id: str, material_id: bytes) -> bytes:
    """Return a ciphertext blob that names a key and its material."""
    return blob.encode(blob.ParsedBlob(key_id, material_id, os.urandom(32), os.urandom(32), b"sealed", os.urandom(16)))


def encryption(arn: str, encrypted: bytes, algorithm: str = "aws:kms") -> str:
    """Return the JSON of an object's encryption."""
    return msgspec.json.encode({"algorithm": algorithm, "key": arn, "context": {}, "blob": encrypted}).decode()


def header(arn: str, encrypted: bytes, *, provider: str = message.KMS_PROVIDER, padding: int = 0) -> bytes:
    """Return the header of a message, with a tag that nobody has made; padding makes its context longer."""
    entry = EncryptedDataKey(provider, arn.encode(), encrypted)
    context = {"padding": "x" * padding} if padding else {}
    return message.encode_header(os.urandom(32), context, [entry], 4096, bytes(32)) + bytes(16)
