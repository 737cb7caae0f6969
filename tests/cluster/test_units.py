"""The units for systemd: valid, and closed as far as they are said to be."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.server import REPOSITORY

UNITS = REPOSITORY / "deploy" / "systemd"
MOST_EXPOSURE = 17  # tenths, by `systemd-analyze security`: 0 is closed, 100 is open

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Give the node's unit with a program that exists on this machine."""
    copy = tmp_path / "fuin@.service"
    text = (UNITS / "fuin@.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/fuin/bin/fuin serve " in text
    copy.write_text(text.replace("ExecStart=/opt/fuin/bin/fuin serve ", "ExecStart=/bin/true "), encoding="utf-8")
    return copy


def test_unit_is_valid(unit: Path) -> None:
    """Nothing is reported about an instance of the unit."""
    done = _analyze("verify", str(unit.with_name("fuin@node1.service")))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_unknown_setting_is_found(unit: Path) -> None:
    """The check itself sees a setting that systemd does not know."""
    unit.write_text(
        unit.read_text(encoding="utf-8").replace("RestrictRealtime=", "RestrictSurrealism="), encoding="utf-8"
    )
    assert "RestrictSurrealism" in _analyze("verify", str(unit.with_name("fuin@node1.service"))).stderr


def test_node_is_closed(unit: Path) -> None:
    """The exposure is at most 1.7; without any one of three settings it is above."""
    options = ("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSURE}")
    assert _analyze(*options, str(unit)).returncode == 0
    text = unit.read_text(encoding="utf-8")
    for setting in ("ProtectSystem=strict", "CapabilityBoundingSet=", "SystemCallFilter=@system-service"):
        unit.write_text(text.replace(f"\n{setting}\n", "\n"), encoding="utf-8")
        assert _analyze(*options, str(unit)).returncode != 0, setting


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
