"""The commands for every day start fast: what each of them imports is held, since times differ between machines.

A command may take 0.25 CPU seconds to start. Python and typer take 0.1 of them, botocore without its common runtime
0.12; so nothing else that is large has room.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fuin.cli.verb_table import DAILY, VERBS, Group, Verb
from tests.house.source import Module, modules, names
from tests.support import environment

# Each of these costs from 0.02 to 1 CPU second.
HEAVY = frozenset((
    "alembic", "asyncio", "boto3", "Crypto", "cryptography", "httptools", "markdown_it", "msgspec", "multiprocessing",
    "pygments", "rich", "s3transfer", "sqlalchemy", "uvicorn", "uvloop", "fuin.access", "fuin.identity", "fuin.gate",
    "fuin.keyholder", "fuin.server", "fuin.store",
))  # fmt: skip
# What a command may import nevertheless, since it cannot work without.
_MESSAGES = {"msgspec"}  # the header of a message
NEEDED = {
    "encrypt": {"cryptography", "rich"} | _MESSAGES,
    "decrypt": {"cryptography", "rich"} | _MESSAGES,
    "inspect": _MESSAGES,
}
ON_THE_DATA_FOLDER = {"key dependents", "user add", "user policy"}
SCRIPT = """
import sys
from fuin.cli.deferred_crt import defer_crt
from fuin.cli.verbs import command
defer_crt()
for words in sys.argv[1:]:
    command(words.split())
print(*{name for name in sys.modules if name.count(".") < 2})
print(hasattr(sys.modules.get("_awscrt"), "__file__"))
"""


def words(verbs: Mapping[str, Verb | Group], before: str = "") -> Iterator[tuple[str, Verb]]:
    """Yield the words of each verb, and the verb."""
    for name, verb in verbs.items():
        if isinstance(verb, Group):
            yield from words(verb.verbs, f"{before}{name} ")
        else:
            yield before + name, verb


def daily() -> dict[str, Verb]:
    """Return the commands for every day that go over the wire, by their words."""
    chosen = {name: verb for name, verb in VERBS.items() if verb.panel in {DAILY, None}}
    return {name: verb for name, verb in words(chosen) if name not in ON_THE_DATA_FOLDER}


def heavy_imports(start: str, among: tuple[Module, ...]) -> dict[str, str]:
    """Return what is large and imported at the start of a module of `fuin`, and which module of ours imports it."""
    known = names(among)
    by_name = {module.name: module for module in among}
    found, todo, seen = {}, [start], {start}
    while todo:
        module = by_name[todo.pop()]
        for _, full in module.imports(known, at_run_time=True):
            parts = full.split(".")
            heavy = {".".join(parts[:count]) for count in (1, 2)} & HEAVY
            found.update(dict.fromkeys(heavy, module.name))
            inner = full.removeprefix("fuin.")
            if parts[0] == "fuin" and inner in by_name and inner not in seen and not heavy:
                seen.add(inner)
                todo.append(inner)
    return found


@pytest.mark.parametrize("name", sorted(daily()))
def test_daily_command_imports_nothing_large(name: str) -> None:
    """Neither the database nor the server, nor a library that only other commands use."""
    found = heavy_imports(f"cli.{daily()[name].module}", modules())
    too_much = {module: by for module, by in found.items() if module not in NEEDED.get(name, set())}
    assert not too_much, f"fuin {name} imports {too_much}"


@pytest.mark.parametrize("name", ["cli.main", "cli.verbs", "cli.version"])
def test_help_imports_no_client(name: str) -> None:
    """The help and the version need nothing but typer."""
    known = names(modules())
    assert not heavy_imports(name, modules())
    (module,) = (module for module in modules() if module.name == name)
    assert not [full for _, full in module.imports(known) if full.startswith("botocore")]


def test_large_import_is_found() -> None:
    """The check itself sees an import of the database, also through a module between, and takes one for types."""
    below = Module("cli.below", "import sqlalchemy\n")
    assert heavy_imports("cli.top", (Module("cli.top", "from fuin.cli import below\n"), below)) == {
        "sqlalchemy": "cli.below"
    }
    types = Module("cli.top", "if TYPE_CHECKING:\n    import sqlalchemy\n")
    assert not heavy_imports("cli.top", (types, below))


def test_daily_commands_load_nothing_large(tmp_path: Path) -> None:
    """What a process holds that has loaded them all; the common runtime of AWS is only a stand-in in it."""
    names_of_all = [name for name in daily() if name not in NEEDED]
    run = [sys.executable, "-c", SCRIPT, "--help", *names_of_all]
    done = subprocess.run(run, env=environment.clean(tmp_path), capture_output=True, text=True, check=True)
    loaded, crt = done.stdout.splitlines()
    assert not HEAVY & set(loaded.split())
    assert crt == "False", "the common runtime was loaded"
