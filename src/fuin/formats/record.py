"""Audit records: one use of a key, or one note of the keyholder, as bytes in a hash chain.

Page: docs/formats/audit-record.md. A segment file is a header followed by entries; an entry is `u32 length | record |
SHA-256 chain hash`. The hash covers a label, the hash before it and the record, so no record can be changed, removed,
moved or added without every later hash changing; a checkpoint record signs the chain so far.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from fuin.errors import FormatError

VERSION = 1
LIMIT = 2 * 1024 * 1024  # bytes of one record
ZERO = bytes(32)  # the hash before the first record
ENTRY_OVERHEAD = 36  # bytes of an entry beside its record: the length and the hash

# The uses. Their numbers stay for ever; a number that is not here is shown as "use-N".
CREATE_MATERIAL, DATA_KEY, DATA_KEY_WITHOUT_PLAINTEXT, ENCRYPT, DECRYPT = 1, 2, 3, 4, 5
RE_ENCRYPT_FROM, RE_ENCRYPT_TO, RANDOM, NOTE = 6, 7, 8, 9
SIGN, VERIFY, GENERATE_MAC, VERIFY_MAC, DERIVE_SHARED_SECRET, ENCAPSULATE, DECAPSULATE = 10, 11, 12, 13, 14, 15, 16
GET_PUBLIC_KEY, DATA_KEY_PAIR, DATA_KEY_PAIR_WITHOUT_PLAINTEXT, IMPORT_MATERIAL = 17, 18, 19, 20
OPENED, RECOVERED, CHECKPOINT = 0xF0, 0xF1, 0xF2
USES = {
    CREATE_MATERIAL: "create-material",
    DATA_KEY: "data-key",
    DATA_KEY_WITHOUT_PLAINTEXT: "data-key-without-plaintext",
    ENCRYPT: "encrypt",
    DECRYPT: "decrypt",
    RE_ENCRYPT_FROM: "re-encrypt-from",
    RE_ENCRYPT_TO: "re-encrypt-to",
    RANDOM: "random",
    NOTE: "record",
    SIGN: "sign",
    VERIFY: "verify",
    GENERATE_MAC: "generate-mac",
    VERIFY_MAC: "verify-mac",
    DERIVE_SHARED_SECRET: "derive-shared-secret",
    ENCAPSULATE: "encapsulate",
    DECAPSULATE: "decapsulate",
    GET_PUBLIC_KEY: "get-public-key",
    DATA_KEY_PAIR: "data-key-pair",
    DATA_KEY_PAIR_WITHOUT_PLAINTEXT: "data-key-pair-without-plaintext",
    IMPORT_MATERIAL: "import-material",
    OPENED: "opened",
    RECOVERED: "recovered",
    CHECKPOINT: "checkpoint",
}

# The uses that count as a key's last one, by AWS's names for them: KeyLastUsageTrackingOperation.
TRACKED_OPERATIONS = {
    DATA_KEY: "GenerateDataKey",
    DATA_KEY_WITHOUT_PLAINTEXT: "GenerateDataKeyWithoutPlaintext",
    ENCRYPT: "Encrypt",
    DECRYPT: "Decrypt",
    RE_ENCRYPT_FROM: "ReEncrypt",
    RE_ENCRYPT_TO: "ReEncrypt",
    SIGN: "Sign",
    VERIFY: "Verify",
    GENERATE_MAC: "GenerateMac",
    VERIFY_MAC: "VerifyMac",
    DERIVE_SHARED_SECRET: "DeriveSharedSecret",
    ENCAPSULATE: "Encapsulate",
    DECAPSULATE: "Decapsulate",
    DATA_KEY_PAIR: "GenerateDataKeyPair",
    DATA_KEY_PAIR_WITHOUT_PLAINTEXT: "GenerateDataKeyPairWithoutPlaintext",
}

DONE, INVALID, TAMPERED, DAMAGED, FAILED = 0, 1, 2, 3, 4
OUTCOMES = {DONE: "ok", INVALID: "invalid", TAMPERED: "tampered", DAMAGED: "damaged", FAILED: "failed"}

_CHAIN_LABEL = b"fuin audit chain v1\x00"
_SIGNATURE_LABEL = b"fuin audit checkpoint v1\x00"
_FIXED = struct.Struct(">BQQBB")  # version, sequence, time, use, outcome
_HEAD = struct.Struct(">BQQBBB")  # the same, and the length of the key id
_U32 = struct.Struct(">I")
_U8 = tuple(bytes((number,)) for number in range(256))
_MARK = b"fuin checkpoint\x00"
_CHECKPOINT = struct.Struct(">16sQ32s64s")  # mark, sequence, head, signature
_SEGMENT = struct.Struct(">24sQ32s")  # magic, sequence of the first record, hash before it
_MAGIC = b"fuin audit segment v1\n\x00\x00"
SEGMENT_HEADER_LENGTH = _SEGMENT.size


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `time` is nanoseconds since 1970, `use` and `outcome` are the numbers above.

    `draft` is the caller's JSON, which the keyholder reads for last uses only; a checkpoint has its signature there.
    """

    sequence: int
    time: int
    use: int
    outcome: int
    key_id: str
    material_id: bytes
    draft: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: the record of number `sequence` has the chain hash `head`."""

    sequence: int
    head: bytes
    signature: bytes


def encode(record: Record) -> bytes:
    """Return the bytes of a record; raises FormatError if a part is too long for the format."""
    return encode_parts(
        record.sequence, record.time, record.use, record.outcome, record.key_id, record.material_id, record.draft
    )  # fmt: skip


def encode_parts(
    sequence: int, time: int, use: int, outcome: int, key_id: str, material_id: bytes, draft: bytes
) -> bytes:
    """Return the bytes of a record from its parts, as the log needs them; raises FormatError like `encode`."""
    key = key_id.encode()
    if len(key) > 255 or len(material_id) > 255:
        raise FormatError("an id of an audit record is too long")
    data = b"".join((
        _HEAD.pack(VERSION, sequence, time, use, outcome, len(key)), key,
        _U8[len(material_id)], material_id,
        _U32.pack(len(draft)), draft,
    ))  # fmt: skip
    if len(data) > LIMIT:
        raise FormatError("an audit record is too long")
    return data


def parse(data: bytes) -> Record:
    """Return the record of its bytes; raises FormatError on any other bytes."""
    try:
        version, sequence, time, use, outcome = _FIXED.unpack_from(data)
        at = _FIXED.size
        key_id = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        material_id = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        end = at + 4 + _U32.unpack_from(data, at)[0]
        text = key_id.decode()
    except (struct.error, IndexError, UnicodeDecodeError):
        raise FormatError("not an audit record") from None
    if version != VERSION or end != len(data):
        raise FormatError("not an audit record of a known version and its own length")
    return Record(sequence, time, use, outcome, text, material_id, data[at + 4 :])


def chain_entry(
    previous: bytes, sequence: int, time: int, use: int, outcome: int, key_id: str, material_id: bytes, draft: bytes
) -> tuple[bytes, bytes, bytes]:
    """Return the parts of the entry of a record after the one whose hash is `previous`: length, record, chain hash.

    It is `encode_parts`, `link` and `entry` in one, for the log, which needs it for every use of a key and joins many.
    """
    data = encode_parts(sequence, time, use, outcome, key_id, material_id, draft)
    return _U32.pack(len(data)), data, hashlib.sha256(_CHAIN_LABEL + previous + data).digest()


def link(previous: bytes, data: bytes) -> bytes:
    """Return the chain hash of a record's bytes after the record whose hash is `previous`."""
    return hashlib.sha256(_CHAIN_LABEL + previous + data).digest()


def entry(data: bytes, chain_hash: bytes) -> bytes:
    """Return the bytes of a record's entry in a segment."""
    return _U32.pack(len(data)) + data + chain_hash


def signed_bytes(sequence: int, head: bytes) -> bytes:
    """Return the bytes that a checkpoint's signature covers."""
    return _SIGNATURE_LABEL + struct.pack(">Q32s", sequence, head)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the draft of a checkpoint record; it starts with a mark that can be found in the file."""
    return _CHECKPOINT.pack(_MARK, checkpoint.sequence, checkpoint.head, checkpoint.signature)


def parse_checkpoint(draft: bytes) -> Checkpoint:
    """Return the checkpoint of a checkpoint record's draft; raises FormatError."""
    if len(draft) != _CHECKPOINT.size or not draft.startswith(_MARK):
        raise FormatError("not a checkpoint")
    return Checkpoint(*_CHECKPOINT.unpack(draft)[1:])


def checkpoints_in(data: bytes) -> list[Checkpoint]:
    """Return everything in `data` that looks like the draft of a whole checkpoint entry, at any place.

    It is for a damaged tail, whose entries can no longer be separated. A result proves nothing before its signature is
    checked.
    """
    found: list[Checkpoint] = []
    at = data.find(_MARK)
    while at >= 0 and at + _CHECKPOINT.size + len(ZERO) <= len(data):
        found.append(parse_checkpoint(data[at : at + _CHECKPOINT.size]))
        at = data.find(_MARK, at + 1)
    return found


def encode_segment_header(first: int, previous: bytes) -> bytes:
    """Return the header of a segment whose first record has the number `first` and follows the hash `previous`."""
    return _SEGMENT.pack(_MAGIC, first, previous)


def parse_segment_header(data: bytes) -> tuple[int, bytes]:
    """Return a segment's first sequence number and the chain hash before it; raises FormatError."""
    if len(data) < _SEGMENT.size or not data.startswith(_MAGIC):
        raise FormatError("not an audit segment")
    _, first, previous = _SEGMENT.unpack_from(data)
    return first, previous
