"""The operations with the key of one material: what each takes from a request's fields and gives back.

First field the material, which is open when the operation is called; last field the draft.
"""

import struct
from collections.abc import Callable

from fuin.errors import FormatError
from fuin.formats import record
from fuin.keyholder.kinds.material import OpenMaterial
from fuin.keyholder.opcodes import Opcode
from fuin.keyholder.software import random_bytes

_U32 = struct.Struct(">I")

KeyUse = Callable[[OpenMaterial, list[bytes]], list[bytes]]


def data_key(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    """Return a fresh data key and its ciphertext blob."""
    plaintext = random_bytes(number(fields[2]))
    return [plaintext, material.seal_data_key(fields[1], plaintext)]


def data_key_without_plaintext(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    """Return the ciphertext blob of a fresh data key."""
    return [material.seal_data_key(fields[1], random_bytes(number(fields[2])))]


def encrypt(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    """Return a ciphertext."""
    return [material.encrypt(fields[1], fields[2])]


def decrypt(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    """Return a plaintext."""
    return [material.decrypt(fields[1], fields[2])]


def _sign(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    return [material.sign(text(fields[1]), text(fields[2]), fields[3])]


def _verify(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    material.verify(text(fields[1]), text(fields[2]), fields[3], fields[4])
    return []


def _generate_mac(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    return [material.generate_mac(text(fields[1]), fields[2])]


def _verify_mac(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    material.verify_mac(text(fields[1]), fields[2], fields[3])
    return []


def _derive_shared_secret(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    return [material.derive_shared_secret(fields[1])]


def _encapsulate(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    return list(material.encapsulate())


def _decapsulate(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    return [material.decapsulate(fields[1])]


def _public_key(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
    return [material.public_key()]


# opcode -> number of fields, number of the use in the record, the operation
OPERATIONS: dict[int, tuple[int, int, KeyUse]] = {
    Opcode.DATA_KEY: (4, record.DATA_KEY, data_key),
    Opcode.DATA_KEY_WITHOUT_PLAINTEXT: (4, record.DATA_KEY_WITHOUT_PLAINTEXT, data_key_without_plaintext),
    Opcode.ENCRYPT: (4, record.ENCRYPT, encrypt),
    Opcode.DECRYPT: (4, record.DECRYPT, decrypt),
    Opcode.SIGN: (5, record.SIGN, _sign),
    Opcode.VERIFY: (6, record.VERIFY, _verify),
    Opcode.GENERATE_MAC: (4, record.GENERATE_MAC, _generate_mac),
    Opcode.VERIFY_MAC: (5, record.VERIFY_MAC, _verify_mac),
    Opcode.DERIVE_SHARED_SECRET: (3, record.DERIVE_SHARED_SECRET, _derive_shared_secret),
    Opcode.ENCAPSULATE: (2, record.ENCAPSULATE, _encapsulate),
    Opcode.DECAPSULATE: (3, record.DECAPSULATE, _decapsulate),
    Opcode.PUBLIC_KEY: (2, record.GET_PUBLIC_KEY, _public_key),
}


def number(field: bytes) -> int:
    """Return the number of a u32 field; raises FormatError."""
    if len(field) != 4:
        raise FormatError("a length of another size than four bytes")
    return int(_U32.unpack(field)[0])


def text(field: bytes) -> str:
    """Return the text of a field; raises FormatError."""
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise FormatError("an identifier that is not UTF-8") from None
