"""What the sweep does to uploads under way, whatever the clocks say; what a crash leaves of it, and of first starts."""

import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from fuin.settings import SMALL_OBJECT
from tests.crash import soundness
from tests.crash.scene import Prepared, Scene
from tests.support.processes import command, wait_until
from tests.support.server import REPOSITORY, Server

pytestmark = pytest.mark.real
BUCKET = "swept"

# In the supervisor alone: its children are not given the variable.
_AHEAD = """
import os, time
if "FUIN_TEST_AHEAD" in os.environ:
    real = time.time
    time.time = lambda: real() + float(os.environ["FUIN_TEST_AHEAD"])
"""

HELD = bytes(SMALL_OBJECT + 1)  # a blob


class Upload:
    """A PUT in a thread of its own, over a connection of its own; `answer` is what came of it."""

    def __init__(self, server: Server) -> None:
        self.answer: object = None
        self._client = server.new_client("s3", retry=False)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._client.put_object(Bucket=BUCKET, Key="k", Body=HELD)
        except (BotoCoreError, ClientError) as error:
            self.answer = error

    def end(self) -> object:
        """Wait for the answer and return it."""
        self._thread.join(60)
        self._client.close()
        return self.answer


def _hold(server: Server) -> tuple[Upload, psutil.Process]:
    """Begin an upload that a worker without jobs serves, and return it with that worker, stopped by its pause point."""
    for _ in range(30):
        upload = Upload(server)
        wait_until(lambda: bool(_stopped(server)), 60, "the upload is held")
        [worker] = _stopped(server)
        if "with-timed-jobs" not in command(worker):
            return upload, worker
        worker.send_signal(signal.SIGCONT)
        upload.end()
    raise AssertionError("the other worker never serves")


def _stopped(server: Server) -> list[psutil.Process]:
    return [worker for worker in server.workers() if worker.status() == psutil.STATUS_STOPPED]


def _left_over(server: Server) -> Path:
    """Return a whole file that no index names, as a crash leaves it."""
    path = server.data / "blobs" / "0" / "00" / ("0" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def _kill_sweeper(server: Server) -> None:
    """Kill the worker that has the jobs, which has swept; the next one sweeps again."""
    [sweeper] = [worker for worker in server.workers() if "with-timed-jobs" in command(worker)]
    sweeper.kill()


def test_upload_is_swept_when_its_worker_has_died_and_not_before(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    """An upload between blob and index is not swept, though the supervisor's clock was an hour ahead at the start.

    A leftover beside it is, which shows that the sweep has run. After `kill -9` of its worker the upload's is, too.
    """
    (tmp_path / "sitecustomize.py").write_text(_AHEAD)
    ahead = {"PYTHONPATH": str(tmp_path), "FUIN_TEST_AHEAD": "3600", "FUIN_PAUSE_POINT": "put_object.after_blob"}
    server = new_server(workers=2).start(ahead)
    server.client("s3").create_bucket(Bucket=BUCKET)
    upload, held = _hold(server)
    [blob] = soundness.stored_blobs(server) - soundness.named_blobs(server)
    leftover = _left_over(server)
    _kill_sweeper(server)
    wait_until(lambda: not leftover.exists(), 60, "the next worker sweeps")
    assert [path.name for path in server.orphans()] == [leftover.name]
    assert blob in soundness.stored_blobs(server)
    held.send_signal(signal.SIGCONT)
    assert isinstance(upload.end(), dict), upload.answer
    assert soundness.read(server.client("s3"), BUCKET, "k") == HELD

    upload, held = _hold(server)
    [blob] = soundness.stored_blobs(server) - soundness.named_blobs(server)
    held.kill()
    assert isinstance(upload.end(), Exception)
    _kill_sweeper(server)
    wait_until(lambda: blob in {path.name for path in server.orphans()}, 60, "the file is out of the way")
    server.kill()
    shown = server.fuin("audit", "show", "--data", str(server.data), "--operation", "s3:MoveOrphans", "--json").stdout
    assert blob in shown
    assert leftover.name in shown


@pytest.mark.parametrize("point", ["sweep.before_move", "sweep.after_move"])
def test_sweep_that_is_killed_is_done_by_the_next(tmp_path: Path, prepared: Prepared, point: str) -> None:
    """A crash before or after the move leaves the file in one of its two places, and the next sweep ends it."""
    server = Scene(tmp_path, prepared).server
    leftover = _left_over(server)
    try:
        server.start({"FUIN_PAUSE_POINT": point})
        wait_until(lambda: bool(_stopped(server)), 60, "the sweep is held")
        assert leftover.exists() == (point == "sweep.before_move")
        server.kill()
        server.start()
        wait_until(lambda: [path.name for path in server.orphans()] == [leftover.name], 60, "the sweep ends")
        soundness.assert_audit_holds(server)
        server.stop()
    finally:
        server.kill()


@pytest.mark.parametrize("point", ["first_start.before_account", "first_start.after_account"])
def test_first_start_that_was_interrupted_completes(new_server: Callable[..., Server], point: str) -> None:
    """A first start that is killed between its records and the account ends at the next, with the same access key."""
    server = new_server(workers=1)
    for _ in range(2):
        done = server.fuin(
            "serve", "--data", str(server.data), "--port", str(server.port), check=False, FUIN_CRASH_POINT=point,
            FUIN_ROOT_ACCESS_KEY_ID=server.root.access_key_id,
            FUIN_ROOT_SECRET_ACCESS_KEY=server.root.secret_access_key,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL or point == "first_start.after_account"
        if point == "first_start.after_account":
            break  # the account is there, so the next start does not come to the point
    server.start()
    assert server.client("kms").list_keys()["Keys"] == []
    soundness.assert_audit_holds(server)
    server.stop()


def test_points_are_tested() -> None:
    """Every point of the sweep and of the first start stands in these tests, or in the one of the sweep's end."""
    found = {"sweep.before_delete"}
    text = Path(__file__).read_text()
    for path in (REPOSITORY / "src" / "fuin").rglob("*.py"):
        found |= set(re.findall(r"crash\.point\(\"((?:sweep|first_start)\.[a-z_]+)\"\)", path.read_text()))
    assert all(point in text for point in found)
