"""Uses Tink's integration with AWS KMS; the endpoint comes from the environment alone.

`python tink_aead.py roundtrip KEY-ARN OTHER-KEY-ARN` encrypts with the key itself and as an envelope, with associated
data and without, stores a keyset encrypted, and fails unless each opens with its own key and data and with no other.
`python tink_aead.py seal KEY-ARN TEXT ASSOCIATED-DATA` writes a ciphertext to standard output, in hexadecimal.
"""

import sys
from collections.abc import Callable

import boto3
import tink
from tink import aead
from tink.integration import awskms


def _refused(what: Callable[[bytes, bytes], bytes], ciphertext: bytes, associated: bytes) -> None:
    try:
        what(ciphertext, associated)
    except tink.TinkError:
        return
    raise AssertionError("it was opened")


def _round_trip(primitive: aead.Aead, other: aead.Aead, size: int, associated: bytes) -> None:
    plaintext = b"x" * size
    ciphertext = primitive.encrypt(plaintext, associated)
    assert plaintext not in ciphertext
    assert primitive.decrypt(ciphertext, associated) == plaintext
    _refused(primitive.decrypt, ciphertext, associated + b"!")
    _refused(other.decrypt, ciphertext, associated)


def _keyset(remote: aead.Aead, other: aead.Aead) -> None:
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    stored = tink.json_proto_keyset_format.serialize_encrypted(handle, remote, b"keyset")
    again = tink.json_proto_keyset_format.parse_encrypted(stored, remote, b"keyset")
    ciphertext = handle.primitive(aead.Aead).encrypt(b"text", b"")
    assert again.primitive(aead.Aead).decrypt(ciphertext, b"") == b"text"
    try:
        tink.json_proto_keyset_format.parse_encrypted(stored, other, b"keyset")
    except tink.TinkError:
        return
    raise AssertionError("another key opened the keyset")


def _everything(client: tink.KmsClient, key_arn: str, other_arn: str) -> None:
    remote, other = (client.get_aead(f"aws-kms://{arn}") for arn in (key_arn, other_arn))
    template = aead.aead_key_templates.AES256_GCM
    envelope, other_envelope = (aead.KmsEnvelopeAead(template, one) for one in (remote, other))
    for associated in (b"", b"report.pdf", "größe".encode()):
        _round_trip(remote, other, 1000, associated)
        _round_trip(envelope, other_envelope, 100_000, associated)
    _keyset(remote, other)


def main(verb: str, key_arn: str, *more: str) -> None:
    """Do one of the two verbs."""
    aead.register()
    client = awskms.new_client(boto3_client=boto3.client("kms"))
    if verb == "seal":
        text, associated = more
        sealed = client.get_aead(f"aws-kms://{key_arn}").encrypt(text.encode(), associated.encode())
        sys.stdout.write(sealed.hex())
        return
    _everything(client, key_arn, *more)
    sys.stdout.write("equal\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
