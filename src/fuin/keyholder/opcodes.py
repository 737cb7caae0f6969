"""The requests a keyholder answers, and the statuses it answers with; the numbers of both stay for ever.

Page: docs/formats/keyholder-frames.md, which says the fields of each request and answer.
"""

from enum import IntEnum


class Opcode(IntEnum):
    """What a request asks for. None of them returns key material of a KMS key.

    A `parameter` is the encoded encryption context for SYMMETRIC_DEFAULT material, and the name of the encryption
    algorithm for RSA material.
    """

    CREATE_MATERIAL = 1  # key id, spec, draft -> encoded material
    DATA_KEY = 2  # material, context, u32 length, draft -> plaintext, blob
    DATA_KEY_WITHOUT_PLAINTEXT = 3  # material, context, u32 length, draft -> blob
    ENCRYPT = 4  # material, parameter, plaintext, draft -> blob
    DECRYPT = 5  # material, parameter, blob, draft -> plaintext
    RE_ENCRYPT = 6  # source material, its parameter, blob, target material, its parameter, two drafts -> blob
    RANDOM = 7  # u32 length, draft -> bytes
    RECORD = 8  # draft ->
    NEW_SECRET = 16  # access key id -> secret access key, its sealed form
    SEAL_SECRET = 17  # access key id, secret access key -> its sealed form
    SIGNING_KEY = 18  # sealed form, access key id, date, region, service -> Signature V4 signing key
    FORGET = 19  # key id ->
    STATUS = 20  # -> u64 sequence, head hash, audit public key, u8 whether the log takes records
    SIGN = 24  # material, algorithm, message type, message, draft -> signature
    VERIFY = 25  # material, algorithm, message type, message, signature, draft ->
    GENERATE_MAC = 26  # material, algorithm, message, draft -> mac
    VERIFY_MAC = 27  # material, algorithm, message, mac, draft ->
    DERIVE_SHARED_SECRET = 28  # material, public key of the peer, draft -> secret
    ENCAPSULATE = 29  # material, draft -> secret, ciphertext
    DECAPSULATE = 30  # material, ciphertext, draft -> secret
    PUBLIC_KEY = 31  # material, draft -> public key
    DATA_KEY_PAIR = 32  # material, context, pair spec, draft -> private key, public key, blob
    DATA_KEY_PAIR_WITHOUT_PLAINTEXT = 33  # material, context, pair spec, draft -> public key, blob
    IMPORT_PARAMETERS = 34  # scope, wrapping key spec, u64 expiry -> public key, token
    IMPORT_MATERIAL = 35  # key id, spec, scope, token, wrapping algorithm, encrypted, draft -> encoded material
    LAST_USE = 36  # key id, region -> u64 tracking start; and if there is one, u64 time, u8 use, request id
    NEW_SESSION = 40  # access key id, u64 expiry, claims -> secret access key, session token
    SESSION_SIGNING_KEY = 41  # token, access key id, date, region, service -> signing key, claims, u64 expiry


class Status(IntEnum):
    """How a request ended; every status but OK comes with one field, a text that is safe to show."""

    OK = 0
    INVALID = 1  # the request itself is wrong: a length, a form, an opcode that does not exist
    TAMPERED = 2  # the blob, the signature, the MAC does not hold with this key and parameter
    DAMAGED = 3  # wrapped material or a sealed secret does not open under the root key
    UNAVAILABLE = 4  # the record could not be written, so there is no answer
    EXPIRED = 5  # an import token is genuine, and its time is over
    SESSION_EXPIRED = 6  # a session token is genuine, and its time is over
