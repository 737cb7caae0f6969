"""Nothing committed names a machine: no registry host, no index option, no path of somebody's computer."""

import configparser
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.house.source import REPOSITORY, committed

# Written in pieces, so that this file does not find itself.
_WORDS = (
    "--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host",
    "pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "deb.debian" + ".org",
    "/ro" + "ot/", "/wo" + "rk/", "/opt/wh" + "eels", "/ho" + "me/", "/Us" + "ers/",
)  # fmt: skip

# (file, word): why it may stand there.
EXCEPTIONS: dict[tuple[str, str], str] = {}
_PIP_FILES = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")


def configured_hosts() -> list[str]:
    """Return the hosts that this machine's pip configuration names, from files and the environment."""
    values = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    for name in _PIP_FILES:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(Path(name).expanduser())
        values += [value for section in parser.sections() for value in parser[section].values()]
    hosts = [urlsplit(word).hostname for value in values for word in value.split() if "://" in word]
    return [host for host in hosts if host]


def named(name: str, text: str, words: Iterable[str]) -> list[str]:
    """Return where a text names one of `words`."""
    found = []
    for word in words:
        match = re.search(rf"(?<![\w./-]){re.escape(word)}", text) if word.startswith("/") else text.find(word) + 1
        if match and (name, word) not in EXCEPTIONS:
            found.append(f"{name} names {word}")
    return found


def test_nothing_committed_names_a_machine() -> None:
    """All committed text is free of hosts of package registries, index options and machine paths."""
    words = (*_WORDS, *configured_hosts())
    found = []
    for path in committed():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # vectors and pictures
        found += named(str(path.relative_to(REPOSITORY)), text, words)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", _WORDS)
def test_each_word_is_found(word: str) -> None:
    """The check itself sees each word, in the middle of a line."""
    assert named("docs/some.md", f"first\nuse {word}thing\n", _WORDS)


def test_configured_host_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts come from this machine's own configuration."""
    monkeypatch.setenv("PIP_INDEX", "https://packages.example.test:8443/simple")
    assert "packages.example.test" in configured_hosts()
    assert named("a.txt", "see packages.example.test/simple", configured_hosts())


def test_similar_paths_are_not_found() -> None:
    """Paths that merely end like a machine's are no finding."""
    assert named("a.md", "see .venv/ro" + "ot/x and s3/wo" + "rk/ and arn:aws:iam::1:ro" + "ot", _WORDS) == []
