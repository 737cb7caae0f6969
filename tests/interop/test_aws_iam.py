"""The commands of docs/how-to/administer-identities.md, by the real `aws` command line, as they stand there."""

import os
import re
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.support.server import AWS, Server, run

pytestmark = pytest.mark.real
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "administer-identities.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_REFUSAL = re.compile(r"An error occurred \((\w+)\)")


def commands(text: str) -> list[tuple[str, str | None]]:
    """Return the commands of a page's console blocks, each with the code of the refusal that is shown below it."""
    found: list[tuple[str, str | None]] = []
    for line in "".join(_BLOCK.findall(text)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], None))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", None)
        elif refused := _REFUSAL.match(line):
            found[-1] = (found[-1][0], refused[1])
    return found


def test_page_runs_as_it_stands(new_server: ServerFactory, tmp_path: Path) -> None:
    """Each command of the page succeeds, or is refused as the page shows; all of them in one shell."""
    server: Server = new_server()
    server.start()
    listed = commands(PAGE.read_text(encoding="utf-8"))
    script = "".join(f'{command}\necho "@@ {number} $?"\n' for number, (command, _) in enumerate(listed))
    variables = server.client_environment() | {"PATH": f"{AWS.parent}:{os.environ['PATH']}", "AWS_PAGER": ""}
    variables["HOME"] = str(tmp_path)
    done = run(["bash", "-c", f"cd '{tmp_path}'\nexec 2>&1\n{script}"], variables, check=False)
    outputs = re.split(r"@@ \d+ (\d+)\n", done.stdout)
    assert len(outputs) == 2 * len(listed) + 1, done.stdout[-2000:]
    for (command, code), output, status in zip(listed, outputs[::2], outputs[1::2], strict=False):
        assert (status != "0") is (code is not None), f"{command}\n{output}"
        assert code is None or f"An error occurred ({code})" in output, f"{command}\n{output}"
    server.stop()


def test_page_has_commands_and_refusals() -> None:
    """The reader of the page sees commands, their continued lines, and refusals."""
    listed = commands(PAGE.read_text(encoding="utf-8"))
    assert len(listed) > 30
    assert {code for _, code in listed} == {None, "AccessDeniedException", "AccessDenied", "DeleteConflict"}
    assert any(command.startswith("cat > writer.json <<END\n{") for command, _ in listed)
