"""Children are kept running: what ends or hangs is replaced, and only a first start may fail for good."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fuin.server import children, keeping, pulse
from fuin.server.children import Child, ChildFailed

PROGRAM = """
import os, pathlib, sys, time
descriptor, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
lives = folder / "lives"
number = len(lives.read_text()) if lives.exists() else 0
with lives.open("a") as file:
    file.write(".")
"""


class Play:
    """A child whose program a test gives; it finds in `number` how many lives it had before."""

    def __init__(self, folder: Path, program: str) -> None:
        (folder / "played.py").write_text(PROGRAM + program)
        self.folder = folder
        self.ready = asyncio.Event()
        self.ending = asyncio.Event()

    @property
    def lives(self) -> int:
        """Return how often it was started."""
        path = self.folder / "lives"
        return len(path.read_text()) if path.exists() else 0

    async def start(self) -> Child:
        """Start it, as the server starts its children."""
        return await children.spawn("a child", "played", lambda ready: [str(ready), str(self.folder)], [])

    async def watch(self, child: Child) -> str:
        """Watch it, as the supervisor watches a worker."""
        return await pulse.silence(child.name, child.pid, child.sign, pulse.Patience(silent=0.4, stopped=0.2))

    async def keep(self, until: Callable[[], bool], seconds: float = 120.0) -> None:
        """Keep it running until something holds."""
        task = asyncio.create_task(keeping.keep(self.start, self.watch, self.ready, self.ending))
        try:
            async with asyncio.timeout(seconds):
                while not until() and not task.done():  # noqa: ASYNC110 - what a child does is no event here
                    await asyncio.sleep(0.02)
        finally:
            self.ending.set()
            await task


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make pauses short, and the test's program known to children."""
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(pulse, "STEP", 0.05)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def played(folder: Path, program: str, until: Callable[[Play], bool]) -> Play:
    """Keep a child with a program running until something holds."""

    async def story() -> Play:
        play = Play(folder, program)
        await play.keep(lambda: until(play))
        return play

    return asyncio.run(story())


def test_first_start_that_fails_ends_the_server_with_its_own_words(tmp_path: Path) -> None:
    """The user gets the child's own line about its start."""
    program = 'os.write(descriptor, b"the passphrase is wrong\\n"); sys.exit(3)'
    with pytest.raises(ChildFailed, match=r"^a child did not start: the passphrase is wrong$"):
        played(tmp_path, program, lambda play: False)


@pytest.mark.parametrize(
    ("program", "words"),
    [("sys.exit(7)", "it ended with exit status 7"), ("os.kill(os.getpid(), 9)", "it was ended by SIGKILL")],
)
def test_first_start_without_words(tmp_path: Path, program: str, words: str) -> None:
    """For a child that ends silently, the user learns how it ended."""
    with pytest.raises(ChildFailed, match=words):
        played(tmp_path, program, lambda play: False)


def test_later_failures_end_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Once it was up, a child may fail to start as often as it likes: it comes back when the cause is gone."""
    program = (
        'if 0 < number < 14: os.write(descriptor, b"the disk fails\\n"); sys.exit(1)\n'
        'os.write(descriptor, b"ready\\n")\n'
        "if number: time.sleep(60)\n"
    )
    play = played(tmp_path, program, lambda play: play.lives == 15)
    assert play.lives == 15
    said = capfd.readouterr().err
    assert said.count("a child did not start: the disk fails; starting again in") == 13
    assert "a child is gone: it ended with exit status 0; starting again in" in said


def test_pauses_grow_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An accident costs a moment; what keeps failing is tried less and less, but for ever."""
    monkeypatch.undo()
    pauses = [keeping.pause_after(failures) for failures in (0, 1, 3, 4, 6, 9, 10, 10_000)]
    assert pauses == [0.2, 0.2, 0.2, 0.4, 1.6, 12.8, 15.0, 15.0]


@pytest.mark.parametrize("hangs", ["time.sleep(60)", "os.kill(os.getpid(), 19)"], ids=["silent", "stopped"])
def test_child_that_hangs_is_replaced(tmp_path: Path, hangs: str) -> None:
    """A child that runs and gives no sign of life is killed, and the next one takes its place."""
    program = (
        'os.write(descriptor, b"ready\\n")\n'
        f"if number == 0: {hangs}\n"
        'while True: os.write(descriptor, b"."); time.sleep(0.05)\n'
    )
    play = played(tmp_path, program, lambda play: play.lives == 2)
    assert play.lives == 2


def test_child_that_hangs_while_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start has its bounds as well: one for silence, and a shorter one for a child that is stopped."""
    monkeypatch.setattr(pulse, "KEYHOLDER", pulse.Patience(silent=9.0, stopped=0.2))
    with pytest.raises(ChildFailed, match="it has been stopped"):
        played(tmp_path, "os.kill(os.getpid(), 19)", lambda play: False)
    (tmp_path / "played.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(ChildFailed, match="it has given no sign of life"):
        asyncio.run(children.spawn("a child", "played", lambda ready: [str(ready), str(tmp_path)], [], 0.2))


@pytest.mark.parametrize("program", ['os.write(descriptor, b"ready\\n")', "time.sleep(60)"], ids=["pause", "start"])
def test_end_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """SIGTERM ends a server at once also in the pause before a child, and while one starts that does not get ready."""
    said: list[str] = []
    monkeypatch.setattr(keeping, "say", said.append)
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 60.0)
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 60.0)
    started = time.monotonic()
    played(tmp_path, program, lambda play: play.lives == 1 and (bool(said) or not play.ready.is_set()))
    assert time.monotonic() - started < 40


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """However often children end and fail, the supervisor has no more descriptors than before."""
    program = 'if number % 2: sys.exit(1)\nos.write(descriptor, b"ready\\n")\n'
    before = len(os.listdir("/proc/self/fd"))
    played(tmp_path, program, lambda play: play.lives >= 8)
    assert len(os.listdir("/proc/self/fd")) <= before
