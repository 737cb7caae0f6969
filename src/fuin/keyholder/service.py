"""What each request does: its fields, the operation, and the audit record that every use of a key leaves.

A request gives a `Reply`: the status and fields of the answer, and the uses to be recorded before it may leave.
"""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fuin.audit.log import Log, Use
from fuin.errors import FormatError, FuinError, MaterialDamaged, TamperedError
from fuin.formats import record, wrapped
from fuin.keyholder.opcodes import Opcode, Status
from fuin.keyholder.software import OpenMaterial, Software

_U32 = struct.Struct(">I")
_NOTHING: tuple[Use, ...] = ()
_OK = int(Status.OK)
_tuple = tuple.__new__  # makes a named tuple in half the time of its own constructor, twice for every request

KeyUse = Callable[[OpenMaterial, list[bytes]], list[bytes]]  # an operation with a key: its material, the fields


class Reply(NamedTuple):
    """The answer to a request; with `uses` it leaves only after they are durable."""

    status: int
    fields: Sequence[bytes]
    uses: Sequence[Use]


# What an error of an operation means to the caller and in the record. Order matters: the first that fits.
_FAILURES: tuple[tuple[type[Exception], Status, int], ...] = (
    (MaterialDamaged, Status.DAMAGED, record.DAMAGED),
    (TamperedError, Status.TAMPERED, record.TAMPERED),
    (FormatError, Status.INVALID, record.INVALID),
    (Exception, Status.UNAVAILABLE, record.FAILED),
)


class Service:
    """Answers requests; it knows the backend and the log's position, no socket and no file."""

    def __init__(self, backend: Software, log: Log, public_key: bytes) -> None:
        self._backend = backend
        self._log = log
        self._public_key = public_key
        # Uses of existing key material: first field the material, last field the draft.
        self._uses: dict[int, tuple[int, int, KeyUse]] = {
            Opcode.DATA_KEY: (4, record.DATA_KEY, self._data_key),
            Opcode.DATA_KEY_WITHOUT_PLAINTEXT: (4, record.DATA_KEY_WITHOUT_PLAINTEXT, self._data_key_blob),
            Opcode.ENCRYPT: (4, record.ENCRYPT, self._encrypt),
            Opcode.DECRYPT: (4, record.DECRYPT, self._decrypt),
        }
        self._others: dict[int, tuple[int, Callable[[list[bytes]], Reply]]] = {
            Opcode.CREATE_MATERIAL: (3, self._create_material),
            Opcode.RE_ENCRYPT: (7, self._re_encrypt),
            Opcode.RANDOM: (2, self._random),
            Opcode.RECORD: (1, self._record),
            Opcode.NEW_SECRET: (1, self._new_secret),
            Opcode.SEAL_SECRET: (2, self._seal_secret),
            Opcode.SIGNING_KEY: (5, self._signing_key),
            Opcode.FORGET: (1, self._forget),
            Opcode.STATUS: (0, self._status),
        }

    def handle(self, code: int, fields: list[bytes]) -> Reply:
        """Return the reply to a request; an error of one request is its answer, and never ends the process."""
        entry = self._uses.get(code)
        if entry is not None:
            count, use, operation = entry
            if len(fields) != count:
                return _wrong("a request with a wrong number of fields")
            return self._keyed(use, fields[0], fields[-1], operation, fields)
        other = self._others.get(code)
        if other is None:
            return _wrong("a request that this keyholder does not know")
        if len(fields) != other[0]:
            return _wrong("a request with a wrong number of fields")
        try:
            return other[1](fields)
        except Exception as error:  # whatever it is, it is this request's own
            return _failed(error)

    def _keyed(self, use: int, encoded: bytes, draft: bytes, operation: KeyUse, fields: list[bytes]) -> Reply:
        """Open material, do the operation, and record it under the material's names, whatever came of it."""
        try:
            material = self._backend.material(encoded)
        except Exception as error:
            return _failed(error, use, *_names(encoded), draft)
        try:
            answer = operation(material, fields)
        except Exception as error:
            return _failed(error, use, material.name, material.material_id, draft)
        done = _tuple(Use, (use, record.DONE, material.name, material.material_id, draft))
        return _tuple(Reply, (_OK, answer, (done,)))

    def _data_key(self, material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
        plaintext = self._backend.random(_number(fields[2]))
        return [plaintext, self._backend.encrypt(material, fields[1], plaintext)]

    def _data_key_blob(self, material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
        return self._data_key(material, fields)[1:]

    def _encrypt(self, material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
        return [self._backend.encrypt(material, fields[1], fields[2])]

    def _decrypt(self, material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
        return [self._backend.decrypt(material, fields[1], fields[2])]

    def _re_encrypt(self, fields: list[bytes]) -> Reply:
        source, source_context, blob, target, target_context, draft, target_draft = fields
        opened = self._keyed(
            record.RE_ENCRYPT_FROM, source, draft, self._decrypt, [source, source_context, blob]
        )  # fmt: skip
        if opened.status != Status.OK:
            return opened
        sealed = self._keyed(
            record.RE_ENCRYPT_TO, target, target_draft, self._encrypt, [target, target_context, opened.fields[0]]
        )  # fmt: skip
        return Reply(sealed.status, sealed.fields, (*opened.uses, *sealed.uses))

    def _create_material(self, fields: list[bytes]) -> Reply:
        key_id, spec, draft = fields[0].decode("ascii", "replace"), fields[1].decode("ascii", "replace"), fields[2]
        try:
            material = self._backend.create_material(key_id, spec)
        except FuinError as error:
            return _failed(error, record.CREATE_MATERIAL, "", b"", draft)
        use = Use(record.CREATE_MATERIAL, record.DONE, key_id, material.material_id, draft)
        return Reply(Status.OK, [material.encoded], (use,))

    def _random(self, fields: list[bytes]) -> Reply:
        try:
            data = self._backend.random(_number(fields[0]))
        except FuinError as error:
            return _failed(error, record.RANDOM, "", b"", fields[1])
        return Reply(Status.OK, [data], (Use(record.RANDOM, record.DONE, "", b"", fields[1]),))

    def _record(self, fields: list[bytes]) -> Reply:
        return Reply(Status.OK, (), (Use(record.NOTE, record.DONE, "", b"", fields[0]),))

    def _new_secret(self, fields: list[bytes]) -> Reply:
        return Reply(Status.OK, self._backend.new_secret(_text(fields[0])), _NOTHING)

    def _seal_secret(self, fields: list[bytes]) -> Reply:
        return Reply(Status.OK, [self._backend.seal_secret(_text(fields[0]), fields[1])], _NOTHING)

    def _signing_key(self, fields: list[bytes]) -> Reply:
        sealed, access_key_id, date, region, service = fields
        key = self._backend.signing_key(sealed, _text(access_key_id), (date, region, service))
        return Reply(Status.OK, [key], _NOTHING)

    def _forget(self, fields: list[bytes]) -> Reply:
        self._backend.forget(_text(fields[0]))
        return Reply(Status.OK, (), _NOTHING)

    def _status(self, fields: list[bytes]) -> Reply:
        position = self._log.position
        return Reply(Status.OK, [position.sequence.to_bytes(8, "big"), position.head, self._public_key], _NOTHING)


def _wrong(text: str) -> Reply:
    return Reply(Status.INVALID, [text.encode()], _NOTHING)


def _failed(
    error: Exception, use: int | None = None, key_id: str = "", material_id: bytes = b"", draft: bytes = b""
) -> Reply:
    """Return the reply to a failed request, recorded where it was a use; only our own texts are safe to show."""
    status, outcome = next((status, outcome) for kind, status, outcome in _FAILURES if isinstance(error, kind))
    text = str(error) if isinstance(error, FuinError) else "the keyholder failed"
    uses = _NOTHING if use is None else (Use(use, outcome, key_id, material_id, draft),)
    return Reply(status, [text.encode()], uses)


def _names(encoded: bytes) -> tuple[str, bytes]:
    """Return the key id and material id that a request speaks of, as far as they can be read."""
    try:
        material = wrapped.parse_material(encoded)
    except FormatError:
        return "", b""
    return material.key_id, material.material_id


def _number(field: bytes) -> int:
    if len(field) != 4:
        raise FormatError("a length of another size than four bytes")
    return int(_U32.unpack(field)[0])


def _text(field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise FormatError("an identifier that is not UTF-8") from None
