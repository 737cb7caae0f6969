"""Lock files pin everything, with hashes, and say nothing of where packages come from."""

import re
from pathlib import Path

import pytest

from tests.house.source import REPOSITORY

FOLDER = REPOSITORY / "requirements"
LOCKS = sorted(FOLDER.glob("*.txt"))
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)(\s*;.*)?$")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(text: str) -> list[str]:
    """Return the logical lines of a requirements file, without comments."""
    joined = re.sub(r"\\\n", " ", text)
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line]


def faults(text: str) -> list[str]:
    """Return what is wrong with a lock file."""
    found = []
    for entry in entries(text):
        hashes = _HASH.findall(entry)
        requirement = entry.split("--hash")[0].strip()
        if not _PIN.match(requirement):
            found.append(f"not a pinned requirement: {entry[:80]}")
        elif not hashes:
            found.append(f"no hash: {requirement}")
    if "://" in text:
        found.append("names a URL")
    return found


def wanted(path: Path) -> dict[str, str]:
    """Return the packages that a .in file asks for, with the version where it pins one."""
    found: dict[str, str] = {}
    for entry in entries(path.read_text()):
        if entry.startswith("-r "):
            found |= wanted(path.parent / entry.removeprefix("-r ").strip())
            continue
        match = _NAME.match(entry)
        assert match, entry
        found[canonical(match[1])] = entry.partition("==")[2]
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_lock_is_pinned_and_hashed(path: Path) -> None:
    """Each requirement of a lock file has a version and a hash, and no line names a URL."""
    found = faults(path.read_text())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_lock_holds_what_is_asked_for(path: Path) -> None:
    """Each package of the .in file stands in the lock, at the version asked for."""
    pins = [_PIN.match(entry.split("--hash")[0].strip()) for entry in entries(path.read_text())]
    locked = {canonical(pin[1]): pin[2] for pin in pins if pin}
    for name, version in wanted(path.with_suffix(".in")).items():
        assert name in locked, f"{name} is not locked"
        assert version in ("", locked[name]), f"{name} is locked at {locked[name]}, asked for {version}"


def test_there_are_locks() -> None:
    """Every environment has its lock file."""
    assert {path.stem for path in LOCKS} == {path.stem for path in FOLDER.glob("*.in")}
    assert LOCKS


@pytest.mark.parametrize(
    "text",
    [
        "boto3==1.44.5\n",
        "boto3>=1 --hash=sha256:" + "0" * 64 + "\n",
        "boto3\n",
        "--extra-" + "index-url https://example.test/simple\n",
        "boto3 @ https://example.test/boto3.whl --hash=sha256:" + "0" * 64 + "\n",
    ],
)
def test_bad_lock_is_found(text: str) -> None:
    """The check itself sees a missing hash, a missing version and a URL."""
    assert faults(text)


def test_good_lock_is_taken() -> None:
    """A pinned requirement with a hash and a comment is fine."""
    assert faults("boto3==1.44.5 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via -r dev.in\n") == []
