"""The commands of a page of the documents, run in one shell as they are on the page."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.server import AWS, FUIN, REPOSITORY, run

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)

_PROGRAM = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)

Shown = tuple[str, list[str]]


def page(name: str) -> Path:
    """Return the path of a how-to page."""
    return REPOSITORY / "docs" / "how-to" / f"{name}.md"


def commands(text: str) -> list[Shown]:
    """Return the commands of a page's console blocks, each with the lines that are shown below it."""
    found: list[Shown] = []
    for line in "".join(_BLOCK.findall(text)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") or line == ">":
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        elif line.strip():
            found[-1][1].append(line)
    return found


def programs(text: str) -> dict[str, str]:
    """Return the programs of a page by the names of their files, which are their first lines."""
    return dict(_PROGRAM.findall(text))


def write_programs(path: Path, folder: Path) -> None:
    """Write the programs of a page into a folder."""
    for name, text in programs(path.read_text(encoding="utf-8")).items():
        (folder / name).write_text(text)


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


def run_page(
    path: Path,
    folder: Path,
    variables: Mapping[str, str],
    is_refusal: Callable[[Shown], bool],
    *,
    replacements: Mapping[str, str] | None = None,
    shims: Path | None = None,
) -> None:
    """Run a page's commands in `folder`; each ends as the page means it to, and prints what the page shows.

    Text of the page in `replacements` is replaced by what it is in the test; `shims` is the first folder of the PATH.
    """
    text = path.read_text(encoding="utf-8")
    for one, meant in (replacements or {}).items():
        assert one in text, f"{one} is not on the page"
        text = text.replace(one, meant)
    listed = commands(text)
    script = "".join(f'{command}\necho "@@ {number} $?"\n' for number, (command, _) in enumerate(listed))
    path_variable = ":".join([*([str(shims)] if shims else []), f"{AWS.parent}:{FUIN.parent}:{os.environ['PATH']}"])
    done = run(
        ["bash", "-c", f"cd '{folder}'\nexec 2>&1\n{script}"],
        {**variables, "PATH": path_variable, "AWS_PAGER": ""},
        check=False,
    )
    outputs = re.split(r"@@ \d+ (\d+)\n", done.stdout)
    assert len(outputs) == 2 * len(listed) + 1, done.stdout[-4000:]
    wrong = [
        f"{shown[0]}\n{output}(ended with {status})\n"
        for shown, output, status in zip(listed, outputs[::2], outputs[1::2], strict=False)
        if (status != "0") is not is_refusal(shown) or missing(shown[1], output)
    ]
    assert not wrong, "\n".join(wrong)
