"""Reading vectors: one JSON file each, binary members in hex."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"


def paths(folder: str) -> list[Path]:
    """Return the vectors of a format."""
    return sorted((FOLDER / folder).glob("*.json"))


def read(path: Path, *binary: str) -> dict[str, Any]:
    """Return the members of a vector, those named `binary` as bytes."""
    members: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {name: bytes.fromhex(value) if name in binary else value for name, value in members.items()}


def failures(folder: str) -> tuple[int, int]:
    """Return how many vectors of a format fail and how many do not."""
    errors = ["error" in read(path) for path in paths(folder)]
    return sum(errors), len(errors) - sum(errors)
