"""The table of the keyholder's requests, read by both ends of the socket and by docs/formats/keyholder-frames.md.

A row says the request's opcode (which stays for ever), its fields and those of its answer, the uses that its record
says, and where it is done when it takes long. No row returns key material of a KMS key.

The client gives the values of a row's fields in order, and the service takes them in the same order. `python -m
fuin.keyholder.wire.page docs/formats/keyholder-frames.md` writes the page's table; a test holds both equal.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from fuin.formats import record
from fuin.keyholder.wire.codecs import Field, convert, decoders, encoders, flag, octets, text, u8, u32, u64

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOW_SPECS = frozenset(("RSA_2048", "RSA_3072", "RSA_4096"))  # specs of keys that take up to seconds to make


class Pace(Enum):
    """Where a request is done; the value is what the page says."""

    IN_THE_TURN = ""
    SLOW_BY_MATERIAL = "in the queue of slow operations, for RSA and ML-DSA material"
    KEY_MAKER_BY_SPEC = "in the key maker thread, for RSA specs"
    KEY_MAKER = "in the key maker thread"


class RequestType:
    """One row of the table, with the conversions of its fields and of its answer's made ready."""

    __slots__ = (
        "_answer_decoders", "_answer_encoders", "answer", "code", "count", "decoders", "encoders", "fields", "name",
        "pace", "uses",
    )  # fmt: skip

    def __init__(
        self,
        code: int,
        name: str,
        fields: Sequence[Field],
        answer: Sequence[Field] = (),
        uses: Sequence[int] = (),
        pace: Pace = Pace.IN_THE_TURN,
    ) -> None:
        self.code, self.name, self.fields, self.answer = code, name, tuple(fields), tuple(answer)
        self.uses, self.pace, self.count = tuple(uses), pace, len(fields)
        self.encoders, self.decoders = encoders(fields), decoders(fields)
        self._answer_encoders, self._answer_decoders = encoders(answer), decoders(answer)

    def is_for_key_maker(self, spec: str) -> bool:
        """Return whether the key maker thread does the request, for a key spec."""
        return self.pace is Pace.KEY_MAKER or (self.pace is Pace.KEY_MAKER_BY_SPEC and spec in SLOW_SPECS)

    def pack(self, values: Sequence[Any]) -> Sequence[bytes]:
        """Return the fields of the request's values; raises FormatError for a value that a field has no room for."""
        return convert(list(values), self.encoders) if self.encoders else values

    def unpack(self, fields: list[bytes]) -> list[Any]:
        """Convert the request's fields into its values, in place, and return them; raises FormatError."""
        return convert(fields, self.decoders) if self.decoders else fields

    def pack_answer(self, values: Sequence[Any]) -> Sequence[bytes]:
        """Return the fields of the answer's values."""
        return convert(list(values), self._answer_encoders) if self._answer_encoders else values

    def unpack_answer(self, fields: list[bytes]) -> list[Any]:
        """Convert the answer's fields into its values, in place, and return them; raises FormatError."""
        return convert(fields, self._answer_decoders) if self._answer_decoders else fields

    def __repr__(self) -> str:
        return f"Request({self.code}, {self.name!r})"


# Fields of several requests. A parameter is the encoded encryption context for SYMMETRIC_DEFAULT material, and the
# name of the encryption algorithm for RSA material.
_KEY_ID, _SPEC, _ACCESS_KEY_ID, _ALGORITHM = text("key id"), text("spec"), text("access key id"), text("algorithm")
_MATERIAL, _CONTEXT, _PARAMETER, _BLOB = octets("material"), octets("context"), octets("parameter"), octets("blob")
_DRAFT, _LENGTH, _MESSAGE, _MESSAGE_TYPE = octets("draft"), u32("length"), octets("message"), text("message type")
_SIGNING_SCOPE = (text("date"), text("region"), text("service"))
_PAIR_BLOB, _PUBLIC_KEY = octets("blob of the private key"), octets("public key")
_SIGNING_KEY, _SECRET, _SEALED_SECRET = octets("signing key"), octets("secret access key"), octets("its sealed form")
_SESSION_TOKEN, _IMPORT_TOKEN = octets("session token", "session-token.md"), octets("import token", "import-token.md")

CREATE_MATERIAL = RequestType(
    1, "create material", (_KEY_ID, _SPEC, _DRAFT), (_MATERIAL,), (record.CREATE_MATERIAL,), Pace.KEY_MAKER_BY_SPEC
)  # fmt: skip
DATA_KEY = RequestType(
    2, "data key", (_MATERIAL, _CONTEXT, _LENGTH, _DRAFT), (octets("plaintext"), _BLOB), (record.DATA_KEY,)
)  # fmt: skip
DATA_KEY_WITHOUT_PLAINTEXT = RequestType(
    3, "data key without plaintext", (_MATERIAL, _CONTEXT, _LENGTH, _DRAFT), (_BLOB,),
    (record.DATA_KEY_WITHOUT_PLAINTEXT,),
)  # fmt: skip
ENCRYPT = RequestType(
    4, "encrypt", (_MATERIAL, _PARAMETER, octets("plaintext"), _DRAFT), (_BLOB,), (record.ENCRYPT,)
)  # fmt: skip
DECRYPT = RequestType(
    5, "decrypt", (_MATERIAL, _PARAMETER, _BLOB, _DRAFT), (octets("plaintext"),), (record.DECRYPT,),
    Pace.SLOW_BY_MATERIAL,
)  # fmt: skip
RE_ENCRYPT = RequestType(
    6, "re-encrypt",
    (
        octets("source material"), octets("its parameter"), _BLOB, octets("target material"), octets("its parameter"),
        _DRAFT, octets("target draft"),
    ),
    (_BLOB,), (record.RE_ENCRYPT_FROM, record.RE_ENCRYPT_TO), Pace.SLOW_BY_MATERIAL,
)  # fmt: skip
RANDOM = RequestType(7, "random", (_LENGTH, _DRAFT), (octets("random bytes"),), (record.RANDOM,))
RECORD = RequestType(8, "record", (_DRAFT,), (), (record.NOTE,))
NEW_SECRET = RequestType(16, "new secret", (_ACCESS_KEY_ID,), (_SECRET, _SEALED_SECRET))
SEAL_SECRET = RequestType(17, "seal secret", (_ACCESS_KEY_ID, _SECRET), (_SEALED_SECRET,))
SIGNING_KEY = RequestType(
    18, "signing key", (octets("sealed secret access key"), _ACCESS_KEY_ID, *_SIGNING_SCOPE), (_SIGNING_KEY,)
)  # fmt: skip
FORGET = RequestType(19, "forget", (_KEY_ID,))
STATUS = RequestType(
    20, "status", (),
    (
        u64("sequence"), octets("head hash"), octets("audit public key"),
        flag("whether the log takes records"),
    ),
)  # fmt: skip
COPIED = RequestType(
    42, "copied", (u64("the last record with a copy"), flag("whether the copies are those of another log")),
    (u64("sequence"), octets("head hash"), flag("whether answers wait for copies")),
)  # fmt: skip
SIGN = RequestType(
    24, "sign", (_MATERIAL, _ALGORITHM, _MESSAGE_TYPE, _MESSAGE, _DRAFT), (octets("signature"),), (record.SIGN,),
    Pace.SLOW_BY_MATERIAL,
)  # fmt: skip
VERIFY = RequestType(
    25, "verify", (_MATERIAL, _ALGORITHM, _MESSAGE_TYPE, _MESSAGE, octets("signature"), _DRAFT), (), (record.VERIFY,)
)  # fmt: skip
GENERATE_MAC = RequestType(
    26, "generate MAC", (_MATERIAL, _ALGORITHM, _MESSAGE, _DRAFT), (octets("MAC"),), (record.GENERATE_MAC,)
)  # fmt: skip
VERIFY_MAC = RequestType(
    27, "verify MAC", (_MATERIAL, _ALGORITHM, _MESSAGE, octets("MAC"), _DRAFT), (), (record.VERIFY_MAC,)
)  # fmt: skip
DERIVE_SHARED_SECRET = RequestType(
    28, "derive shared secret", (_MATERIAL, octets("public key of the peer"), _DRAFT), (octets("secret"),),
    (record.DERIVE_SHARED_SECRET,),
)  # fmt: skip
ENCAPSULATE = RequestType(
    29, "encapsulate", (_MATERIAL, _DRAFT), (octets("secret"), octets("ciphertext")), (record.ENCAPSULATE,)
)  # fmt: skip
DECAPSULATE = RequestType(
    30, "decapsulate", (_MATERIAL, octets("ciphertext"), _DRAFT), (octets("secret"),), (record.DECAPSULATE,)
)  # fmt: skip
PUBLIC_KEY = RequestType(31, "public key", (_MATERIAL, _DRAFT), (_PUBLIC_KEY,), (record.GET_PUBLIC_KEY,))
DATA_KEY_PAIR = RequestType(
    32, "data key pair", (_MATERIAL, _CONTEXT, text("pair spec"), _DRAFT),
    (octets("private key"), _PUBLIC_KEY, _PAIR_BLOB), (record.DATA_KEY_PAIR,), Pace.KEY_MAKER_BY_SPEC,
)  # fmt: skip
DATA_KEY_PAIR_WITHOUT_PLAINTEXT = RequestType(
    33, "data key pair without plaintext", (_MATERIAL, _CONTEXT, text("pair spec"), _DRAFT),
    (_PUBLIC_KEY, _PAIR_BLOB), (record.DATA_KEY_PAIR_WITHOUT_PLAINTEXT,), Pace.KEY_MAKER_BY_SPEC,
)  # fmt: skip
IMPORT_PARAMETERS = RequestType(
    34, "import parameters", (octets("scope"), text("wrapping key spec"), u64("expiry in seconds")),
    (octets("public wrapping key"), _IMPORT_TOKEN), pace=Pace.KEY_MAKER,
)  # fmt: skip
IMPORT_MATERIAL = RequestType(
    35, "import material",
    (
        _KEY_ID, _SPEC, octets("scope"), _IMPORT_TOKEN, text("wrapping algorithm"), octets("encrypted material"),
        _DRAFT,
    ),
    (_MATERIAL,), (record.IMPORT_MATERIAL,), Pace.KEY_MAKER,
)  # fmt: skip
LAST_USE = RequestType(
    36, "last use", (_KEY_ID, text("region")),
    (
        u64("nanoseconds of the log's first record"), u64("nanoseconds of the last use", optional=True),
        u8("use", optional=True), octets("request id", "last-uses.md", optional=True),
    ),
)  # fmt: skip
NEW_SESSION = RequestType(
    40, "new session", (_ACCESS_KEY_ID, u64("end in seconds"), octets("claims")),
    (_SECRET, _SESSION_TOKEN),
)  # fmt: skip
SESSION_SIGNING_KEY = RequestType(
    41, "session signing key", (_SESSION_TOKEN, _ACCESS_KEY_ID, *_SIGNING_SCOPE),
    (_SIGNING_KEY, octets("claims"), u64("end in seconds")),
)  # fmt: skip

REQUESTS = (
    CREATE_MATERIAL, DATA_KEY, DATA_KEY_WITHOUT_PLAINTEXT, ENCRYPT, DECRYPT, RE_ENCRYPT, RANDOM, RECORD, NEW_SECRET,
    SEAL_SECRET, SIGNING_KEY, FORGET, STATUS, SIGN, VERIFY, GENERATE_MAC, VERIFY_MAC, DERIVE_SHARED_SECRET,
    ENCAPSULATE, DECAPSULATE, PUBLIC_KEY, DATA_KEY_PAIR, DATA_KEY_PAIR_WITHOUT_PLAINTEXT, IMPORT_PARAMETERS,
    IMPORT_MATERIAL, LAST_USE, NEW_SESSION, SESSION_SIGNING_KEY, COPIED,
)  # fmt: skip
