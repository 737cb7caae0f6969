"""The in-process Fuin for tests of other programs, as its page shows it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit import Place

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "test-against-fuin.md"


def test_the_page_holds(tmp_path: Path) -> None:
    """The page's own tests pass, run as the page says."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "test_letters.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_letters.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


def test_the_page_names_what_there_is() -> None:
    """Each name of the page's table is a member of a place."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert {"client", "add_user", "record", "close"} <= names
    made = {"url", "root", "other_root", "keyholder"}  # by each place
    assert names - made <= set(dir(Place))


def test_a_keyholder_that_goes_and_comes(tmp_path: Path) -> None:
    """A test can take the keys away and bring them back, and ends everything although they are away."""
    with Place(tmp_path / "data") as place:
        kms = place.client("kms")
        kms.generate_random(NumberOfBytes=1)
        place.keyholder.kill()
        with pytest.raises(ClientError):
            kms.generate_random(NumberOfBytes=1)
        place.keyholder.start()
        kms.generate_random(NumberOfBytes=1)
        place.keyholder.kill()
