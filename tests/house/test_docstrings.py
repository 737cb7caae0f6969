"""Everything public says in one sentence what it is."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.source import Function, Module, modules

Documented = ast.Module | ast.ClassDef | Function
_ENDS = (".", "…", ":", "?")

_NAMES = ("aws", "boto3", "botocore", "fuin", "uvicorn")  # sentences may start with these names as they are written

# module:name -> why it needs no sentence.
EXCEPTIONS: dict[str, str] = {}


def _public(tree: ast.Module) -> Iterator[tuple[str, Documented]]:
    """Yield what a reader meets: the module, public classes and functions, and their public methods."""
    yield "module", tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name, node


def _is_sentence(text: str) -> bool:
    """Return whether a docstring starts with a sentence, which may end before a blank line only."""
    starts = not text[0].islower() or text.startswith(_NAMES)
    return starts and text.split("\n\n", maxsplit=1)[0].rstrip(")`").endswith(_ENDS)


def unsaid(module: Module) -> list[str]:
    """Return what has no docstring, or one that does not start with a sentence: a capital, and a stop at its end."""
    found = []
    if not module.text.strip():
        return []  # an inner package without anything in it
    for name, node in _public(module.tree):
        text = ast.get_docstring(node)
        where = f"{module.name}:{getattr(node, 'lineno', 1)} {name}"
        if f"{module.name}:{name}" in EXCEPTIONS:
            continue
        if not text:
            found.append(f"{where} has no docstring")
        elif not _is_sentence(text):
            found.append(f"{where} does not start with a sentence: {text.splitlines()[0]!r}")
    return found


def test_everything_public_has_a_sentence() -> None:
    """Modules, public classes, functions and methods start with a sentence."""
    found = [line for module in modules() for line in unsaid(module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n",
        '"""no capital."""\n',
        '"""No stop"""\n',
        '"""A module."""\ndef f():\n    pass\n',
        '"""A module."""\nclass C:\n    pass\n',
        '"""A module."""\nclass C:\n    """A class."""\n    async def f(self):\n        pass\n',
    ],
)
def test_missing_sentence_is_found(text: str) -> None:
    """The check itself sees what is missing."""
    assert unsaid(Module("kms.thing", text))


def test_private_names_need_no_sentence() -> None:
    """Private and nested functions may go without."""
    text = '"""A module."""\ndef _f():\n    pass\ndef g():\n    """Do it.\n\n    More."""\n    def h():\n        pass\n'
    assert unsaid(Module("kms.thing", text)) == []
