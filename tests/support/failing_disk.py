"""A real server on a disk that can be made to fail, by a library that is loaded before the C library."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("failing_disk.c")


class FailingDisk:
    """The faults of one server's disk.

    In the audit folder `sync` and `write` fail with EIO, and `hang` never ends. The database's files cannot grow or
    change when the disk is `full`.
    """

    def __init__(self, folder: Path) -> None:
        """Build the library; skips the test where there is no C compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("there is no C compiler to build the failing disk with")
        self._control = folder / "faults"
        self._control.mkdir(parents=True)
        library = folder / "failing_disk.so"
        define = f'-DCONTROL="{self._control}"'
        subprocess.run([compiler, "-shared", "-fPIC", define, "-o", library, _SOURCE, "-ldl"], check=True)
        self.variables = {"LD_PRELOAD": str(library)}

    def fail(self, *faults: str) -> None:
        """Let exactly these faults happen from now on."""
        for path in self._control.iterdir():
            path.unlink()
        for fault in faults:
            (self._control / fault).touch()
