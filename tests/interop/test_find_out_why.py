"""The commands of docs/how-to/find-out-why.md, as they stand there: what the page shows is what they print."""

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.support.server import AWS, FUIN, run

pytestmark = pytest.mark.real
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "find-out-why.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_FAIL = ("fuin policy lint", "alice aws s3api put-object")  # that they do is what the page is about


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a page's console blocks, each with the lines that are shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(_BLOCK.findall(text)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        elif line.strip():
            found[-1][1].append(line)
    return found


def missing(shown: list[str], output: str) -> list[str]:
    """Return the shown lines that a command did not print, in their order; … stands for anything."""
    at, lines = 0, []
    for line in shown:
        pattern = ".*?".join(map(re.escape, " ".join(line.split()).split("…")))
        hit = re.compile(pattern).search(" ".join(output.split()), at)
        if hit is None:
            lines.append(line)
        else:
            at = hit.end()
    return lines


def test_page_runs_as_it_stands(new_server: ServerFactory, tmp_path: Path) -> None:
    """Each command succeeds, or fails where the page means it to, and prints what the page shows."""
    server = new_server().start()
    listed = commands(PAGE.read_text(encoding="utf-8"))
    script = "".join(f'{command}\necho "@@ {number} $?"\n' for number, (command, _) in enumerate(listed))
    path = f"{AWS.parent}:{FUIN.parent}:{os.environ['PATH']}"
    variables = server.client_environment() | {"PATH": path, "AWS_PAGER": "", "FUIN_DATA": str(server.data)}
    done = run(["bash", "-c", f"cd '{tmp_path}'\nexec 2>&1\n{script}"], variables, check=False)
    outputs = re.split(r"@@ \d+ (\d+)\n", done.stdout)
    assert len(outputs) == 2 * len(listed) + 1, done.stdout[-2000:]
    for (command, shown), output, status in zip(listed, outputs[::2], outputs[1::2], strict=False):
        assert (status != "0") is command.startswith(_FAIL), f"{command}\n{output}"
        assert missing(shown, output) == [], f"{command}\n{output}"
    server.stop()


def test_the_page_is_read_as_meant() -> None:
    """The reader of the page sees commands with what they print, and tells when it is not printed."""
    listed = commands(PAGE.read_text(encoding="utf-8"))
    assert sum(bool(shown) for _, shown in listed) >= 7
    assert missing(["a … c", "d"], "x a b c\n d") == []
    assert missing(["a", "b"], "b a") == ["b"]
    assert all(first != second for first, second in pairwise(listed))
