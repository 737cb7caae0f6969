"""What kill -9, a full disk or a crash at any step of the start leaves: everything acknowledged, nothing torn."""

import asyncio
import os
import resource
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.audit import reader
from fuin.audit.verify import verify
from fuin.errors import KeyholderUnavailable
from fuin.formats import context
from fuin.keyholder.offline import audit_checker
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.process import DRAFT, KEY_ID, Holder, draft, play

ROOT = os.geteuid() == 0


def test_sigterm_finishes_the_turn(own: Holder) -> None:
    """On SIGTERM it ends with status 0, and what it answered is in the log."""
    own.start()
    play(own, lambda client: client.record(draft(1)))
    assert own.end(signal.SIGTERM) == (0, "")
    assert len(reader.find(own.audit, "r-1")) == 1


def test_killed_keyholder_comes_back(own: Holder) -> None:
    """After kill -9 calls in flight fail cleanly, and the same client works again once it was restarted."""
    own.start()

    async def story(client: Keyholder) -> None:
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        plaintext, blob = await client.data_key(material, context.EMPTY, 32, DRAFT)
        os.kill(own.pid, signal.SIGSTOP)
        waiting = asyncio.gather(*(client.record(draft(n)) for n in range(5)), return_exceptions=True)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(own.end, signal.SIGKILL)
        assert [type(answer) for answer in await waiting] == [KeyholderUnavailable] * 5
        early = asyncio.create_task(client.decrypt(material, context.EMPTY, blob, draft(9)))  # waits in the socket
        await asyncio.sleep(0.05)
        await asyncio.to_thread(own.start)
        assert await early == plaintext
        assert await client.decrypt(material, context.EMPTY, blob, DRAFT) == plaintext

    play(own, story)
    verify(own.audit, audit_checker(own.audit), None)
    assert [entry.use for entry in reader.entries(own.audit)].count("opened") == 2


def test_acknowledged_records_survive_kill(own: Holder) -> None:
    """Whatever was acknowledged before kill -9, in ten rounds under load, is in the log, which verifies."""
    acknowledged: list[int] = []

    async def load(client: Keyholder, round_number: int) -> None:
        async def one(number: int) -> None:
            await client.record(draft(number))
            acknowledged.append(number)

        calls = [asyncio.create_task(one(round_number * 10_000 + n)) for n in range(2000)]
        await asyncio.sleep(0.01 + 0.004 * round_number)
        os.kill(own.pid, signal.SIGKILL)
        _, waiting = await asyncio.wait(calls, timeout=0.2)
        for call in waiting:  # they wait in the socket for a keyholder that the next round starts
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    for round_number in range(1, 11):
        own.start()
        play(own, lambda client, n=round_number: load(client, n))  # type: ignore[misc]
        own.end(signal.SIGKILL)
    own.start()
    found = {entry.draft.get("request") for entry in reader.entries(own.audit)}
    assert {f"r-{number}" for number in acknowledged} <= found
    status = play(own, lambda client: client.status())
    verify(own.audit, audit_checker(own.audit), (status.sequence, status.head))


@pytest.mark.parametrize("first", [True, False], ids=["first-start", "later-start"])
@pytest.mark.parametrize(
    "point", ["keyholder.after_root_key", "audit.after_first_segment", "audit.after_public_key",
              "audit.before_anew", "audit.before_rename", "audit.after_anew"],
)  # fmt: skip
def test_crash_while_starting(own: Holder, point: str, first: bool) -> None:
    """Killed between any two steps of its start, the keyholder starts the next time, with the root key it had."""
    if not first:
        own.start().end()
    own.environment = {"FUIN_CRASH_POINT": point}
    if first or point not in ("keyholder.after_root_key", "audit.after_first_segment"):
        assert own.refusal()[0] == -signal.SIGKILL
    root_key = own.root_key.read_bytes()
    own.environment = {}
    own.start()
    play(own, lambda client: client.record(draft(1)))
    assert own.root_key.read_bytes() == root_key
    assert verify(own.audit, audit_checker(own.audit), None).unsigned == 0


def test_full_disk_gives_errors_and_no_use(own: Holder) -> None:
    """When the log cannot be written no use of a key is answered; what needs no record still is."""
    own.start()

    async def story(client: Keyholder) -> None:
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        log = own.audit / "0000000000000001.log"
        good = await client.status()
        length = log.stat().st_size
        resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (length + 100, -1))  # the write is torn, as on a full disk
        for call in (
            client.data_key(material, context.EMPTY, 32, draft(1)), client.record(draft(1)), client.random(8, draft(1)),
        ):  # fmt: skip
            with pytest.raises(KeyholderUnavailable):
                await call
        assert log.stat().st_size == length  # cut back
        assert await client.status() == replace(good, taking=False)
        await client.new_secret("AKIA")
        several = (  # one turn: each gets its own answer, those that need a record the refusal
            client.data_key(material, context.EMPTY, 32, draft(1)), client.new_secret("AKIA"),
            client.re_encrypt(material, context.EMPTY, b"", material, context.EMPTY, draft(1), draft(1)),
            client.record(draft(1)), client.status(),
        )  # fmt: skip
        answers = await asyncio.gather(*several, return_exceptions=True)
        assert [isinstance(answer, KeyholderUnavailable) for answer in answers] == [True, False, True, True, False]
        assert answers[4] == replace(good, taking=False)
        resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (-1, -1))
        await client.record(draft(2))

    play(own, story)
    assert reader.find(own.audit, "r-1") == []
    assert len(reader.find(own.audit, "r-2")) == 1
    assert "the audit log cannot be written" in own.end()[1]
    verify(own.audit, audit_checker(own.audit), None)


def test_a_full_disk_is_told_once_a_second(own: Holder) -> None:
    """A flood of requests meanwhile must not fill whatever is behind standard error with the same line."""
    own.start()
    started = time.monotonic()

    async def story(client: Keyholder) -> None:
        length = (own.audit / "0000000000000001.log").stat().st_size
        resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (length + 100, -1))
        for _ in range(30):
            with pytest.raises(KeyholderUnavailable):
                await client.record(draft(1))
        for _ in range(10):  # a disk that comes and goes
            resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (-1, -1))
            await client.record(draft(2))
            resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (length, -1))
            with pytest.raises(KeyholderUnavailable):
                await client.record(draft(3))

    play(own, story)
    said = own.end()[1]
    assert 1 <= said.count("the audit log cannot be written") <= 1 + (time.monotonic() - started)
    assert said.count("takes records again") <= said.count("the audit log cannot be written")


@pytest.mark.skipif(not ROOT, reason="only root may mount a small disk")
def test_really_full_disk(tmp_path: Path) -> None:
    """On a file system without room it refuses, loses nothing, and goes on when there is room again."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "fuin-test", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        with Holder(tmp_path) as holder:
            answers = play(holder, fill_disk)
            assert answers[0] is None
            assert isinstance(answers[-1], KeyholderUnavailable)
            (tmp_path / "ballast").unlink()
            play(holder, lambda client: client.record(draft(1)))
            assert verify(holder.audit, audit_checker(holder.audit), None).unsigned == 0
            acknowledged = sum(answer is None for answer in answers) + 1
            assert [entry.use for entry in reader.entries(holder.audit)].count("record") == acknowledged
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


async def fill_disk(client: Keyholder) -> list[BaseException | None]:
    """Write records until the disk is full, and a few more."""
    ballast = client._line._path.parent / "ballast"
    ballast.write_bytes(bytes(64 * 1024))
    answers: list[BaseException | None] = []
    while len(answers) < 200 and sum(answer is not None for answer in answers) < 3:
        answers += await asyncio.gather(client.record(bytes(4000)), return_exceptions=True)
    return answers
