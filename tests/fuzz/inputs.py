"""Random requests to KMS: made of the service model, half right, and then spoilt.

Everything follows from the seed of one `random.Random`, so that a finding can be made again.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fuin.kms.model.service import service_model

TEXTS = (
    "", " ", "a", "\x00", "é漢\U0001f511", "\ufffd", "\ud800", "${aws:username}", "../../etc/passwd", "%s%n", "{}",
    "alias/", "alias/aws/s3", "arn:aws:kms:us-east-1:123456789012:key/", "arn:aws:kms:::", "arn:" + ":" * 9, "mrk-",
    "1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab", "x" * 255, "y" * 2049, "z" * 70_000,
)  # fmt: skip
NUMBERS = (
    -(2**63), -1, 0, 1, 6, 7, 30, 31, 89, 90, 365, 1024, 1025, 2560, 2561, 2**31, 2**63, 2**64, 10**40, 0.5, 1e308,
)  # fmt: skip
JUNK: tuple[Any, ...] = (None, True, False, [], {}, [None], {"": None}, [[[]]], "text", 1, {"a": {"b": {}}})
LENGTHS = (0, 1, 16, 28, 32, 48, 64, 129, 130, 131, 256, 4096, 6145)
BODIES = (b"", b"null", b"[]", b'"text"', b"0", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00")
# Making these may take longer than a second; that is known, and not what is looked for.
SLOW_TO_MAKE = frozenset({"RSA_3072", "RSA_4096"})
# What ends or hides a key: asked mostly of keys that nothing else needs.
HARMFUL = frozenset({
    "DeleteAlias", "DeleteImportedKeyMaterial", "DisableKey", "PutKeyPolicy", "RetireGrant", "RevokeGrant",
    "ScheduleKeyDeletion", "UpdateAlias", "UpdatePrimaryRegion", "UntagResource",
})  # fmt: skip
MAKING = frozenset({"CreateAlias", "CreateCustomKeyStore", "CreateGrant", "CreateKey", "ReplicateKey"})


@dataclass
class Pool:
    """What exists and can be named: key ids, ARNs and aliases, ciphertexts, tokens."""

    keys: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    import_tokens: list[bytes] = field(default_factory=list)
    grant_tokens: list[str] = field(default_factory=list)
    grant_ids: list[str] = field(default_factory=list)


class Inputs:
    """An endless source of requests: the operation and a body."""

    def __init__(self, pool: Pool, seed: int, operations: list[str]) -> None:
        self._pool = pool
        self._random = Random(seed)
        self._operations = [name for name in operations for _ in range(1 if name in MAKING else 20)]

    def next(self) -> tuple[str, bytes]:
        """Return an operation's name and the bytes of a body for it."""
        name = self._random.choice(self._operations)
        shape = service_model().operation_model(name).input_shape
        given = {} if shape is None else self._structure(shape, name)
        body = json.dumps(given).encode()
        if self._random.random() < 0.2:
            body = self._spoilt(body)
        return name, body

    def _structure(self, shape: Any, operation: str) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, member in shape.members.items():
            wanted = 0.97 if name in shape.required_members else 0.3
            if self._random.random() < wanted:
                given[name] = self._value(name, member, operation)
        return given

    def _value(self, name: str, shape: Any, operation: str) -> Any:
        if self._random.random() < 0.03:
            return self._random.choice(JUNK)
        match shape.type_name:
            case "structure":
                return self._structure(shape, operation)
            case "list":
                return [self._value(name, shape.member, operation) for _ in range(self._few())]
            case "map":
                return {self._text(): self._text() for _ in range(self._few())}
            case "integer" | "long":
                return self._random.choice(NUMBERS)
            case "boolean":
                return self._random.random() < 0.5
            case "timestamp":
                return self._random.choice((*NUMBERS, 1.8e9, "2026-11-23T00:00:00Z"))
            case "blob":
                return self._blob(name)
        return self._string(name, shape, operation)

    def _string(self, name: str, shape: Any, operation: str) -> Any:
        chance = self._random.random()
        enum = shape.metadata.get("enum")
        if enum and chance < 0.9:
            return self._random.choice([value for value in enum if value not in SLOW_TO_MAKE])
        if "KeyId" in name and chance < 0.8:
            spare = operation in HARMFUL and self._random.random() < 0.97
            return self._random.choice(self._pool.spare if spare else self._pool.keys)
        if name == "GrantId" and self._pool.grant_ids and chance < 0.8:
            return self._random.choice(self._pool.grant_ids)
        if "GrantToken" in name and self._pool.grant_tokens and chance < 0.9:
            token = self._random.choice(self._pool.grant_tokens)
            return token if chance < 0.3 else self.changed(token.encode()).decode("latin-1")
        return self._text()

    def _text(self) -> str:
        if self._random.random() < 0.5:
            return self._random.choice(TEXTS[:-3])
        if self._random.random() < 0.02:
            return self._random.choice(TEXTS)
        return "".join(chr(self._random.randrange(32, 0x2FF)) for _ in range(self._random.randrange(12)))

    def _blob(self, name: str) -> str:
        chance = self._random.random()
        known = self._pool.import_tokens if name == "ImportToken" else self._pool.blobs
        if known and chance < 0.2:
            raw = self._random.choice(known)
        elif known and chance < 0.8:
            raw = self.changed(self._random.choice(known))
        else:
            raw = self._random.randbytes(self._random.choice(LENGTHS))
        text = base64.b64encode(raw).decode()
        return text if chance < 0.97 else text[:-1] + "\n"

    def changed(self, raw: bytes) -> bytes:
        """Return bytes that are a few changes away from `raw`."""
        data = bytearray(raw)
        for _ in range(1 + self._few()):
            place = self._random.randrange(len(data) + 1)
            match self._random.randrange(5):
                case 0 if place < len(data):
                    data[place] ^= 1 << self._random.randrange(8)
                case 1:
                    del data[place : place + self._few()]
                case 2:
                    data[place:place] = self._random.randbytes(self._few())
                case 3:
                    del data[place:]
                case _ if place < len(data):
                    data[place] = self._random.choice((0, 1, 2, 127, 128, 255))
        return bytes(data)

    def _few(self) -> int:
        return int(self._random.random() ** 3 * 12)

    def _spoilt(self, body: bytes) -> bytes:
        match self._random.randrange(8):
            case 0:
                depth = self._random.choice((10, 1000, 100_000))
                return b'{"KeyId":' + b"[" * depth + b"]" * (depth if self._random.random() < 0.5 else 0) + b"}"
            case 1:
                return body.replace(b":", b":" + self._random.choice((b"NaN", b"-Infinity", b"1e999", b'"\\ud800"')), 1)
            case 2:
                return body[:-1] + b"," + body[1:]  # every member twice
            case 3:
                return self._random.choice(BODIES)
            case 4:
                return body.decode().encode("utf-16")
            case _:
                return self.changed(body)
