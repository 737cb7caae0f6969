"""Nobody takes a sentence apart: what a program needs to know of an error is a field of it."""

import ast

import pytest

from tests.house.source import Module, modules

_CUTTING = {
    "endswith", "find", "index", "partition", "removeprefix", "removesuffix", "replace", "rpartition", "split",
    "startswith",
}  # fmt: skip
# module -> why it has to read the text of an error.
_EXCEPTIONS = {
    "store.engine.migrate": "SQLite says only in words that a table does not exist",
    "store.engine.postgres.errors": "libpq says only in words why a server has refused a connection",
    "identity.wire.faults": "the text of the store's NotFound is the name that does not exist, which may be an ARN",
}


def taken_apart(module: Module) -> list[str]:
    """Return the places where the sentence of an error is searched, cut or added to, each as a readable line."""
    return [
        f"{module.name}:{node.lineno} takes a sentence apart"
        for node in ast.walk(ast.parse(module.text))
        if isinstance(node, ast.expr) and _takes_apart(node)
    ]


def _takes_apart(node: ast.expr) -> bool:
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[right]):
            return _is_sentence(right)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)):
            return _is_sentence(value) and attr in _CUTTING
        case ast.BinOp(left=left, right=right):
            return _is_sentence(left) or _is_sentence(right)
        case ast.Subscript(value=value):
            return _is_sentence(value)
    return False


def _is_sentence(node: ast.expr) -> bool:
    """Return whether an expression is the sentence of something, or the text of what is called an error."""
    match node:
        case ast.Attribute(attr="sentence"):
            return True
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error")]):
            return True
    return False


def test_no_sentence_is_taken_apart() -> None:
    """A sentence may be reworded, and nothing else changes."""
    found = [line for module in modules() if module.name not in _EXCEPTIONS for line in taken_apart(module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        'if "deny" in error.sentence: pass',
        'error.sentence.replace("a", "b")',
        'raise AccessDenied(error.sentence + "more")',
        'str(error).startswith("arn:")',
        "error.sentence[3:]",
    ],
)
def test_each_way_is_found(text: str) -> None:
    """The check itself sees each way of taking a sentence apart."""
    assert taken_apart(Module("kms.keys.keys", text))


@pytest.mark.parametrize("text", ['Wire("AccessDenied", error.sentence)', "if error.sentence: pass", "str(error)"])
def test_telling_is_allowed(text: str) -> None:
    """A sentence is told as it is."""
    assert not taken_apart(Module("kms.keys.keys", text))
