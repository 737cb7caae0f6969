"""The operations with the key of one material.

Each takes the open material and the values of its request's fields between the material and the draft, as the table
of requests lists them, and returns the values of the answer's fields, which are all bytes.
"""

import os
from collections.abc import Callable, Sequence

from fuin.errors import FormatError
from fuin.keyholder.backends.interface import UsableMaterial
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.codecs import Conversion

KeyOperation = Callable[..., Sequence[bytes]]

RANDOM_LIMIT = 1024  # bytes; AWS: GenerateRandom and NumberOfBytes take 1 to 1,024


def random_bytes(length: int) -> bytes:
    """Return 1 to 1,024 random bytes; raises FormatError on another length."""
    if not 1 <= length <= RANDOM_LIMIT:
        raise FormatError("random bytes come 1 to 1,024 at a time")
    return os.urandom(length)


def generate_data_key(material: UsableMaterial, context: bytes, length: int) -> Sequence[bytes]:
    """Return a fresh data key and its ciphertext blob."""
    plaintext = random_bytes(length)
    return plaintext, material.seal_data_key(context, plaintext)


def generate_data_key_without_plaintext(material: UsableMaterial, context: bytes, length: int) -> Sequence[bytes]:
    """Return the ciphertext blob of a fresh data key."""
    return (material.seal_data_key(context, random_bytes(length)),)


def encrypt(material: UsableMaterial, parameter: bytes, plaintext: bytes) -> Sequence[bytes]:
    """Return a ciphertext."""
    return (material.encrypt(parameter, plaintext),)


def decrypt(material: UsableMaterial, parameter: bytes, blob: bytes) -> Sequence[bytes]:
    """Return a plaintext."""
    return (material.decrypt(parameter, blob),)


def _sign(material: UsableMaterial, algorithm: str, message_type: str, message: bytes) -> Sequence[bytes]:
    return (material.sign(algorithm, message_type, message),)


def _verify(
    material: UsableMaterial, algorithm: str, message_type: str, message: bytes, signature: bytes
) -> Sequence[bytes]:
    material.verify(algorithm, message_type, message, signature)
    return ()


def _generate_mac(material: UsableMaterial, algorithm: str, message: bytes) -> Sequence[bytes]:
    return (material.generate_mac(algorithm, message),)


def _verify_mac(material: UsableMaterial, algorithm: str, message: bytes, mac: bytes) -> Sequence[bytes]:
    material.verify_mac(algorithm, message, mac)
    return ()


def _derive_shared_secret(material: UsableMaterial, peer: bytes) -> Sequence[bytes]:
    return (material.derive_shared_secret(peer),)


def _encapsulate(material: UsableMaterial) -> Sequence[bytes]:
    return material.encapsulate()


def _decapsulate(material: UsableMaterial, ciphertext: bytes) -> Sequence[bytes]:
    return (material.decapsulate(ciphertext),)


def _public_key(material: UsableMaterial) -> Sequence[bytes]:
    return (material.public_key(),)


# opcode -> number of fields, the use in the record, the decoders of the fields, the operation
OPERATIONS: dict[int, tuple[int, int, Conversion, KeyOperation]] = {
    request.code: (request.count, request.uses[0], request.decoders, operation)
    for request, operation in (
        (requests.DATA_KEY, generate_data_key),
        (requests.DATA_KEY_WITHOUT_PLAINTEXT, generate_data_key_without_plaintext),
        (requests.ENCRYPT, encrypt),
        (requests.DECRYPT, decrypt),
        (requests.SIGN, _sign),
        (requests.VERIFY, _verify),
        (requests.GENERATE_MAC, _generate_mac),
        (requests.VERIFY_MAC, _verify_mac),
        (requests.DERIVE_SHARED_SECRET, _derive_shared_secret),
        (requests.ENCAPSULATE, _encapsulate),
        (requests.DECAPSULATE, _decapsulate),
        (requests.PUBLIC_KEY, _public_key),
    )
}
