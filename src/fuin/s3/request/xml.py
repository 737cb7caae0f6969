"""S3's XML: a bounded reader that refuses document types and entities, and a writer that escapes everything.

Document types are refused because of entity expansion and external entities (CWE-776, CWE-611); S3's documents have
neither. Namespaces are accepted and ignored, since clients send both forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_DEPTH_LIMIT = 12
_ELEMENT_LIMIT = 100_000  # 10,000 parts with an ETag, a number and two checksums each are 50,001


class MalformedDocument(Exception):
    """Bytes that are not an XML document of the kind that S3 takes."""


@dataclass(slots=True)
class Node:
    """One element: its name without namespace, its text, its child elements."""

    name: str
    value: str = ""
    children: list[Node] = field(default_factory=list)

    def find_children(self, name: str) -> list[Node]:
        """Return the children of that name."""
        return [child for child in self.children if child.name == name]

    def find_child(self, name: str) -> Node | None:
        """Return the only child of that name, or None; raises MalformedDocument when there are more."""
        found = self.find_children(name)
        if len(found) > 1:
            raise MalformedDocument(f"more than one {name}")
        return found[0] if found else None

    def get(self, name: str) -> str | None:
        """Return the text of the only child of that name, or None."""
        child = self.find_child(name)
        return None if child is None else child.value

    def refuse_others(self, *names: str) -> None:
        """Raise MalformedDocument when there is a child of any other name."""
        for child in self.children:
            if child.name not in names:
                raise MalformedDocument(f"unknown element {child.name}")


class _Reader:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._stack: list[Node] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _ELEMENT_LIMIT or len(self._stack) >= _DEPTH_LIMIT:
            raise MalformedDocument("too many elements")
        node = Node(name.rpartition(" ")[2])
        if self._stack:
            self._stack[-1].children.append(node)
        else:
            self.root = node
        self._stack.append(node)
        self._texts.append([])

    def text(self, data: str) -> None:
        self._texts[-1].append(data)

    def end(self, _name: str) -> None:
        node = self._stack.pop()
        node.value = "".join(self._texts.pop())


def _refuse(*_arguments: object) -> None:
    raise MalformedDocument("document types and entities are not accepted")


def parse(data: bytes, root: str) -> Node:
    """Return the root element of a document; raises MalformedDocument, also when it has another name."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise MalformedDocument("not well-formed") from error
    if reader.root is None or reader.root.name != root:
        raise MalformedDocument(f"expected {root}")
    return reader.root


# Characters that XML 1.0 cannot hold are written as references, as S3 does; encoding-type=url avoids them.
_SPECIAL = re.compile(r"[&<>\"\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(value: str) -> str:
    """Return text as it stands between tags."""
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0]) or f"&#x{ord(found[0]):x};", value)


def text(name: str, value: object) -> str:
    """Return an element with text; True and False are written in lower case."""
    shown = ("false", "true")[value] if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(shown)}</{name}>"


def tag(name: str, *content: str) -> str:
    """Return an element around content that is XML already."""
    return f"<{name}>{''.join(content)}</{name}>"


def document(name: str, *content: str) -> bytes:
    """Return a whole document in S3's namespace."""
    return f'{_DECLARATION}<{name} xmlns="{NAMESPACE}">{"".join(content)}</{name}>'.encode()


def bare_document(name: str, content: str) -> bytes:
    """Return a whole document without a namespace, as error answers are."""
    return f"{_DECLARATION}<{name}>{content}</{name}>".encode()
