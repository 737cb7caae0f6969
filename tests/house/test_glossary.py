"""The glossary names types that exist, each once: one word, one thing."""

import ast
import re
from functools import cache

from tests.house.source import REPOSITORY, modules

PAGE = REPOSITORY / "docs" / "explanation" / "words.md"
_ROW = re.compile(r"^\| (?P<word>[^|]+) \| (?P<meaning>[^|]+) \| (?:`(?P<type>[\w.]+)`)? ?\|$", re.MULTILINE)


def rows(text: str) -> list[tuple[str, str]]:
    """Return the words of a glossary with their types: `room.Name`, or empty for a word without one."""
    found = [(match["word"], match["type"] or "") for match in _ROW.finditer(text)]
    return [(word, type_name) for word, type_name in found if word not in {"word", "---"}]


@cache
def types() -> frozenset[tuple[str, str]]:
    """Return room and name of every class and named type of the source."""
    found = set()
    for module in modules():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                found.add((module.room, node.name))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.add((module.room, node.targets[0].id))
    return frozenset(found)


def mistakes(text: str) -> list[str]:
    """Return the rows whose word or type is there twice, or whose type is not in its room."""
    words, named = zip(*rows(text), strict=True)
    wrong = [f"{word} has two rows" for word in sorted(set(words)) if words.count(word) > 1]
    for word, name in rows(text):
        room, _, type_name = name.rpartition(".")
        if name and (room, type_name) not in types():
            wrong.append(f"{word}: the room {room} has no type {type_name}")
        if name and named.count(name) > 1:
            wrong.append(f"{word}: {name} is the type of two words")
    return wrong


def test_words_have_their_types() -> None:
    """Each word of the glossary is there once, and its type is in the room that the page names."""
    text = PAGE.read_text(encoding="utf-8")
    assert len(rows(text)) >= 25
    assert not mistakes(text), "\n".join(mistakes(text))


def test_a_wrong_row_is_found() -> None:
    """The check itself sees a missing type, a word with two rows and a type with two words."""
    head = "| word | meaning | type |\n|---|---|---|\n"
    assert mistakes(head + "| call | one request | `gate.Coll` |\n") == ["call: the room gate has no type Coll"]
    assert mistakes(head + "| call | one | |\n| call | two | |\n") == ["call has two rows"]
    assert len(mistakes(head + "| call | one | `gate.Call` |\n| request | two | `gate.Call` |\n")) == 2
    assert mistakes(head + "| call | one request | `gate.Call` |\n") == []
