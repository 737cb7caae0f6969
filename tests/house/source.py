"""The repository's files and modules, as the house tests look at them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src" / "fuin"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python module: its name below `fuin` (kms.app; empty for the package itself), its text and its tree."""

    name: str
    text: str

    @property
    def room(self) -> str:
        """Return the room, the first part of the name: kms, or errors for a module that stands alone."""
        return self.name.split(".")[0]

    @property
    def tree(self) -> ast.Module:
        """Return the parsed text."""
        return _parsed(self.text)

    def imports(self, known: frozenset[str], *, at_run_time: bool = False) -> Iterator[tuple[int, str]]:
        """Yield (line, full name) of everything imported, wherever in the module it stands.

        `from fuin.kms import on_behalf` counts as fuin.kms.on_behalf when `known` names that module, else as fuin.kms;
        names taken from other packages always count with the package: cryptography.x509. `at_run_time` leaves out what
        is imported for types only, or not before a function is called.
        """
        for node in _top_level(self.tree) if at_run_time else ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    ours = base == "fuin" or base.startswith("fuin.")
                    yield node.lineno, inner if not ours or inner.removeprefix("fuin.") in known else base

    def _base(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = ["fuin", *self.name.split(".")]
        return ".".join([*parts[: len(parts) - node.level], *([node.module] if node.module else [])])


def _top_level(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported: all but functions' bodies and imports for types."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            continue
        yield child
        inner = child.orelse if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test) else [child]
        for each in inner:
            yield from _top_level(each)


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def modules() -> tuple[Module, ...]:
    """Return all modules of `src/fuin`."""
    return tuple(_read(path) for path in sorted(SOURCE.rglob("*.py")))


def _read(path: Path) -> Module:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path.read_text(encoding="utf-8"))


@cache
def names(among: tuple[Module, ...]) -> frozenset[str]:
    """Return the names of modules."""
    return frozenset(module.name for module in among)


def graph(among: tuple[Module, ...], *, at_run_time: bool, packages: bool = True) -> dict[str, frozenset[str]]:
    """Return what each module imports of the others, by name.

    Importing a module runs its packages first. Without `packages`, a module's own ones are left out: they are always
    there before it.
    """
    known = names(among)
    edges = {}
    for module in among:
        own = f"fuin.{module.name}"
        imported = {full for _, full in module.imports(known, at_run_time=at_run_time) if full.split(".")[0] == "fuin"}
        found = {name for full in (own, *imported) for name in _with_packages(full)}
        if not packages:
            found -= set(_with_packages(own)) - {full.removeprefix("fuin.") for full in imported}
        edges[module.name] = frozenset(found.intersection(known) - {module.name})
    return edges


def _with_packages(full: str) -> list[str]:
    """Return a module's name below `fuin` and those of the packages that it is in."""
    parts = full.split(".")[1:]
    return [".".join(parts[:count]) for count in range(len(parts) + 1)]


def reachable(edges: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return all that each node leads to, over any number of edges; itself only if it is in a circle."""
    return {start: _reachable(edges, start) for start in edges}


def _reachable(edges: dict[str, frozenset[str]], start: str) -> frozenset[str]:
    seen: set[str] = set()
    todo = list(edges[start])
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += edges[node]
    return frozenset(seen)


@cache
def committed() -> tuple[Path, ...]:
    """Return the files that git holds; outside a git checkout, all files but those of environments and caches."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        found = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    else:
        found = [path for path in REPOSITORY.rglob("*") if not _is_made(path.relative_to(REPOSITORY))]
    return tuple(sorted(path for path in found if path.is_file()))


def _is_made(path: Path) -> bool:
    return any(part.startswith((".venv", ".git", ".mypy", ".ruff", ".pytest", "__pycache__")) for part in path.parts)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield all functions and methods, nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
