"""No circle of imports, and no module that needs another one to be imported first."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import Module, graph, modules, reachable

# Imported by Alembic only, which brings what it needs.
NOT_ALONE = {"store.engine.migrations.env"}
# Rooms that still have circles of imports for types.
CIRCLES_FOR_TYPES = {"access", "gate", "s3"}


def circles(among: tuple[Module, ...], *, at_run_time: bool) -> list[list[str]]:
    """Return the modules that import each other, each circle in order of names."""
    below = reachable(graph(among, at_run_time=at_run_time, packages=False))
    found = {
        tuple(sorted({name, *(other for other in names if name in below[other])}))
        for name, names in below.items()
        if name in names
    }
    return [list(circle) for circle in sorted(found)]


def not_alone(among: tuple[Module, ...], folder: Path | None = None) -> list[str]:
    """Return a line for each module that a fresh interpreter cannot import; `folder` has another package `fuin`."""
    below = reachable(graph(among, at_run_time=True))
    loaded = {_full(name): sorted(map(_full, names)) for name, names in below.items() if name not in NOT_ALONE}
    environment = os.environ | ({"PYTHONPATH": str(folder)} if folder else {})
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("import_alone.py"))],
        input=json.dumps(loaded), env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def _full(name: str) -> str:
    return f"fuin.{name}" if name else "fuin"


def _written(folder: Path, texts: dict[str, str]) -> tuple[Module, ...]:
    """Return the modules of a package `fuin` that is written into a folder."""
    for name, text in {"": "", **texts}.items():
        path = folder / "fuin" / (f"{name.replace('.', '/')}.py" if name else "__init__.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return (Module("", ""), *(Module(name, text) for name, text in texts.items()))


def test_no_circle_at_run_time() -> None:
    """No module is loaded while it waits for another one that waits for it, in a room or across rooms."""
    assert circles(modules(), at_run_time=True) == []


def test_no_circle_for_types() -> None:
    """Modules do not know each other by their types either; some rooms still have such circles."""
    found = circles(modules(), at_run_time=False)
    assert [circle for circle in found if {name.split(".")[0] for name in circle} - CIRCLES_FOR_TYPES] == []


def test_each_module_is_imported_alone() -> None:
    """A fresh interpreter can import any module, whichever it imports first."""
    assert not_alone(modules()) == []


@pytest.mark.parametrize(
    ("texts", "alone"),
    [
        pytest.param({"a": "from fuin.b import f\ng = 1", "b": "from fuin.a import g\nf = 1"}, ["a", "b"], id="two"),
        pytest.param(
            {"a": "from fuin.b import f\ng = 1", "b": "from fuin import c\nf = 1", "c": "from fuin.a import g"},
            ["a", "b"], id="three",
        ),
        pytest.param(
            {"a": "from fuin import b\nh = 1", "b": "from fuin import a\nh = a.h", "c": "import fuin.a\nimport fuin.b"},
            ["a"], id="one-way-in",
        ),
    ],
)  # fmt: skip
def test_circle_is_found(tmp_path: Path, texts: dict[str, str], alone: list[str]) -> None:
    """The checks themselves see circles, and which modules cannot be the first."""
    among = _written(tmp_path, texts)
    assert circles(among, at_run_time=True)
    failed = {line.split(":")[0].removeprefix("fuin.") for line in not_alone(among, tmp_path)}
    assert failed == set(alone)


@pytest.mark.parametrize(
    ("text", "is_error"),
    [
        ("import fuin\nx = fuin.a", True),
        ("import fuin.a\nx = fuin.a", False),
        ("from missing_package import x", True),
        ("def f():\n    from fuin import b", False),
    ],
)
def test_module_that_needs_another_is_found(tmp_path: Path, text: str, is_error: bool) -> None:
    """A module that uses what it does not import fails, although another one has loaded it before."""
    assert bool(not_alone(_written(tmp_path, {"a": "", "b": text}), tmp_path)) == is_error


def test_circle_for_types_is_told_apart(tmp_path: Path) -> None:
    """An import for types makes a circle, but none at run time."""
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fuin import b"
    among = _written(tmp_path, {"a": text, "b": "from fuin import a"})
    assert circles(among, at_run_time=True) == []
    assert circles(among, at_run_time=False) == [["a", "b"]]
    assert not_alone(among, tmp_path) == []
