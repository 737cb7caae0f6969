"""The parsers alone, in this process: JSON bodies, ciphertext blobs, import tokens, grant tokens.

Nothing is signed, decided or recorded here, so millions of inputs take minutes. Each must be taken, or refused with the
one error that its parser has.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from fuin.errors import Fault, FormatError, FuinError, TamperedError
from fuin.formats import blob, context, grant_token, wrapped
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.backends.software.importing import Importer, new_wrapping_key
from fuin.keyholder.sealed.root_key import RootKey
from fuin.kms.operations import OPERATIONS
from tests.fuzz.inputs import Inputs, Pool

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
SCOPE = b"scope"
SLOW = 0.25  # seconds of one call; the longest body is a megabyte


@dataclass
class Parsed:
    """What a run has seen; a finding is what was parsed, the input, and what came of it."""

    count: int = 0
    taken: int = 0
    slowest: float = 0.0
    findings: list[tuple[str, bytes, str]] = field(default_factory=list)


class Parsers:
    """The parsers, each with genuine values to spoil."""

    def __init__(self, seed: int) -> None:
        root = RootKey(bytearray(os.urandom(32)))
        backend, self._importer = SoftwareBackend(root), Importer(root)
        material = backend.material(backend.seal_material(KEY_ID, "SYMMETRIC_DEFAULT", bytearray(32)).encoded)
        inner = material.encrypt(context.EMPTY, b"plain")
        outer = blob.encode_external(blob.ExternalBlob(KEY_ID, material.material_id, b"m", bytes(12), bytes(16), inner))
        tokens = [self._importer.token(SCOPE, 2**40, new_wrapping_key("RSA_2048").private)]
        grants = [grant_token.encode(os.urandom(32), os.urandom(grant_token.UNIQUE_LENGTH))]
        pool = Pool([KEY_ID], [KEY_ID], [inner, outer], tokens, grants, ["0" * 64])
        self._inputs = Inputs(pool, seed, sorted(OPERATIONS))
        self._random = Random(seed)
        material_of = wrapped.Material(KEY_ID, bytes(32), "S", bytes(130))
        self._genuine = (*pool.blobs, *tokens, grants[0].encode(), material_of.encoded)
        self._parsers: tuple[Callable[[bytes], object], ...] = (
            blob.parse_ids, blob.parse, blob.parse_external, wrapped.parse_material, wrapped.parse, context.decode,
            lambda data: grant_token.decode(data.decode("latin-1")),
            lambda data: self._importer.wrapping_key(SCOPE, data, 0.0),
        )  # fmt: skip

    def run(self, count: int) -> Parsed:
        """Give `count` inputs to the parsers: half of them bodies, half of them bytes."""
        seen = Parsed()
        while seen.count < count:
            name, body = self._inputs.next()
            self._one(seen, name, OPERATIONS[name].decode, body)
            data = self._inputs.changed(self._random.choice(self._genuine))
            parse = self._parsers[seen.count % len(self._parsers)]
            self._one(seen, getattr(parse, "__qualname__", "parser"), parse, data)
        return seen

    def _one(self, seen: Parsed, name: str, parse: Callable[[bytes], object], data: bytes) -> None:
        seen.count += 1
        began = time.thread_time()
        try:
            parse(data)
            seen.taken += 1
        except (Fault, FormatError, TamperedError):
            pass
        except FuinError as error:
            seen.findings.append((name, data, repr(error)))
        except Exception as error:  # what the edge would answer with a 500
            seen.findings.append((name, data, repr(error)))
        took = time.thread_time() - began
        seen.slowest = max(seen.slowest, took)
        if took > SLOW:
            seen.findings.append((name, data, f"{took:.2f} s"))
