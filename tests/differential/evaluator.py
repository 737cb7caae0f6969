"""The other evaluator: iam-simulate, in Node.js, asked about many worlds at once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.differential.differences import adapted, unlimited
from tests.differential.worlds import World

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = REPOSITORY / ".venv-evaluator"
_PROGRAM = Path(__file__).parent / "javascript" / "evaluate.cjs"
MISSING = "node or the packages of .venv-evaluator are not installed (make .venv-evaluator/.done): nothing was compared"


class Disagreement(NamedTuple):
    """A world that is decided otherwise there, and by nothing that is known of."""

    world: World
    here: bool
    there: str


def is_installed() -> bool:
    """Tell whether the other evaluator can be asked."""
    return shutil.which("node") is not None and (PACKAGES / ".done").exists()


def asked(worlds: Iterable[World]) -> list[str]:
    """Return what the other evaluator says of each world, as it is: Allowed, ImplicitlyDenied or ExplicitlyDenied."""
    lines = "".join(world.simulation() + "\n" for world in worlds)
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, str(_PROGRAM)], env={"NODE_PATH": str(PACKAGES / "node_modules")}, input=lines, text=True,
        capture_output=True, timeout=600, check=True,
    )  # fmt: skip
    return [_result(line) for line in done.stdout.splitlines()]


def _result(line: str) -> str:
    answer = json.loads(line)
    assert "error" not in answer, f"the other evaluator does not take a policy: {answer}"
    assert not answer["ignored"], f"the other evaluator does not know these keys of the action: {answer}"
    result: str = answer["result"]
    return result


def disagreements(worlds: Sequence[World], decided: Sequence[bool]) -> list[Disagreement]:
    """Return where the decisions differ from the other evaluator's, but for the known differences."""
    told = asked(adapted(world) for world in worlds)
    assert len(told) == len(worlds)
    found = [
        Disagreement(*each) for each in zip(worlds, decided, told, strict=True) if each[1] is not (each[2] == "Allowed")
    ]  # fmt: skip
    return _unexplained(found)


def _unexplained(found: list[Disagreement]) -> list[Disagreement]:
    """Leave out where the other one allows, too, once no session policy limits what AWS does not let it limit."""
    again = [unlimited(one.world) if one.here else None for one in found]
    told = iter(asked(adapted(world) for world in again if world is not None))
    return [
        one for one, world in zip(found, again, strict=True) if world is None or next(told) != "Allowed"
    ]  # fmt: skip
