"""`python -m fuin.keyholder`: the process with the keys. Started by the server's supervisor, not by hand."""

import contextlib
import os
import signal
import socket
import sys

from fuin import crash
from fuin.audit.folder import LogInUse
from fuin.audit.log import Log
from fuin.audit.recovery import AuditDamaged
from fuin.audit.segments import segments
from fuin.keyholder import command
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.hardening import harden
from fuin.keyholder.last_uses import LastUses
from fuin.keyholder.loop.copies import CopyWatch
from fuin.keyholder.loop.server import KeyholderServer, Outbox, say
from fuin.keyholder.loop.service import KeyholderService
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.root_key import PassphraseError, RootKey, RootKeyError, create_root_key, open_root_key
from fuin.keyholder.sealed.sessions import Sessions

_PASSPHRASE_LIMIT = 4096


# The errors that end a keyholder with a message, and its exit status. The first class that fits counts.
_FAILURES: tuple[tuple[type[Exception], int], ...] = (
    (PassphraseError, command.EXIT_PASSPHRASE),
    (RootKeyError, command.EXIT_ROOT_KEY),
    (AuditDamaged, command.EXIT_AUDIT),
    (LogInUse, command.EXIT_FAILED),
    (OSError, command.EXIT_FAILED),
)


class StartReport:
    """The report of this start to the supervisor: one line on the descriptor that it gave, ready or the failure."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def report_ready(self) -> None:
        """Report that everything is open."""
        self._write_line(command.READY)

    def report_failure(self, why: str) -> None:
        """Report why the start failed; failures after the report go to standard error, the server's log."""
        if self._descriptor is None:
            say(why)
        else:
            self._write_line(f"{why}\n".encode())

    def _write_line(self, line: bytes) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(descriptor, line)
            os.close(descriptor)


def main() -> int:
    """Harden, open the root key and the log, say ready, serve until SIGTERM; returns the exit status."""
    arguments = command.parse(sys.argv[1:])
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor ends us in order
    start = StartReport(arguments.ready)
    try:
        warning = harden(arguments.parent)
        if warning:
            say(warning)
        serve(arguments, start)
    except tuple(kind for kind, _ in _FAILURES) as error:
        start.report_failure(_error_text(error))
        return next(status for kind, status in _FAILURES if isinstance(error, kind))
    return 0


def _error_text(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(error)


def serve(arguments: command.Command, start: StartReport) -> None:
    """Open everything, and serve; at the end all keys are wiped."""
    root = _open_or_create_root_key(arguments)
    backend = SoftwareBackend(root)
    try:
        signer = AuditSigner(root)
        log = Log.open(arguments.audit, signer.public_key, signer.sign, signer.check)
        with contextlib.closing(log), socket.socket(fileno=arguments.listener) as listener:
            last_uses = LastUses.open(root, arguments.audit, log)
            copies = _copy_watch(arguments, log)
            service = KeyholderService(backend, Sessions(root), last_uses, log, signer.public_key, copies)
            server = KeyholderServer(listener, service, log, copies)
            start.report_ready()
            try:
                server.run()
                last_uses.end_segment(log.position)
            finally:
                last_uses.wipe()
    finally:
        backend.wipe()


def _copy_watch(arguments: command.Command, log: Log) -> CopyWatch[Outbox] | None:
    if arguments.copy_limit is None:
        return None
    return CopyWatch(log, arguments.copy_limit, waits=arguments.waits_for_copies)


def _open_or_create_root_key(arguments: command.Command) -> RootKey:
    passphrase = None if arguments.passphrase is None else _read_passphrase(arguments.passphrase)
    if not arguments.root_key.exists():
        if segments(arguments.audit):
            raise RootKeyError(
                f"{arguments.root_key} is missing beside an audit log: a new one could open nothing. "
                "Put back the root.key that belongs to this data, from where its copy is kept; "
                "without it nothing here can be opened"
            )
        create_root_key(arguments.root_key, passphrase)
        crash.point("keyholder.after_root_key")
    return open_root_key(arguments.root_key, passphrase)


def _read_passphrase(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        passphrase = b""
        while piece := pipe.read(_PASSPHRASE_LIMIT + 1 - len(passphrase)):
            passphrase += piece
    if len(passphrase) > _PASSPHRASE_LIMIT:
        raise PassphraseError("the passphrase is too long")
    return passphrase


if __name__ == "__main__":
    sys.exit(main())
