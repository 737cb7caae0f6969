"""What tests of the host need of the machine; without it they are skipped, and say why."""

import os
import shutil
from pathlib import Path

import pytest

from fuin.host.formats import Formats


def obstacle(format_: str) -> str:
    """Return why this machine cannot open disks of a format; empty if it can."""
    found = next(each for each in Formats(Path("/nowhere")).all if each.name == format_).find_obstacle()
    return found if found or os.geteuid() == 0 else "not root"


needs_qemu = pytest.mark.skipif(bool(obstacle("qemu")), reason=f"qemu's LUKS cannot be opened: {obstacle('qemu')}")
needs_cryptsetup = pytest.mark.skipif(shutil.which("cryptsetup") is None, reason="cryptsetup is not installed")
