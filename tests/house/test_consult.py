"""Decisions are taken by `consult`: what is not in memory may have to be waited for, and a decision cannot wait.

A function *decides* when it reads the catalog, looks something up, asks for a right, or calls (or hands on) a function
that decides. An async function calls no deciding function itself: it awaits `call.consult(function, …)`. See
docs/decisions/0013.
"""

import ast
from collections.abc import Iterator

from tests.house.source import Function, Module, modules

# What decides: the store itself, commands (which wait in their own thread), and pure rules.
_ELSEWHERE = ("store", "cli", "access", "testing")
# Waits for what it misses in another way: it says what to do when memory has not what it needs.
_EXCEPTIONS = {
    ("server.edge", "gate.authentication.cached_caller"): "on a miss the caller is authenticated by `consult`"
}


class _Room:
    """The functions of all modules, and which of them decide."""

    def __init__(self, source: list[Module]) -> None:
        self._catalog = _methods(next((m for m in source if m.name == "store.catalog"), None))
        self._names = {module.name for module in source}
        self._environments = {module.name: _environment(module) for module in source}
        self.source = [m for m in source if m.room not in _ELSEWHERE]
        uses: dict[str, set[str]] = {}  # by function: what it calls or hands on
        self.deciding: set[str] = set()
        for module in self.source:
            for function in module.tree.body:
                if isinstance(function, ast.FunctionDef):
                    name, nodes = f"{module.name}.{function.name}", list(ast.walk(function))
                    uses[name] = {used for node in nodes for used in self._used(module.name, node)}
                    if any(map(self._asks, nodes)):
                        self.deciding.add(name)
        while more := {name for name, used in uses.items() if name not in self.deciding and used & self.deciding}:
            self.deciding |= more

    def _used(self, module: str, node: ast.AST) -> Iterator[str]:
        """Yield the functions that a node calls or hands on."""
        for one in (node.func, *node.args) if isinstance(node, ast.Call) else ():
            if (name := self._resolve(module, one)) is not None:
                yield name

    def _asks(self, node: ast.AST) -> bool:
        """Return whether a node reads the catalog, looks something up or asks for a right."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        return node.func.attr in ("look_up", "permit") or (
            node.func.attr in self._catalog and "catalog" in ast.unparse(node.func.value)
        )

    def _resolve(self, module: str, node: ast.AST) -> str | None:
        environment = self._environments[module]
        if isinstance(node, ast.Name):
            return environment.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = environment.get(node.value.id)
            return f"{base}.{node.attr}" if base in self._names else None
        return None

    def unconsulted(self) -> Iterator[str]:
        """Yield each call of a deciding function by an async one."""
        for module in self.source:
            for function in ast.walk(module.tree):
                if not isinstance(function, ast.AsyncFunctionDef):
                    continue
                for node in _body(function):
                    name = self._resolve(module.name, node.func) if isinstance(node, ast.Call) else None
                    name = "the catalog" if self._asks(node) else name if name in self.deciding else None
                    if name is not None and (module.name, name) not in _EXCEPTIONS:
                        yield f"{module.name}:{getattr(node, 'lineno', 0)} {function.name} decides by {name}"


def _methods(catalog: Module | None) -> set[str]:
    """Return the names of the catalog's entries."""
    classes = [] if catalog is None else [n for n in catalog.tree.body if isinstance(n, ast.ClassDef)]
    entries = [node for one in classes if one.name == "Catalog" for node in one.body]
    return {n.name for n in entries if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")} - {"clear"}


def _environment(module: Module) -> dict[str, str]:
    """Return what the names of a module stand for: its own functions, and what it imports of Fuin."""
    found = {n.name: f"{module.name}.{n.name}" for n in module.tree.body if isinstance(n, Function)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fuin":
            base = (node.module or "").removeprefix("fuin").removeprefix(".")
            found |= {alias.asname or alias.name: f"{base}.{alias.name}".lstrip(".") for alias in node.names}
    return found


def _body(function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions in it: those run when they are called."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        yield node
        todo += ast.iter_child_nodes(node)


def test_async_functions_consult() -> None:
    """No async function takes a decision that it could not wait for."""
    room = _Room(list(modules()))
    assert {"gate.permit.permit", "kms.reach.key.open_key", "s3.request.rights.authorize_object"} <= room.deciding
    found = list(room.unconsulted())
    assert not found, "\n".join(found)


def test_a_direct_decision_is_found() -> None:
    """The check itself sees a direct question to the catalog, and one through two functions."""
    catalog = Module("store.catalog", "class Catalog:\n    def key(self): ...")
    rights = Module(
        "kms.r", "def near(call):\n    return call.store.catalog().key()\ndef far(call):\n    return near(call)"
    )
    good = Module("kms.g", "from fuin.kms.r import far\nasync def run(call):\n    await call.consult(far)")
    bad = Module(
        "kms.b", "from fuin.kms import r\nasync def run(call):\n    r.far(call)\n    call.store.catalog().key()"
    )
    found = list(_Room([catalog, rights, good, bad]).unconsulted())
    assert sorted(found) == ["kms.b:3 run decides by kms.r.far", "kms.b:4 run decides by the catalog"]
