"""The verbs of the command: each imports its own module only, all are there, and signals end them."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer

from fuin import __version__
from fuin.cli.verb_table import VERBS, Group, Verb
from fuin.cli.verbs import command
from tests.support import environment
from tests.support.server import FUIN


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment.clean(folder), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", ["serve", "audit", "user"])
def test_verb_imports_no_client_of_aws(verb: str, tmp_path: Path) -> None:
    """Only clients need botocore; it would take a fifth of the time to start."""
    code = f"import sys; from fuin.cli.verbs import command; command(['{verb}']); print('botocore' in sys.modules)"
    assert _run(tmp_path, sys.executable, "-c", code).stdout == "False\n"


def test_help_names_all_verbs(tmp_path: Path) -> None:
    """The help has each verb; a verb that does not exist is refused with status 2."""
    shown = _run(tmp_path, str(FUIN), "-h").stdout
    assert all(verb in shown for verb in VERBS)
    refused = _run(tmp_path, str(FUIN), "serv")
    assert (refused.returncode, "No such command 'serv'" in refused.stderr) == (2, True)


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version(tmp_path: Path, word: str) -> None:
    """Both forms print it."""
    done = _run(tmp_path, str(FUIN), word)
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def _leaves(verbs: Mapping[str, Verb | Group], group: object, before: str = "") -> Iterator[tuple[str, Verb, str]]:
    assert isinstance(group, typer.core.TyperGroup)
    for name, verb in verbs.items():
        found = group.commands[name]
        if isinstance(verb, Group):
            yield from _leaves(verb.verbs, found, f"{before}{name} ")
        else:
            yield before + name, verb, found.help or ""


def test_summaries_are_the_first_sentences() -> None:
    """What the help says of a verb without importing it is what the verb itself says."""
    for name, verb, text in _leaves(VERBS, typer.main.get_command(command())):
        assert verb.summary == " ".join(text.split("\n\n")[0].split()), name


def test_each_command_has_an_example() -> None:
    """The help of each command shows how it is used, by its own name."""
    for name, verb, text in _leaves(VERBS, typer.main.get_command(command())):
        if verb.attribute != "app":  # whose commands have their own
            assert "**Example" in text, name
            assert f"fuin {name}" in text, name
