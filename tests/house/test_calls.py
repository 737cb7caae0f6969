"""What the source may not use: pickle, print outside the command line, XML that expands entities, eval, select."""

import ast

import pytest

from tests.house.source import Module, modules, names

# name that may not be imported -> the modules that may, with the reason.
IMPORTS: dict[str, dict[str, str]] = {
    "pickle": {},
    "marshal": {},
    "shelve": {},
    "xml": {"s3.request.xml": "the one reader of XML; it refuses document types and entities"},
    "random": {},
}
# built-in that may not be called -> the rooms that may.
CALLS: dict[str, tuple[str, ...]] = {"print": ("cli",), "eval": (), "exec": (), "breakpoint": ()}
# module -> the function of it that may not be called: select fails for each descriptor from 1024 on, poll for none.
FUNCTIONS = {"select": "select"}
_FULL = {f"{module}.{function}" for module, function in FUNCTIONS.items()}


def unwanted(module: Module) -> list[str]:
    """Return the unwanted imports and calls of a module."""
    found = []
    for line, full in module.imports(names(modules())):
        top = full.split(".")[0]
        if top in IMPORTS and module.name not in IMPORTS[top] and not full.startswith("xml.sax.saxutils"):
            found.append(f"{module.name}:{line} imports {full}")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            rooms = CALLS.get(node.func.id)
            if rooms is not None and module.room not in rooms:
                found.append(f"{module.name}:{node.lineno} calls {node.func.id}")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in _FULL:
            found.append(f"{module.name}:{node.lineno} uses {ast.unparse(node)}")
        if isinstance(node, ast.ImportFrom) and node.module in FUNCTIONS:
            found.append(f"{module.name}:{node.lineno} imports from {node.module}; import the module")
    return found


def test_source_uses_nothing_unwanted() -> None:
    """No pickle, no print, no eval, no select, and XML is read in one place only."""
    found = [line for module in modules() for line in unwanted(module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kms.app", "import pickle"),
        ("kms.app", "print('hello')"),
        ("s3.buckets.buckets", "from xml.etree import ElementTree"),
        ("store.keys", "import random"),
        ("store.keys", "eval('1')"),
        ("store.keys", "select.select([], [], [])"),
        ("store.keys", "from select import select"),
    ],
)
def test_unwanted_use_is_found(name: str, text: str) -> None:
    """The check itself sees each unwanted use."""
    assert unwanted(Module(name, text))


def test_command_line_may_print() -> None:
    """The command line prints, and s3/request/xml.py reads XML."""
    assert unwanted(Module("cli.main", "print('hello')")) == []
    assert unwanted(Module("s3.request.xml", "from xml.parsers import expat")) == []
