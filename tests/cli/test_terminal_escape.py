"""Audit records hold what strangers sent; a terminal that shows them must not obey them."""

from pathlib import Path

import pytest

from fuin.audit import reader
from fuin.audit.reader import Entry
from fuin.cli.audit import as_line
from fuin.cli.explain import explain
from fuin.cli.terminal_escape import escape

HOSTILE = "\x1b]0;pwned\x07\x1b[2J\u202e"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    """Controls, line ends and marks that turn the text's direction are shown by their numbers; all else stays."""
    assert escape(HOSTILE) == "\\x1b]0;pwned\\x07\\x1b[2J\\u202e"
    assert escape("a\nb\ud800") == "a\\nb\\ud800"
    assert escape("schlüssel 鍵 🔑") == "schlüssel 鍵 🔑"


def test_explain_and_show_escape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unsigned request's object key does not reach the operator's terminal as it came."""
    facts = {"bucket": "b", "key": HOSTILE}
    draft = {"request": "id", "operation": "s3:GetObject", "principal": "*", "facts": facts, "error": HOSTILE}
    entry = Entry(1, 1.0, "record", "ok", "", "", draft)
    monkeypatch.setattr(reader, "find", lambda *_: [entry])
    (tmp_path / "audit").mkdir()
    explain("id", tmp_path)
    shown = capsys.readouterr().out
    assert "\\x1b]0;pwned" in shown
    assert "\x1b" not in shown + as_line(entry)
