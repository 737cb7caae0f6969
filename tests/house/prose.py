"""Sentences of the repository, as the test of words reads them: docstrings, comments, other texts and pages."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.house.source import REPOSITORY, Module, committed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# English that a reader whose first language is another one stumbles over, and the plain words for it.
PATTERNS = {
    r"\b[Tt]ells? (?:whether|that|if)\b": "say `return whether`, `say that`",
    r"\b(?:[Rr]eturn|[Yy]ield|[Gg]ive|[Nn]ote)s? what (?:is|are|was|were|has|have|it|they|there)\b": "name the noun",
    r"\b[Ww]hat of (?:it|its|them|a|an|the)\b": "say `which part of`",
    r"\b(?:if|unless|by) what\b": "say `under which conditions`, `which … by`",
    r"\b[Tt]here (?:is|are|was|were) none\b": "say `it has no …`, `without …`",
    r"\b(?:is|are|was|were) none(?: of \w+ \w+)?(?=[.,;:)])": "say `does not exist`, `is not a …`",
    r"\bthat there (?:is|are) (?:not|none)\b|\bthat there (?:is|are)(?=[.,;:)])": "say `that exists`",
    r"\bno more(?=\s*[.,;:)]|$)": "say `no longer`, `nothing else`",
    r"\bby (?:then|now)\b": "say `already`, `before that`",
    r"\b(?:a|an|one) (?!or\b)\w+ more\b(?! than)": "say `one more …`, `another …`",
    r"\bany more\b": "say `no longer`, `not … again`",
    r"\b[Ww]hoever\b": "say `anyone who`",
    r"\b(?:is|are|be|was) (?:not )?told\b": "say `learns`, or name the sentence that is returned",
    r"\b(?:whose|whom)\b[^.;:]*\b(?:whose|whom)\b": "make two sentences of it",
    r"\b(?:has|have) not (?:a|an|any|the|its|their|enough)\b": "say `has no`",
    r"\bstands? (?:in|on|at|above|below|beside|there|again|under)\b": "say `is in`, `is on`",
    r"\b(?:what|that) comes of\b": "say `the result of`, `the outcome of`",
    r"\b[Ss]o it is with\b": "say `the same holds for`",
    r"\b[Ll]et go of\b": "say `drop`, `forget`",
}
_PATTERNS = tuple((re.compile(pattern), advice) for pattern, advice in PATTERNS.items())
_CODE = re.compile(r"^(```|~~~).*?^\1[ \t]*$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(?:^\s*|  )# (.*)$")
_GENERATED = "docs/reference/command-line.md"  # the same sentences are in src/fuin/cli
_ANOTHERS = (
    "tests/",
    "src/fuin/store/identity/aws_policies/",
    "docs/decisions/",
)  # other rules, texts of AWS, and history


class Fault(NamedTuple):
    """One sentence that is not plain."""

    line: int
    words: str
    advice: str


def read_faults(path: Path) -> list[Fault]:
    """Return the sentences of a file that are not plain: of Python the texts and comments, of a page all but code."""
    text = path.read_text(encoding="utf-8")
    pieces = _python_pieces(text) if path.suffix == ".py" else _page_pieces(text)
    return [fault for line, piece in pieces for fault in find_faults(line, piece)]


def find_faults(line: int, text: str) -> Iterator[Fault]:
    """Yield the faults of one text, which begins at a line; line breaks in it count as spaces."""
    flat = re.sub(r"\s+", " ", text)
    for pattern, advice in _PATTERNS:
        for match in pattern.finditer(flat):
            yield Fault(line, match[0], advice)


def prose_files() -> list[tuple[str, Path]]:
    """Return the files with sentences of ours, and their paths in the repository."""
    listed = []
    for path in committed():
        name = path.relative_to(REPOSITORY).as_posix()
        ours = name.startswith(("src/", "demo/", "docs/")) or "/" not in name
        if ours and path.suffix in {".py", ".md"} and not name.startswith(_ANOTHERS) and name != _GENERATED:
            listed.append((name, path))
    return [(name, path) for name, path in listed if name != "CHANGELOG.md" and not name.endswith(".ja.md")]


def _python_pieces(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(Module("", text).tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    row, comment = -1, ""
    for number, line in enumerate(text.splitlines(), 1):
        found = _COMMENT.search(line)
        if found is None:
            continue
        if number != row + 1:
            yield row, comment
            comment = ""
        row, comment = number, f"{comment} {found[1]}"
    yield row, comment


def _page_pieces(text: str) -> Iterator[tuple[int, str]]:
    plain = _CODE.sub(lambda code: "x" + "\n" * code[0].count("\n"), text)
    line = 1
    for piece in re.split(r"(\n(?:\s*\n|(?=\s*(?:[*|#-]|\d+\.) )))", plain):
        yield line, piece
        line += piece.count("\n")
