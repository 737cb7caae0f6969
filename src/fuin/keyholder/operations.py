"""The operations with the key of one material.

Each takes the open material and the values of its request's fields between the material and the draft, as the table
of requests lists them, and returns the values of the answer's fields, which are all bytes.
"""

from collections.abc import Callable, Sequence

from fuin.keyholder.kinds.material import OpenMaterial
from fuin.keyholder.software import random_bytes
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.requests import Request

KeyOperation = Callable[..., Sequence[bytes]]


def generate_data_key(material: OpenMaterial, context: bytes, length: int) -> Sequence[bytes]:
    """Return a fresh data key and its ciphertext blob."""
    plaintext = random_bytes(length)
    return plaintext, material.seal_data_key(context, plaintext)


def generate_data_key_without_plaintext(material: OpenMaterial, context: bytes, length: int) -> Sequence[bytes]:
    """Return the ciphertext blob of a fresh data key."""
    return (material.seal_data_key(context, random_bytes(length)),)


def encrypt(material: OpenMaterial, parameter: bytes, plaintext: bytes) -> Sequence[bytes]:
    """Return a ciphertext."""
    return (material.encrypt(parameter, plaintext),)


def decrypt(material: OpenMaterial, parameter: bytes, blob: bytes) -> Sequence[bytes]:
    """Return a plaintext."""
    return (material.decrypt(parameter, blob),)


def _sign(material: OpenMaterial, algorithm: str, message_type: str, message: bytes) -> Sequence[bytes]:
    return (material.sign(algorithm, message_type, message),)


def _verify(
    material: OpenMaterial, algorithm: str, message_type: str, message: bytes, signature: bytes
) -> Sequence[bytes]:
    material.verify(algorithm, message_type, message, signature)
    return ()


def _generate_mac(material: OpenMaterial, algorithm: str, message: bytes) -> Sequence[bytes]:
    return (material.generate_mac(algorithm, message),)


def _verify_mac(material: OpenMaterial, algorithm: str, message: bytes, mac: bytes) -> Sequence[bytes]:
    material.verify_mac(algorithm, message, mac)
    return ()


def _derive_shared_secret(material: OpenMaterial, peer: bytes) -> Sequence[bytes]:
    return (material.derive_shared_secret(peer),)


def _encapsulate(material: OpenMaterial) -> Sequence[bytes]:
    return material.encapsulate()


def _decapsulate(material: OpenMaterial, ciphertext: bytes) -> Sequence[bytes]:
    return (material.decapsulate(ciphertext),)


def _public_key(material: OpenMaterial) -> Sequence[bytes]:
    return (material.public_key(),)


# opcode -> the request's row, and the operation
OPERATIONS: dict[int, tuple[Request, KeyOperation]] = {
    request.code: (request, operation)
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
