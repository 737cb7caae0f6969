"""What each request does: its fields, the operation, and the audit record that every use of a key leaves.

A request gives a `Reply`: the status and fields of the answer, and the uses to be recorded before it may leave. What
takes long gives a `Deferred` instead, which turns into the reply once it is made.
"""

import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fuin import ids
from fuin.audit.log import Log, Use
from fuin.errors import FormatError, FuinError, ImportTokenExpired, MaterialDamaged, SessionExpired, TamperedError
from fuin.formats import record, wrapped
from fuin.keyholder import importing, operations
from fuin.keyholder.importing import Imported, Importer
from fuin.keyholder.kinds.material import OpenMaterial, Pair
from fuin.keyholder.kinds.specs import SLOW, kind_of, make_material, make_pair
from fuin.keyholder.maker import attempt, given
from fuin.keyholder.memory import wipe
from fuin.keyholder.opcodes import Opcode, Status
from fuin.keyholder.operations import OPERATIONS, KeyUse, number, text
from fuin.keyholder.sessions import Sessions
from fuin.keyholder.software import Software, derived_signing_key, random_bytes
from fuin.keyholder.usage import LastUses

_NOTHING: tuple[Use, ...] = ()
_OK = int(Status.OK)
_tuple = tuple.__new__  # makes a named tuple in half the time of its own constructor, twice for every request

_U64 = struct.Struct(">Q")

Made = TypeVar("Made")


class Reply(NamedTuple):
    """The answer to a request; with `uses` it leaves only after they are durable."""

    status: int
    fields: Sequence[bytes]
    uses: Sequence[Use]


class Deferred(NamedTuple):
    """A reply that comes later: `work` may run in another thread, `finish` takes what it made, or the error it raised.

    `finish` does all that needs a KMS key, so a request that is given up before it used none and leaves no record.
    """

    work: Callable[[], object]
    finish: Callable[[Any], Reply]


# What an error of an operation means to the caller and in the record. Order matters: the first that fits.
_FAILURES: tuple[tuple[type[Exception], Status, int], ...] = (
    (ImportTokenExpired, Status.EXPIRED, record.INVALID),
    (SessionExpired, Status.SESSION_EXPIRED, record.INVALID),
    (MaterialDamaged, Status.DAMAGED, record.DAMAGED),
    (TamperedError, Status.TAMPERED, record.TAMPERED),
    (FormatError, Status.INVALID, record.INVALID),
    (Exception, Status.UNAVAILABLE, record.FAILED),
)


class Service:
    """Answers requests; it knows the backend and the log's position, no socket and no file."""

    def __init__(
        self,
        backend: Software,
        importer: Importer,
        sessions: Sessions,
        last_uses: LastUses,
        log: Log,
        public_key: bytes,
    ) -> None:
        self._backend = backend
        self._importer = importer
        self._sessions = sessions
        self._last_uses = last_uses
        self._log = log
        self._public_key = public_key
        self._operations = OPERATIONS
        self._others: dict[int, tuple[int, Callable[[list[bytes]], Reply | Deferred]]] = {
            Opcode.CREATE_MATERIAL: (3, self._create_material),
            Opcode.RE_ENCRYPT: (7, self._re_encrypt),
            Opcode.RANDOM: (2, self._random),
            Opcode.RECORD: (1, self._record),
            Opcode.NEW_SECRET: (1, self._new_secret),
            Opcode.SEAL_SECRET: (2, self._seal_secret),
            Opcode.SIGNING_KEY: (5, self._signing_key),
            Opcode.FORGET: (1, self._forget),
            Opcode.STATUS: (0, self._status),
            Opcode.DATA_KEY_PAIR: (4, self._data_key_pair),
            Opcode.DATA_KEY_PAIR_WITHOUT_PLAINTEXT: (4, self._data_key_pair_without_plaintext),
            Opcode.IMPORT_PARAMETERS: (3, self._import_parameters),
            Opcode.IMPORT_MATERIAL: (7, self._import_material),
            Opcode.LAST_USE: (2, self._last_use),
            Opcode.NEW_SESSION: (3, self._new_session),
            Opcode.SESSION_SIGNING_KEY: (5, self._session_signing_key),
        }

    def handle(self, code: int, fields: list[bytes]) -> Reply | Deferred:
        """Return the reply to a request; an error of one request is its answer, and never ends the process."""
        entry = self._operations.get(code)
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

    def _re_encrypt(self, fields: list[bytes]) -> Reply:
        source, parameter, blob, target, target_parameter, draft, target_draft = fields
        opened = self._keyed(record.RE_ENCRYPT_FROM, source, draft, operations.decrypt, [source, parameter, blob])
        if opened.status != Status.OK:
            return opened
        sealed = self._keyed(
            record.RE_ENCRYPT_TO, target, target_draft, operations.encrypt, [target, target_parameter, opened.fields[0]]
        )  # fmt: skip
        return Reply(sealed.status, sealed.fields, (*opened.uses, *sealed.uses))

    def _create_material(self, fields: list[bytes]) -> Reply | Deferred:
        draft = fields[2]
        try:
            key_id, spec = text(fields[0]), text(fields[1])
            kind_of(spec)
            wrapped.binding(key_id, bytes(32), spec)  # a wrong key id is refused before anything is made
        except FuinError as error:
            return _failed(error, record.CREATE_MATERIAL, "", b"", draft)
        return _now_or_later(spec, partial(make_material, spec), partial(self._created, key_id, spec, draft))

    def _created(self, key_id: str, spec: str, draft: bytes, made: bytearray | Exception) -> Reply:
        try:
            material = self._backend.seal_material(key_id, spec, given(made))
        except Exception as error:
            return _failed(error, record.CREATE_MATERIAL, "", b"", draft)
        use = Use(record.CREATE_MATERIAL, record.DONE, key_id, material.material_id, draft)
        return Reply(Status.OK, [material.encoded], (use,))

    def _data_key_pair(self, fields: list[bytes]) -> Reply | Deferred:
        return self._pair(record.DATA_KEY_PAIR, fields, plaintext=True)

    def _data_key_pair_without_plaintext(self, fields: list[bytes]) -> Reply | Deferred:
        return self._pair(record.DATA_KEY_PAIR_WITHOUT_PLAINTEXT, fields, plaintext=False)

    def _pair(self, use: int, fields: list[bytes], *, plaintext: bool) -> Reply | Deferred:
        spec = fields[2].decode("ascii", "replace")
        return _now_or_later(spec, partial(make_pair, spec), partial(self._paired, use, fields, plaintext))

    def _paired(self, use: int, fields: list[bytes], plaintext: bool, made: Pair | Exception) -> Reply:
        """Seal a pair's private key; the material is opened only now, since it may have been forgotten meanwhile."""

        def seal(material: OpenMaterial, fields: list[bytes]) -> list[bytes]:
            pair = given(made)
            blob = material.seal_data_key(fields[1], pair.private)
            return [bytes(pair.private), pair.public, blob] if plaintext else [pair.public, blob]

        try:
            return self._keyed(use, fields[0], fields[-1], seal, fields)
        finally:
            if isinstance(made, Pair):
                wipe(made.private)

    def _import_parameters(self, fields: list[bytes]) -> Reply | Deferred:
        scope, spec, expires = fields[0], text(fields[1]), _u64(fields[2])
        importing.check_scope(scope)
        importing.check_wrapping_spec(spec)
        return Deferred(partial(importing.new_wrapping_key, spec), partial(self._wrapping_key_made, scope, expires))

    def _wrapping_key_made(self, scope: bytes, expires: int, made: Pair | Exception) -> Reply:
        try:
            pair = given(made)
            return Reply(Status.OK, [pair.public, self._importer.token(scope, expires, pair.private)], _NOTHING)
        except Exception as error:
            return _failed(error)

    def _import_material(self, fields: list[bytes]) -> Reply | Deferred:
        scope, token, encrypted, draft = fields[2], fields[3], fields[5], fields[6]
        key_id = ""
        try:
            key_id, spec, algorithm = _key_id(fields[0]), text(fields[1]), text(fields[4])
            importing.check_request(spec, algorithm)
            wrapping_key = self._importer.wrapping_key(scope, token, time.time())
        except Exception as error:
            return _failed(error, record.IMPORT_MATERIAL, key_id, b"", draft)
        work = partial(importing.unwrap, wrapping_key, algorithm, encrypted, spec)
        return Deferred(work, partial(self._imported, key_id, spec, draft))

    def _imported(self, key_id: str, spec: str, draft: bytes, made: Imported | Exception) -> Reply:
        try:
            imported = given(made)
            material_id = self._importer.material_id(key_id, spec, imported)
            material = self._backend.seal_material(key_id, spec, imported.key, material_id)
            imported.wipe()
        except Exception as error:
            return _failed(error, record.IMPORT_MATERIAL, key_id, b"", draft)
        use = Use(record.IMPORT_MATERIAL, record.DONE, key_id, material_id, draft)
        return Reply(Status.OK, [material.encoded], (use,))

    def _last_use(self, fields: list[bytes]) -> Reply:
        found = self._last_uses.of(text(fields[0]), text(fields[1]))
        used = () if found is None else (_U64.pack(found[0]), bytes((found[1],)), found[2])
        return Reply(Status.OK, [_U64.pack(self._last_uses.begun), *used], _NOTHING)

    def _random(self, fields: list[bytes]) -> Reply:
        try:
            data = random_bytes(number(fields[0]))
        except FuinError as error:
            return _failed(error, record.RANDOM, "", b"", fields[1])
        return Reply(Status.OK, [data], (Use(record.RANDOM, record.DONE, "", b"", fields[1]),))

    def _record(self, fields: list[bytes]) -> Reply:
        return Reply(Status.OK, (), (Use(record.NOTE, record.DONE, "", b"", fields[0]),))

    def _new_secret(self, fields: list[bytes]) -> Reply:
        return Reply(Status.OK, self._backend.new_secret(text(fields[0])), _NOTHING)

    def _seal_secret(self, fields: list[bytes]) -> Reply:
        return Reply(Status.OK, [self._backend.seal_secret(text(fields[0]), fields[1])], _NOTHING)

    def _signing_key(self, fields: list[bytes]) -> Reply:
        sealed, access_key_id, date, region, service = fields
        key = self._backend.signing_key(sealed, text(access_key_id), (date, region, service))
        return Reply(Status.OK, [key], _NOTHING)

    def _new_session(self, fields: list[bytes]) -> Reply:
        made = self._sessions.new(text(fields[0]), _u64(fields[1]), fields[2], time.time())
        return Reply(Status.OK, made, _NOTHING)

    def _session_signing_key(self, fields: list[bytes]) -> Reply:
        token, access_key_id, date, region, service = fields
        secret, claims, expiry = self._sessions.open(token, text(access_key_id), time.time())
        keyed = bytearray(b"AWS4") + secret
        try:
            key = derived_signing_key(keyed, (date, region, service))
        finally:
            wipe(secret)
            wipe(keyed)
        return Reply(Status.OK, [key, claims, _U64.pack(expiry)], _NOTHING)

    def _forget(self, fields: list[bytes]) -> Reply:
        self._backend.forget(text(fields[0]))
        return Reply(Status.OK, (), _NOTHING)

    def _status(self, fields: list[bytes]) -> Reply:
        position = self._log.position
        taking = b"\0" if self._log.refusing else b"\1"
        return Reply(Status.OK, [_U64.pack(position.sequence), position.head, self._public_key, taking], _NOTHING)


def _now_or_later(
    spec: str, work: Callable[[], Made], finish: Callable[[Made | Exception], Reply]
) -> Reply | Deferred:  # fmt: skip
    """Make something for a spec and finish at once, or leave it to the maker thread if the spec takes long."""
    if spec in SLOW:
        return Deferred(work, finish)
    return finish(attempt(work))


def _wrong(reason: str) -> Reply:
    return Reply(Status.INVALID, [reason.encode()], _NOTHING)


def _failed(
    error: Exception, use: int | None = None, key_id: str = "", material_id: bytes = b"", draft: bytes = b""
) -> Reply:
    """Return the reply to a failed request, recorded where it was a use; only our own texts are safe to show."""
    status, outcome = next((status, outcome) for kind, status, outcome in _FAILURES if isinstance(error, kind))
    reason = str(error) if isinstance(error, FuinError) else "the keyholder failed"
    uses = _NOTHING if use is None else (Use(use, outcome, key_id, material_id, draft),)
    return Reply(status, [reason.encode()], uses)


def _key_id(field: bytes) -> str:
    key_id = text(field)
    if not ids.is_key_id(key_id):
        raise FormatError("not a key id")
    return key_id


def _u64(field: bytes) -> int:
    if len(field) != _U64.size:
        raise FormatError("a time of another size than eight bytes")
    return int(_U64.unpack(field)[0])


def _names(encoded: bytes) -> tuple[str, bytes]:
    """Return the key id and material id that a request speaks of, as far as they can be read."""
    try:
        material = wrapped.parse_material(encoded)
    except FormatError:
        return "", b""
    return material.key_id, material.material_id
