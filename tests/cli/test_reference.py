"""The reference page of the command line."""

import subprocess
import sys
from pathlib import Path

from tests.support import environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"
COMMAND = ["-m", "typer", "fuin.cli.whole", "utils", "docs", "--name", "fuin", "--title", "The `fuin` command"]


def test_reference_is_current(tmp_path: Path) -> None:
    """The committed page is what typer makes of the commands now."""
    made = subprocess.run(
        [sys.executable, *COMMAND],
        env=environment.clean(tmp_path),
        cwd=PAGE.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert PAGE.read_text(encoding="utf-8") == made.stdout, f"python {' '.join(COMMAND)} > {PAGE.name} makes it anew"
