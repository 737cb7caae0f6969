"""The commands of docs/how-to/find-out-why.md, as they stand there: what the page shows is what they print."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.support import pages

pytestmark = pytest.mark.real
PAGE = pages.page("find-out-why")
_FAIL = ("fuin policy lint", "alice aws s3api put-object")  # that they do is what the page is about


def test_page_runs_as_it_stands(new_server: ServerFactory, tmp_path: Path) -> None:
    """Each command succeeds, or fails where the page means it to, and prints what the page shows."""
    server = new_server().start()
    variables = server.client_environment() | {"FUIN_DATA": str(server.data)}
    pages.run_page(PAGE, tmp_path, variables, lambda one: one[0].startswith(_FAIL))
    server.stop()


def test_the_page_is_read_as_meant() -> None:
    """The reader of the page sees commands with what they print, and tells when it is not printed."""
    listed = pages.commands(PAGE.read_text(encoding="utf-8"))
    assert sum(bool(shown) for _, shown in listed) >= 7
    assert pages.missing(["a … c", "d"], "x a b c\n d") == []
    assert pages.missing(["a", "b"], "b a") == ["b"]
    assert all(first != second for first, second in pairwise(listed))
