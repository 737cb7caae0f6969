"""`fuin serve --small-objects`: it reaches the settings, and has bounds."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fuin.cli import serve
from fuin.cli.whole import app
from fuin.settings import LARGEST_SMALL_OBJECT, SMALL_OBJECT, Settings


def invoke(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, str, list[Settings]]:
    """Return the exit status, the output, and the settings with which the server would have served."""
    found: list[Settings] = []

    def keep(settings: Settings, *_: Any) -> None:
        found.append(settings)

    monkeypatch.setattr(serve, "run", keep)
    done = CliRunner().invoke(app, ["serve", "--data", str(folder), *options])
    return done.exit_code, done.output, found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), SMALL_OBJECT),
        (("--small-objects", "0"), 0),
        (("--small-objects", "4096"), 4096),
        (("--small-objects", str(LARGEST_SMALL_OBJECT)), LARGEST_SMALL_OBJECT),
    ],
)
def test_limit_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: int
) -> None:
    """Without the option it is 16 KiB; 0 makes every object a blob."""
    status, output, [settings] = invoke(tmp_path, monkeypatch, *options)
    assert status == 0, output
    assert settings.small_object_limit == expected


@pytest.mark.parametrize("limit", ["-1", str(LARGEST_SMALL_OBJECT + 1), "16K"])
def test_limit_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Rows do not hold large objects, nor is there a negative size."""
    status, output, found = invoke(tmp_path, monkeypatch, "--small-objects", limit)
    assert (status, found) == (2, [])
    assert "--small-objects" in output
