"""The rule for the names of functions: a verb phrase, or the noun that is returned."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house.source import Function, Module


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREPOSITIONS = _words(
    "about above after among at before below beside between beyond by during for in inside of on outside over "
    "since through under until upon via within without"
)
# A conversion or a changed copy is named so in Python's own library: `to_json`, `from_bytes`, `with_suffix`.
CONVERSIONS = frozenset(("as", "from", "to", "with"))
ADVERBS = _words(
    "again alone already also altogether apart away either else elsewhere enough ever forever here instead "
    "meanwhile next not now off once only out still then there together too up yet"
)
LITTLE_WORDS = _words(
    "all any anybody anyone anything because both each everybody everyone everything less many more most much "
    "neither nobody none nothing one other others several some someone that these this those unless what whatever "
    "when where which who whoever whole whom whose why"
)
ADJECTIVES = _words(
    "active alive allowable bare big binary certain dry due eager early equal fit free fresh full general good "
    "idle known large late lean least long missing narrow narrower near new old own proven quick reachable "
    "readable ready retirable right short silent single slow small sole sparse stale steady true unfit unique "
    "unmet unopened unplaced unseen unusual usable valid whole wide wider wrong"
)
PARTICIPLES = _words(
    "asking beginning begun bent bought bound broken brought built caught chosen deciding done drawn driven dug "
    "existing fallen felt forgotten fought found given gone grown heard held hidden hung kept laid learnt led "
    "left lent lost made meant met overlaid overwritten paid proven rewritten ridden risen run said seen sent "
    "shaken shown sought spent spoken stolen stood stretched struck swept sworn taken taught thought thrown told "
    "torn trusting understood undone unsaid used waiting wanting withdrawn won worn woven written"
)
VERBS_IN_ED = _words("bleed breed embed exceed feed heed need proceed seed shed shred speed succeed weed")
NOUNS_IN_RULES = frozenset(("right", "run", "general"))  # a right of somebody, to run something; also nouns or verbs
LONE = (PREPOSITIONS | CONVERSIONS | ADVERBS | LITTLE_WORDS | ADJECTIVES | PARTICIPLES) - NOUNS_IN_RULES


def is_bare(name: str) -> bool:
    """Return whether a name is a lone participle, adjective, preposition or adverb, or begins as a clause does."""
    words = [word for word in name.strip("_").split("_") if word]
    if not words:
        return False
    if len(words) > 1:
        return words[0] in PREPOSITIONS
    return words[0] in LONE or _is_participle(words[0])


def _is_participle(word: str) -> bool:
    return len(word) > 3 and word.endswith("ed") and word not in VERBS_IN_ED


def bare_names(module: Module) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each function and method of a module that is named so.

    A property that is True or False may be a participle: `decision.allowed` can be read aloud. Python's own names and
    those that start with `on_` (what a parser or a protocol calls) are not ours to choose.
    """
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        given = node.name.startswith("__") or node.name.startswith("on_")
        if not given and not _is_statement(node) and is_bare(node.name):
            yield node.lineno, node.name


def _is_statement(node: Function) -> bool:
    is_property = any("property" in ast.unparse(decorator) for decorator in node.decorator_list)
    return is_property and node.returns is not None and ast.unparse(node.returns) == "bool"
