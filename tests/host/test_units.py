"""The units for systemd of a host: valid, and safe for what is mounted."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def _verify(tmp_path: Path, name: str, instance: str, change: tuple[str, str] = ("", "")) -> str:
    text = (UNITS / name).read_text(encoding="utf-8").replace("/opt/fuin/bin/fuin ", "/bin/true ")
    (tmp_path / name).write_text(text.replace(*change), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / instance], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"status {done.returncode}")


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("fuin-volume@.service", "fuin-volume@vol-0123456789abcdef0.service"),
        ("fuin-volume-agent.service", "fuin-volume-agent.service"),
    ],
)
def test_unit_is_valid(tmp_path: Path, name: str, instance: str) -> None:
    """Nothing is reported about a unit; a setting that systemd does not know is."""
    assert _verify(tmp_path, name, instance) == ""
    assert "KillMoody" in _verify(tmp_path, name, instance, ("KillMode=", "KillMoody="))


def test_no_unit_hides_or_kills_a_mount() -> None:
    """A mount of a unit is one of the machine, without a namespace of its own, and processes that serve stay."""
    for name in ("fuin-volume@.service", "fuin-volume-agent.service"):
        text = (UNITS / name).read_text(encoding="utf-8")
        for setting in ("PrivateTmp", "ProtectSystem", "ProtectHome", "PrivateDevices", "PrivateMounts", "DynamicUser"):
            assert f"\n{setting}=" not in text
        assert "\nKillMode=process\n" in text
