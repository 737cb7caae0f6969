"""The root key's file: the key itself, readable by this user only, or the key sealed by a passphrase.

Format (docs/formats/wrapped-material.md): `magic | u8 kind`, then for kind 0 the 32 bytes of the key; for kind 1
`u32 passes | u32 KiB | u32 lanes | 16 bytes of salt` for Argon2id (RFC 9106) and the root key in an envelope.
"""

import contextlib
import os
import re
import stat
import struct
from pathlib import Path

from fuin.errors import FuinError, TamperedError
from fuin.formats import wrapped
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import wipe

MAGIC = b"fuin root key v1\n"
PLAIN, BY_PASSPHRASE = 0, 1

_ARGON2 = struct.Struct(">III16s")
_PREFIX = bytes((wrapped.VERSION, wrapped.Kind.ROOT_KEY))
_BODY = len(MAGIC) + 1
_PLAIN_LENGTH = _BODY + 32
_DRAFT = re.compile(r"\.[0-9a-f]{16}")
_SEALED_LENGTH = _BODY + _ARGON2.size + len(_PREFIX) + sealing.OVERHEAD + 32
# RFC 9106 section 4, second recommended option: 64 MiB, for machines that also do other work.
_PASSES, _KIB, _LANES = 3, 64 * 1024, 4
_PASSES_LIMIT, _KIB_LIMIT, _LANES_LIMIT = 64, 4 * 1024 * 1024, 64  # a changed file must not take the machine down


class RootKeyError(FuinError):
    """The root key's file is missing, unsafe or not one; the text says which."""


class PassphraseError(RootKeyError):
    """The passphrase is wrong, missing, or given for a root key that has none."""


class RootKey:
    """The 32 bytes everything is sealed under; they are wiped when the keyholder ends."""

    __slots__ = ("key",)

    def __init__(self, key: bytearray) -> None:
        self.key = key

    def wipe(self) -> None:
        """Overwrite the bytes."""
        wipe(self.key)

    def __repr__(self) -> str:
        return "RootKey(...)"


def needs_passphrase(path: Path) -> bool:
    """Return whether an existing root key file is sealed by a passphrase; False before it exists.

    Raises RootKeyError when the file is unsafe or no root key file.
    """
    if not path.exists():
        return False
    data = _read_file(path)
    try:
        return data[len(MAGIC)] == BY_PASSPHRASE
    finally:
        wipe(data)


def open_root_key(path: Path, passphrase: bytes | None) -> RootKey:
    """Return the root key of an existing file; raises RootKeyError or PassphraseError."""
    _discard_drafts(path)
    data = _read_file(path)
    try:
        if data[len(MAGIC)] == BY_PASSPHRASE:
            return RootKey(_unseal(bytes(data), passphrase))
        if passphrase is not None:
            raise PassphraseError(f"{path} is not sealed by a passphrase, but one was given")
        return RootKey(data[_BODY:])
    finally:
        wipe(data)


def create_root_key(path: Path, passphrase: bytes | None) -> None:
    """Make a root key file with a fresh key, durably and all at once; raises FileExistsError when there is one."""
    key = bytearray(os.urandom(32))
    data = bytearray(MAGIC)
    try:
        data += _seal(key, passphrase) if passphrase is not None else bytes((PLAIN,)) + key
        _write_file(path, data)
    finally:
        wipe(key)
        wipe(data)


def read_sealed_root_key(path: Path) -> bytes:
    """Return the whole file of a root key that a passphrase seals; raises RootKeyError when none seals it."""
    data = _read_file(path)
    try:
        if data[len(MAGIC)] != BY_PASSPHRASE:
            raise RootKeyError(f"{path} is a bare root key: only one that a passphrase seals may be in a database")
        return bytes(data)
    finally:
        wipe(data)


def adopt_root_key(path: Path, sealed: bytes) -> None:
    """Make the file of a sealed root key from its bytes; one that is there must be the same. Raises RootKeyError."""
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            _write_file(path, bytearray(sealed))
    if read_sealed_root_key(path) != sealed:
        raise RootKeyError(f"{path} is not the root key of this installation")


def seal_root_key(path: Path, passphrase: bytes) -> bytes:
    """Return the root key of a bare file as a passphrase would seal it; the file stays. Raises RootKeyError."""
    root = open_root_key(path, None)
    try:
        return MAGIC + _seal(root.key, passphrase)
    finally:
        root.wipe()


def _seal(key: bytearray, passphrase: bytes) -> bytes:
    if not passphrase:
        raise PassphraseError("the passphrase is empty")
    body = bytes((BY_PASSPHRASE,)) + _ARGON2.pack(_PASSES, _KIB, _LANES, os.urandom(16))
    sealing_key = _stretch_passphrase(passphrase, MAGIC + body)
    return body + sealing.seal(sealing_key, sealing.LABEL_ROOT_KEY, _PREFIX, MAGIC + body, key)


def _unseal(data: bytes, passphrase: bytes | None) -> bytearray:
    if passphrase is None:
        raise PassphraseError("the root key is sealed by a passphrase, and none was given")
    head = data[: _BODY + _ARGON2.size]
    try:
        return sealing.open_into(
            _stretch_passphrase(passphrase, head), sealing.LABEL_ROOT_KEY, _PREFIX, head, data[len(head) :]
        )  # fmt: skip
    except TamperedError:
        raise PassphraseError("the passphrase does not open the root key") from None


def _stretch_passphrase(passphrase: bytes, head: bytes) -> bytes:
    from argon2.low_level import Type, hash_secret_raw  # noqa: PLC0415 - only who has a passphrase pays for it

    passes, kib, lanes, salt = _ARGON2.unpack_from(head, _BODY)
    if not (1 <= passes <= _PASSES_LIMIT and 8 * lanes <= kib <= _KIB_LIMIT and 1 <= lanes <= _LANES_LIMIT):
        raise RootKeyError("the root key file has Argon2id parameters out of range")
    return hash_secret_raw(passphrase, salt, passes, kib, lanes, 32, Type.ID)


def _read_file(path: Path) -> bytearray:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise RootKeyError(f"{path} cannot be opened: {error.strerror}") from None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise RootKeyError(f"{path} must be a file of this user that nobody else may read (chmod 600)")
        data = bytearray(_SEALED_LENGTH + 1)
        del data[file.readinto(data) or 0 :]
    lengths = {PLAIN: _PLAIN_LENGTH, BY_PASSPHRASE: _SEALED_LENGTH}
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) or lengths.get(data[len(MAGIC)]) != len(data):
        wipe(data)
        raise RootKeyError(f"{path} is not a root key file")
    return data


def _discard_drafts(path: Path) -> None:
    """Remove temporary files that a crash left: a backup without `root.key` must not hold the key in another file."""
    for draft in path.parent.glob(f"{path.name}.*"):
        if _DRAFT.fullmatch(draft.name.removeprefix(path.name)):
            draft.unlink(missing_ok=True)


def _write_file(path: Path, data: bytearray) -> None:
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.write(data)
            os.fsync(descriptor)
        os.link(draft, path)  # unlike a rename, it never replaces a root key that somebody else just made
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
