"""The verbs of the command: each imports its own module only, and all are there."""

import subprocess
import sys
from pathlib import Path

import pytest

from fuin.cli.verbs import VERBS
from tests.support import environment
from tests.support.server import FUIN


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment.clean(folder), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", ["serve", "audit", "user"])
def test_verb_imports_no_client_of_aws(verb: str, tmp_path: Path) -> None:
    """Only encrypt and decrypt are clients of KMS; botocore would take a fifth of the time to start."""
    code = f"import sys; from fuin.cli.verbs import command; command(['{verb}']); print('botocore' in sys.modules)"
    assert _run(tmp_path, sys.executable, "-c", code).stdout == "False\n"


def test_help_names_all_verbs(tmp_path: Path) -> None:
    """The help has each verb; a verb that does not exist is refused with status 2."""
    shown = _run(tmp_path, str(FUIN), "--help").stdout
    assert all(verb in shown for verb in (*VERBS, "version"))
    refused = _run(tmp_path, str(FUIN), "serv")
    assert (refused.returncode, "No such command 'serv'" in refused.stderr) == (2, True)
    assert _run(tmp_path, str(FUIN), "version").returncode == 0
