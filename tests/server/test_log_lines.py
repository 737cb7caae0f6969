"""The log on standard error stays small whatever goes wrong how often."""

import io
import logging

import pytest

from fuin.server import log_lines
from fuin.server.log_lines import AT_ONCE, LENGTH_AT_MOST, Short, Sparing


def _log(clock: list[float]) -> tuple[logging.Logger, io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(Sparing(lambda: clock[0]))
    handler.setFormatter(Short("%(levelname)s %(name)s %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, written


def test_entries_are_few() -> None:
    """A thousand at once are cut to some; the next one that is written says how many are missing."""
    clock = [0.0]
    logger, written = _log(clock)
    for number in range(1000):
        logger.error("failed %d", number)
    lines = written.getvalue().splitlines()
    assert lines == [f"ERROR test failed {number}" for number in range(AT_ONCE)]
    clock[0] = 1.0
    for number in range(5):
        logger.error("again %d", number)
    assert written.getvalue().splitlines()[AT_ONCE:] == [
        f"ERROR test again 0 ({1000 - AT_ONCE} entries before this one were left out)",
        "ERROR test again 1",
    ]
    clock[0] = 1000.0
    logger.error("50%")
    assert written.getvalue().splitlines()[-1] == "ERROR test 50% (3 entries before this one were left out)"


def test_entries_are_short() -> None:
    """A long text, or a long traceback, is written with its beginning and its end."""
    logger, written = _log([0.0])
    logger.error("a request failed", exc_info=ValueError("x" * 100_000 + "end"))
    text = written.getvalue()
    assert len(text) < LENGTH_AT_MOST + 10
    assert text.startswith("ERROR test a request failed")
    assert text.endswith("end\n")


def test_workers_write_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker sets up at its start has both bounds."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    log_lines.log_to_standard_error()
    (handler,) = logging.root.handlers
    assert isinstance(handler.filters[0], Sparing)
    assert isinstance(handler.formatter, Short)
