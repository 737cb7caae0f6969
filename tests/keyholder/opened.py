"""Opened key material of every spec, without a keyholder, and the openssl command line that checks what it does."""

import functools
import subprocess
from pathlib import Path

from fuin.keyholder.backends.software.kinds.material import OpenMaterial
from fuin.keyholder.backends.software.kinds.specs import SPECS, make_material
from tests.keyholder.process import KEY_ID


@functools.cache
def made(spec: str) -> bytes:
    """Return key material of a spec, as it is sealed; made once, since RSA takes a while."""
    return bytes(make_material(spec))


def opened(spec: str, key: bytes | None = None) -> OpenMaterial:
    """Return open material of these bytes, or of those that `made` gives."""
    return SPECS[spec](spec, KEY_ID, bytes(32), bytearray(made(spec) if key is None else key))


def openssl(*words: str | Path, given: bytes = b"") -> bytes:
    """Run the openssl command and return what it writes; a failure ends the test."""
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Files:
    """Bytes as files of a test's folder, under their names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, data: bytes) -> Path:
        """Write a file and return its path."""
        path = self._folder / name
        path.write_bytes(data)
        return path
