"""Small helpers that make and read whole messages in memory."""

from collections.abc import Mapping

from fuin.envelope.reader import Reader
from fuin.envelope.stream import EncryptedDataKey, Opener, Sealer, parse_header
from tests.envelope.kms_stand_in import ARN

DATA_KEY = bytes(range(32))
KEYS = (EncryptedDataKey.from_kms(ARN, b"the encrypted data key"),)


def seal(plaintext: bytes, frame_length: int = 16, context: Mapping[str, str] | None = None, pieces: int = 7) -> bytes:
    """Return the message of `plaintext`, given to the Sealer in pieces of `pieces` bytes."""
    sealer = Sealer(DATA_KEY, KEYS, context or {}, frame_length)
    message = bytearray(sealer.header)
    for start in range(0, len(plaintext), pieces):
        for frame in sealer.update(plaintext[start : start + pieces]):
            message += frame
    return bytes(message + sealer.finish())


def unseal(message: bytes, data_key: bytes = DATA_KEY, pieces: int = 11) -> bytes:
    """Return the plaintext of a whole message, given to the Reader in pieces; raises FormatError, TamperedError."""
    header = parse_header(message)
    reader = Reader(Opener(header, data_key))
    plaintext = bytearray()
    for start in range(header.length, len(message), pieces):
        for frame in reader.feed(message[start : start + pieces]):
            plaintext += frame
    reader.finish()
    return bytes(plaintext)


def frames(message: bytes) -> list[bytes]:
    """Return the stored frames of a message, the final one last."""
    header = parse_header(message)
    size = header.frame_length + 32
    found, offset = [], header.length
    while message[offset : offset + 4] != b"\xff\xff\xff\xff":
        found.append(message[offset : offset + size])
        offset += size
    return [*found, message[offset:]]
