"""Arguments that are pairs: of an encryption context, and tags."""

from __future__ import annotations

import typer


def parse_pairs(pairs: list[str] | None, option: str = "--context", form: str = "KEY=VALUE") -> dict[str, str]:
    """Return the pairs of an option's arguments; raises BadParameter if one is not of the form, or comes twice."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{option} takes {form}, not {pair!r}")
        if key in found:
            raise typer.BadParameter(f"{option} has {key!r} twice")
        found[key] = value
    return found
