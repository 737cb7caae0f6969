"""The statuses that a keyholder answers with; their numbers stay for ever. Page: docs/formats/keyholder-frames.md."""

from enum import IntEnum


class Status(IntEnum):
    """How a request ended; every status but OK comes with one field, a text that is safe to show."""

    OK = 0
    INVALID = 1  # the request itself is wrong: a length, a form, an opcode that does not exist
    TAMPERED = 2  # the blob, the signature or the MAC does not hold with this key and parameter
    DAMAGED = 3  # wrapped material or a sealed secret does not open under the root key
    UNAVAILABLE = 4  # the record could not be written, so there is no answer
    EXPIRED = 5  # an import token is genuine, but its time is over
    SESSION_EXPIRED = 6  # a session token is genuine, but its time is over
