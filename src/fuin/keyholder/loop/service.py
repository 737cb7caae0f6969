"""The service: it does requests, and says which uses of keys have to be recorded.

A request gives a `Reply`: the status and fields of the answer, and the uses to be recorded before the answer may leave.
A request that takes long gives a `DeferredReply` instead, which gives the reply once its work is done.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fuin import ids
from fuin.audit.log import Log, RecordedUse
from fuin.errors import FormatError, FuinError, ImportTokenExpired, MaterialDamaged, SessionExpired, TamperedError
from fuin.formats import record, wrapped
from fuin.keyholder.backends.interface import Backend, Pair, UsableMaterial
from fuin.keyholder.last_uses import LastUses
from fuin.keyholder.loop import operations
from fuin.keyholder.loop.copies import CopyWatch, await_records
from fuin.keyholder.loop.key_maker import attempt, result_or_raise
from fuin.keyholder.loop.operations import OPERATIONS, KeyOperation, random_bytes
from fuin.keyholder.sealed.memory import wipe
from fuin.keyholder.sealed.sessions import Sessions
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.codecs import Conversion
from fuin.keyholder.wire.requests import RequestType
from fuin.keyholder.wire.statuses import Status

_NO_USES: tuple[RecordedUse, ...] = ()
_OK = int(Status.OK)
_tuple = tuple.__new__  # makes a named tuple in half the time of its own constructor, twice for every request

Result = TypeVar("Result")


class Reply(NamedTuple):
    """The answer to a request; with `uses` it leaves only after they are durable."""

    status: int
    fields: Sequence[bytes]
    uses: Sequence[RecordedUse]


class DeferredReply(NamedTuple):
    """A reply that comes later: `work` may run in another thread, `finish` takes its result, or the error it raised.

    `finish` does all that needs a KMS key. So a request that is dropped before `finish` has used no key, and leaves no
    record.
    """

    work: Callable[[], object]
    finish: Callable[[Any], Reply]


# The status and the recorded outcome of an error. Order matters: the first class that fits counts.
_FAILURES: tuple[tuple[type[Exception], Status, int], ...] = (
    (ImportTokenExpired, Status.EXPIRED, record.INVALID),
    (SessionExpired, Status.SESSION_EXPIRED, record.INVALID),
    (MaterialDamaged, Status.DAMAGED, record.DAMAGED),
    (TamperedError, Status.TAMPERED, record.TAMPERED),
    (FormatError, Status.INVALID, record.INVALID),
    (Exception, Status.UNAVAILABLE, record.FAILED),
)


class KeyholderService:
    """Answers requests; it knows the backend and the log's position, no socket and no file."""

    def __init__(
        self,
        backend: Backend,
        sessions: Sessions,
        last_uses: LastUses,
        log: Log,
        public_key: bytes,
        copies: CopyWatch[Any] | None = None,
    ) -> None:
        self._backend = backend
        self._sessions = sessions
        self._last_uses = last_uses
        self._log = log
        self._public_key = public_key
        self._copies = copies
        self._operations = OPERATIONS
        self._recorders = {request.code: (request, handler) for request, handler in self._recorder_table()}
        self._answerers = {request.code: (request, handler) for request, handler in self._answerer_table()}

    def _recorder_table(self) -> tuple[tuple[RequestType, Callable[..., Reply | DeferredReply]], ...]:
        """Return the function that makes the whole reply, with the uses to be recorded, or defers it."""
        return (
            (requests.CREATE_MATERIAL, self._create_material),
            (requests.RE_ENCRYPT, self._re_encrypt),
            (requests.RANDOM, self._random),
            (requests.RECORD, self._record),
            (requests.DATA_KEY_PAIR, self._data_key_pair),
            (requests.DATA_KEY_PAIR_WITHOUT_PLAINTEXT, self._data_key_pair_without_plaintext),
            (requests.IMPORT_PARAMETERS, self._import_parameters),
            (requests.IMPORT_MATERIAL, self._import_material),
            (requests.COPIED, self._await_records),
        )

    def _answerer_table(self) -> tuple[tuple[RequestType, Callable[..., Sequence[Any]]], ...]:
        """Return the function that makes the values of an answer without a record."""
        return (
            (requests.NEW_SECRET, self._backend.new_secret),
            (requests.SEAL_SECRET, self._seal_secret),
            (requests.SIGNING_KEY, self._signing_key),
            (requests.FORGET, self._forget),
            (requests.STATUS, self._status),
            (requests.LAST_USE, self._last_use),
            (requests.NEW_SESSION, self._new_session),
            (requests.SESSION_SIGNING_KEY, self._session_signing_key),
        )

    def handle(self, code: int, fields: list[bytes]) -> Reply | DeferredReply:
        """Return the reply to a request; an error of one request is its answer, and never ends the process."""
        keyed = self._operations.get(code)
        if keyed is not None:
            count, use, decoders, operation = keyed
            if len(fields) != count:
                return _invalid_request_reply("a request with a wrong number of fields")
            return self._use_key(use, operation, fields, decoders)
        entry: tuple[RequestType, Callable[..., Any]] | None = self._answerers.get(code) or self._recorders.get(code)
        if entry is None:
            return _invalid_request_reply("a request that this keyholder does not know")
        request, handler = entry
        if len(fields) != request.count:
            return _invalid_request_reply("a request with a wrong number of fields")
        try:
            if code in self._recorders:
                return self._run_recorder(request, handler, fields)
            return Reply(_OK, request.pack_answer(handler(*request.unpack(fields))), _NO_USES)
        except Exception as error:  # whatever it is, it is this request's own
            return _failure_reply(error)

    def _run_recorder(
        self, request: RequestType, handler: Callable[..., Reply | DeferredReply], fields: list[bytes]
    ) -> Reply | DeferredReply:
        """Return a handler's reply; a request that cannot be read is recorded as well, if it would be a use."""
        try:
            values = request.unpack(fields)
        except FormatError as error:
            if not request.uses:
                raise
            return _failure_reply(error, request.uses[0], *_material_names(fields[0]), fields[-1])
        return handler(*values)

    def _use_key(
        self, use: int, operation: KeyOperation, fields: list[bytes], decoders: Conversion = ()
    ) -> Reply:  # fmt: skip
        """Open material, do the operation, and record it under the material's names, whatever its outcome is.

        The material is the first field, and the draft the last. The fields become the operation's arguments, in place.
        """
        values: list[Any] = fields
        draft = values.pop()
        try:
            values[0] = material = self._backend.material(fields[0])
        except Exception as error:
            return _failure_reply(error, use, *_material_names(fields[0]), draft)
        try:
            if decoders:
                for at, decode in decoders:
                    values[at] = decode(values[at])
            answer = operation(*values)
        except Exception as error:
            return _failure_reply(error, use, material.name, material.material_id, draft)
        done = _tuple(RecordedUse, (use, record.DONE, material.name, material.material_id, draft))
        return _tuple(Reply, (_OK, answer, (done,)))

    def _re_encrypt(
        self,
        source: bytes,
        source_parameter: bytes,
        blob: bytes,
        target: bytes,
        target_parameter: bytes,
        draft: bytes,
        target_draft: bytes,
    ) -> Reply:
        use_from, use_to = requests.RE_ENCRYPT.uses
        opened = self._use_key(use_from, operations.decrypt, [source, source_parameter, blob, draft])
        if opened.status != Status.OK:
            return opened
        fields = [target, target_parameter, opened.fields[0], target_draft]
        sealed = self._use_key(use_to, operations.encrypt, fields)
        return Reply(sealed.status, sealed.fields, (*opened.uses, *sealed.uses))

    def _create_material(self, key_id: str, spec: str, draft: bytes) -> Reply | DeferredReply:
        try:
            self._backend.check_new_material(key_id, spec)
        except FuinError as error:
            return _failure_reply(error, record.CREATE_MATERIAL, "", b"", draft)
        work = partial(self._backend.make_material, spec)
        finish = partial(self._seal_created, key_id, spec, draft)
        return _do_or_defer(requests.CREATE_MATERIAL, spec, work, finish)

    def _seal_created(self, key_id: str, spec: str, draft: bytes, result: object) -> Reply:
        try:
            material = self._backend.seal_material(key_id, spec, result_or_raise(result))
        except Exception as error:
            return _failure_reply(error, record.CREATE_MATERIAL, "", b"", draft)
        use = RecordedUse(record.CREATE_MATERIAL, record.DONE, key_id, material.material_id, draft)
        return Reply(Status.OK, [material.encoded], (use,))

    def _data_key_pair(self, *values: Any) -> Reply | DeferredReply:
        return self._pair(requests.DATA_KEY_PAIR, *values, plaintext=True)

    def _data_key_pair_without_plaintext(self, *values: Any) -> Reply | DeferredReply:
        return self._pair(requests.DATA_KEY_PAIR_WITHOUT_PLAINTEXT, *values, plaintext=False)

    def _pair(
        self, request: RequestType, material: bytes, context: bytes, spec: str, draft: bytes, *, plaintext: bool
    ) -> Reply | DeferredReply:
        finish = partial(self._seal_pair, request, [material, context, draft], plaintext)
        return _do_or_defer(request, spec, partial(self._backend.make_pair, spec), finish)

    def _seal_pair(self, request: RequestType, fields: list[bytes], plaintext: bool, result: Pair | Exception) -> Reply:
        """Seal a pair's private key; the material is opened only now, since it may have been forgotten meanwhile."""

        def seal(material: UsableMaterial, context: bytes) -> list[bytes]:
            pair = result_or_raise(result)
            blob = material.seal_data_key(context, pair.private)
            return [bytes(pair.private), pair.public, blob] if plaintext else [pair.public, blob]

        try:
            return self._use_key(request.uses[0], seal, fields)
        finally:
            if isinstance(result, Pair):
                wipe(result.private)

    def _import_parameters(self, scope: bytes, spec: str, expires: int) -> Reply | DeferredReply:
        self._backend.check_import_parameters(scope, spec)
        work = partial(self._backend.make_wrapping_key, spec)
        return DeferredReply(work, partial(self._seal_import_token, scope, expires))

    def _seal_import_token(self, scope: bytes, expires: int, result: Pair | Exception) -> Reply:
        try:
            pair = result_or_raise(result)
            token = self._backend.seal_import_token(scope, expires, pair.private)
            return Reply(Status.OK, [pair.public, token], _NO_USES)
        except Exception as error:
            return _failure_reply(error)

    def _import_material(
        self, key_id: str, spec: str, scope: bytes, token: bytes, algorithm: str, encrypted: bytes, draft: bytes
    ) -> Reply | DeferredReply:
        name = ""
        try:
            _check_key_id(key_id)
            name = key_id
            self._backend.check_import(spec, algorithm)
            wrapping_key = self._backend.open_import_token(scope, token, time.time())
        except Exception as error:
            return _failure_reply(error, record.IMPORT_MATERIAL, name, b"", draft)
        work = partial(self._backend.unwrap, wrapping_key, algorithm, encrypted, spec)
        return DeferredReply(work, partial(self._seal_imported, key_id, spec, draft))

    def _seal_imported(self, key_id: str, spec: str, draft: bytes, result: object) -> Reply:
        try:
            material = self._backend.seal_imported(key_id, spec, result_or_raise(result))
        except Exception as error:
            return _failure_reply(error, record.IMPORT_MATERIAL, key_id, b"", draft)
        use = RecordedUse(record.IMPORT_MATERIAL, record.DONE, key_id, material.material_id, draft)
        return Reply(Status.OK, [material.encoded], (use,))

    def _random(self, length: int, draft: bytes) -> Reply:
        try:
            data = random_bytes(length)
        except FuinError as error:
            return _failure_reply(error, record.RANDOM, "", b"", draft)
        return Reply(Status.OK, [data], (RecordedUse(record.RANDOM, record.DONE, "", b"", draft),))

    def _record(self, draft: bytes) -> Reply:
        return Reply(Status.OK, (), (RecordedUse(record.NOTE, record.DONE, "", b"", draft),))

    def _seal_secret(self, access_key_id: str, secret: bytes) -> Sequence[bytes]:
        return (self._backend.seal_secret(access_key_id, secret),)

    def _signing_key(
        self, sealed: bytes, access_key_id: str, date: str, region: str, service: str
    ) -> Sequence[bytes]:  # fmt: skip
        return (self._backend.signing_key(sealed, access_key_id, (date, region, service)),)

    def _last_use(self, key_id: str, region: str) -> Sequence[Any]:
        return self._last_uses.tracking_start, *(self._last_uses.last_use(key_id, region) or ())

    def _new_session(self, access_key_id: str, expiry: int, claims: bytes) -> Sequence[bytes]:
        return self._sessions.new_session(access_key_id, expiry, claims, time.time())

    def _session_signing_key(
        self, token: bytes, access_key_id: str, date: str, region: str, service: str
    ) -> Sequence[Any]:  # fmt: skip
        return self._sessions.signing_key(token, access_key_id, (date, region, service), time.time())

    def _forget(self, key_id: str) -> Sequence[bytes]:
        self._backend.forget(key_id)
        return ()

    def _status(self) -> Sequence[Any]:
        self._backend.wipe_unused()  # here, since the supervisor asks about once a second, also when nobody else does
        position = self._log.position
        is_stopped = self._copies is not None and self._copies.stop_reason() is not None
        return position.sequence, position.head, self._public_key, not (self._log.refusing or is_stopped)

    def _await_records(self, sequence: int, conflict: bool) -> DeferredReply:
        copies = self._copies
        if copies is None:
            raise FormatError("this log is not copied")
        copies.note_copies(sequence, conflict=conflict)

        def finish(_: object) -> Reply:
            position = self._log.position
            values = (position.sequence, position.head, copies.waits)
            return Reply(_OK, requests.COPIED.pack_answer(values), _NO_USES)

        return DeferredReply(await_records, finish)


def _do_or_defer(
    request: RequestType, spec: str, work: Callable[[], Result], finish: Callable[[Result | Exception], Reply]
) -> Reply | DeferredReply:
    """Do the work for a spec and finish at once, or leave the work to the key maker thread if the spec takes long."""
    if request.is_for_key_maker(spec):
        return DeferredReply(work, finish)
    return finish(attempt(work))


def _invalid_request_reply(reason: str) -> Reply:
    return Reply(Status.INVALID, [reason.encode()], _NO_USES)


def _failure_reply(
    error: Exception, use: int | None = None, key_id: str = "", material_id: bytes = b"", draft: bytes = b""
) -> Reply:
    """Return the reply to a failed request, recorded if it was a use; only our own texts are safe to show."""
    status, outcome = next((status, outcome) for kind, status, outcome in _FAILURES if isinstance(error, kind))
    reason = str(error) if isinstance(error, FuinError) else "the keyholder failed"
    uses = _NO_USES if use is None else (RecordedUse(use, outcome, key_id, material_id, draft),)
    return Reply(status, [reason.encode()], uses)


def _check_key_id(key_id: str) -> None:
    if not ids.is_key_id(key_id):
        raise FormatError("not a key id")


def _material_names(encoded: bytes) -> tuple[str, bytes]:
    """Return the key id and material id that wrapped material names, or empty ones if they cannot be read."""
    try:
        material = wrapped.parse_material(encoded)
    except FormatError:
        return "", b""
    return material.key_id, material.material_id
