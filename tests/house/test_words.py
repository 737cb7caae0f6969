"""The house speaks plainly: what is not plain yet is listed, and the lists only shrink.

`python -m tests.house.test_words` takes out of both lists what has become plain, and follows files that have moved; it
adds nothing. In a conflict, take either side and run it.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.house.name_rules import bare_names, is_bare
from tests.house.prose import find_faults, prose_files, read_faults
from tests.house.source import Module, modules

HERE = Path(__file__).parent
NAMES_FILE = HERE / "bare_names.txt"  # a room and a name on each line
PROSE_FILE = HERE / "plain_words.txt"  # a file and the number of its faults on each line
HOW = "\n(after an improvement: .venv/bin/python -m tests.house.test_words)"


@cache
def names_of_today() -> dict[str, list[str]]:
    """Return where the bare names are: `room name` -> places."""
    places: dict[str, list[str]] = {}
    for module in modules():
        for line, name in bare_names(module):
            places.setdefault(f"{module.room} {name}", []).append(f"{module.name}:{line}")
    return places


@cache
def prose_of_today() -> dict[str, list[str]]:
    """Return the sentences that are not plain: file -> a line for each."""
    faults = {name: read_faults(path) for name, path in prose_files()}
    return {
        name: [f"{name}:{fault.line} {fault.words!r}: {fault.advice}" for fault in found]
        for name, found in faults.items()
        if found
    }


def listed_names() -> list[str]:
    """Return the lines of the list of names."""
    return NAMES_FILE.read_text(encoding="utf-8").splitlines()


def listed_prose() -> dict[str, int]:
    """Return the list of sentences: file -> how many."""
    lines = PROSE_FILE.read_text(encoding="utf-8").splitlines()
    return {name: int(count) for name, count in (line.rsplit(" ", 1) for line in lines)}


def test_functions_have_plain_names() -> None:
    """A function is named by a verb phrase or a noun, but for those that are listed."""
    listed = set(listed_names())
    new = [f"{name}: {', '.join(places)}" for name, places in names_of_today().items() if name not in listed]
    assert not new, "name these by a verb phrase, or by the noun that they return:\n" + "\n".join(sorted(new))


def test_list_of_names_shrinks() -> None:
    """A listed name is still there, once, in order: what has been renamed leaves the list."""
    lines = listed_names()
    gone = [line for line in lines if line not in names_of_today()]
    assert not gone, "renamed, so take them off the list:\n" + "\n".join(gone) + HOW
    assert lines == sorted(set(lines))


def test_sentences_are_plain() -> None:
    """Docstrings, comments, texts and pages are without the listed patterns, but for as many as the list allows."""
    listed = listed_prose()
    worse = [
        line for name, lines in prose_of_today().items() if len(lines) > listed.get(name, 0) for line in sorted(lines)
    ]
    assert not worse, "say these plainly:\n" + "\n".join(worse) + HOW


def test_list_of_sentences_shrinks() -> None:
    """The list allows no more than there are."""
    today = prose_of_today()
    better = [f"{name}: {count}, now {len(today.get(name, ()))}" for name, count in listed_prose().items()
              if len(today.get(name, ())) < count]  # fmt: skip
    assert not better, "lower these in the list:\n" + "\n".join(better) + HOW


@pytest.mark.parametrize(
    "name", ["of", "_held", "shown", "_told", "allowed", "_again", "unseen", "of_request", "_by_id"]
)
def test_bare_name_is_found(name: str) -> None:
    """The check itself sees a participle, an adjective, a preposition and an adverb."""
    assert is_bare(name)
    assert list(bare_names(Module("kms.thing", f"class C:\n  async def {name}(self): ...\n"))) == [(2, name)]


@pytest.mark.parametrize(
    "name", ["refuse", "need", "_feed", "policy", "parse_request", "is_held", "to_json", "with_key"]
)
def test_plain_name_is_taken(name: str) -> None:
    """The check itself takes verbs, nouns, questions and conversions."""
    assert not is_bare(name)


def test_property_of_truth_is_taken() -> None:
    """The check itself takes a participle for a property that is True or False, and for nothing else."""
    text = "class C:\n  @property\n  def allowed(self) -> {}: ...\n"
    assert not list(bare_names(Module("kms.thing", text.format("bool"))))
    assert list(bare_names(Module("kms.thing", text.format("str"))))


@pytest.mark.parametrize(
    "text",
    [
        "Tell whether it is so.", "Return what is due.", "Raises NotFound where there\n    is none.", "It is no more.",
        "What of it matched.", "Its ARN stands above.", "Each whose key, or whom a policy names, whose right it is.",
    ],
)  # fmt: skip
def test_hard_sentence_is_found(text: str) -> None:
    """The check itself sees the patterns, also across a line's end."""
    assert list(find_faults(1, text))


def test_plain_sentence_is_taken() -> None:
    """The check itself takes plain English."""
    assert not list(find_faults(1, "Return whether the key is enabled. There are no more than five. One or more."))


def shrink() -> int:
    """Write both lists anew from today's state, if neither grows; return the exit status."""
    names, prose = sorted(names_of_today()), {name: len(lines) for name, lines in sorted(prose_of_today().items())}
    if len(names) > len(listed_names()) or sum(prose.values()) > sum(listed_prose().values()):
        sys.stderr.write("a list would grow: see what the tests say\n")
        return 1
    moved = Counter(name.split()[1] for name in names) - Counter(name.split()[1] for name in listed_names())
    if moved.total() and not set(moved) <= {name.split()[1] for name in listed_names()}:
        sys.stderr.write(f"new bare names: {', '.join(sorted(moved))}\n")
        return 1
    NAMES_FILE.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    PROSE_FILE.write_text("".join(f"{name} {count}\n" for name, count in prose.items()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(shrink())
