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
from fuin.keyholder.loop.server import Server, say
from fuin.keyholder.loop.service import Service
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.root_key import PassphraseError, RootKey, RootKeyError, create_root_key, open_root_key
from fuin.keyholder.sealed.sessions import Sessions

_PASSPHRASE_LIMIT = 4096


# What ends a keyholder that it has words for, and the status that it ends with. The first that fits counts.
_FAILURES: tuple[tuple[type[Exception], int], ...] = (
    (PassphraseError, command.EXIT_PASSPHRASE),
    (RootKeyError, command.EXIT_ROOT_KEY),
    (AuditDamaged, command.EXIT_AUDIT),
    (LogInUse, command.EXIT_FAILED),
    (OSError, command.EXIT_FAILED),
)


class Start:
    """What the supervisor is told of this start: one line on the descriptor that it gave, ready or why not."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def ready(self) -> None:
        """Tell that everything is open."""
        self._tell(command.READY)

    def failed(self, why: str) -> None:
        """Tell why it did not come to that; later failures go to standard error, the server's log."""
        if self._descriptor is None:
            say(why)
        else:
            self._tell(f"{why}\n".encode())

    def _tell(self, line: bytes) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(descriptor, line)
            os.close(descriptor)


def main() -> int:
    """Harden, open the root key and the log, say ready, serve until SIGTERM; returns the exit status."""
    wanted = command.parse(sys.argv[1:])
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor ends us in order
    start = Start(wanted.ready)
    try:
        warning = harden(wanted.parent)
        if warning:
            say(warning)
        serve(wanted, start)
    except tuple(kind for kind, _ in _FAILURES) as error:
        start.failed(_sentence(error))
        return next(status for kind, status in _FAILURES if isinstance(error, kind))
    return 0


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(error)


def serve(wanted: command.Command, start: Start) -> None:
    """Open everything, and serve; what was open is wiped at the end."""
    root = _root_key(wanted)
    backend = SoftwareBackend(root)
    try:
        signer = AuditSigner(root)
        log = Log.open(wanted.audit, signer.public_key, signer.sign, signer.check)
        with contextlib.closing(log), socket.socket(fileno=wanted.listener) as listener:
            last_uses = LastUses.open(root, wanted.audit, log)
            service = Service(backend, Sessions(root), last_uses, log, signer.public_key)
            server = Server(listener, service, log)
            start.ready()
            try:
                server.run()
                last_uses.finished(log.position)
            finally:
                last_uses.wipe()
    finally:
        backend.wipe()


def _root_key(wanted: command.Command) -> RootKey:
    passphrase = None if wanted.passphrase is None else _read_passphrase(wanted.passphrase)
    if not wanted.root_key.exists():
        if segments(wanted.audit):
            raise RootKeyError(
                f"{wanted.root_key} is missing beside an audit log: a new one could open nothing. "
                "Put back the root.key that belongs to this data, from where its copy is kept; "
                "without it nothing here opens any more"
            )
        create_root_key(wanted.root_key, passphrase)
        crash.point("keyholder.after_root_key")
    return open_root_key(wanted.root_key, passphrase)


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
