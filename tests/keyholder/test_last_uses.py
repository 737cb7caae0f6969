"""The last use of each key: exact, at once, and the same after any end of the keyholder, with its snapshot or not."""

import errno
import itertools
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuin.access.principal import Principal
from fuin.audit import reader
from fuin.audit.log import Log, RecordedUse
from fuin.audit.segments import segments
from fuin.errors import FormatError, TamperedError
from fuin.formats import context, record
from fuin.formats.wrapped import Material
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.gate.services import Services
from fuin.keyholder.last_uses import SNAPSHOT, LastUses
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.root_key import RootKey
from fuin.keyholder.wire.client import Keyholder, LastKeyUse
from fuin.kms.model.service import service_model
from tests.keyholder.process import KEY_ID, Holder, draft, play

MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"
ROOT = RootKey(bytearray(range(32)))
SIGNER = AuditSigner(ROOT)
numbers = itertools.count(1)


def in_region(region: str, **more: object) -> bytes:
    """Return a draft of one Region."""
    return json.dumps({"request": f"r-{next(numbers)}", "region": region, **more}, separators=(",", ":")).encode()


def request_of(one: bytes) -> str:
    """Return the request id of a draft."""
    return str(json.loads(one)["request"])


async def last(client: Keyholder, key_id: str = KEY_ID, region: str = "us-east-1") -> tuple[int, str] | None:
    """Return use and request id of a key's last use."""
    found = await client.last_use(key_id, region)
    return None if found.time is None else (found.use, found.request_id)


def test_tracked_operations_are_those_of_aws() -> None:
    """What counts as a use is what AWS's model lists, neither more nor less."""
    modelled = service_model().shape_for("KeyLastUsageTrackingOperation").enum
    assert set(record.TRACKED_OPERATIONS.values()) == set(modelled)


def test_unused_key(own: Holder) -> None:
    """A key without uses has none; tracking starts with the log, also after a restart."""
    own.start()
    start = play(own, lambda client: client.last_use(KEY_ID, "us-east-1"))
    assert start == LastKeyUse(tracking_start=next(reader.entries(own.audit)).time)
    assert abs(start.tracking_start - time.time()) < 30
    own.end()
    own.start()
    assert play(own, lambda client: client.last_use(KEY_ID, "us-east-1")) == start


def test_every_operation_at_once(own: Holder) -> None:
    """Each tracked operation is the last use as soon as it is answered, with its time and request."""

    async def story(client: Keyholder) -> None:
        async def made(spec: str) -> Material:
            return await client.create_material(KEY_ID, spec, draft(0))

        aes, mac, ecc, kem = [
            await made(spec) for spec in ("SYMMETRIC_DEFAULT", "HMAC_256", "ECC_NIST_P256", "ML_KEM_768")
        ]
        assert await last(client) is None  # to make material is no use of it
        blob = await client.encrypt(aes, context.EMPTY, b"x", draft(0))
        signed = await client.sign(ecc, "ECDSA_SHA_256", "RAW", b"x", draft(0))
        tag = await client.generate_mac(mac, "HMAC_SHA_256", b"x", draft(0))
        sent = (await client.encapsulate(kem, draft(0)))[1]
        public = await client.public_key(ecc, draft(0))
        calls: dict[int, Callable[[bytes], Awaitable[object]]] = {
            record.DATA_KEY: lambda d: client.data_key(aes, context.EMPTY, 32, d),
            record.DATA_KEY_WITHOUT_PLAINTEXT: lambda d: client.data_key_without_plaintext(aes, context.EMPTY, 32, d),
            record.ENCRYPT: lambda d: client.encrypt(aes, context.EMPTY, b"x", d),
            record.DECRYPT: lambda d: client.decrypt(aes, context.EMPTY, blob, d),
            record.SIGN: lambda d: client.sign(ecc, "ECDSA_SHA_256", "RAW", b"x", d),
            record.VERIFY: lambda d: client.verify(ecc, "ECDSA_SHA_256", "RAW", b"x", signed, d),
            record.GENERATE_MAC: lambda d: client.generate_mac(mac, "HMAC_SHA_256", b"x", d),
            record.VERIFY_MAC: lambda d: client.verify_mac(mac, "HMAC_SHA_256", b"x", tag, d),
            record.DERIVE_SHARED_SECRET: lambda d: client.derive_shared_secret(ecc, public, d),
            record.ENCAPSULATE: lambda d: client.encapsulate(kem, d),
            record.DECAPSULATE: lambda d: client.decapsulate(kem, sent, d),
            record.DATA_KEY_PAIR: lambda d: client.data_key_pair(aes, context.EMPTY, "RSA_2048", d),
            record.DATA_KEY_PAIR_WITHOUT_PLAINTEXT: lambda d: client.data_key_pair_without_plaintext(
                aes, context.EMPTY, "ECC_NIST_P256", d
            ),
        }
        for number, (use, call) in enumerate(calls.items()):
            before = time.time()
            await call(draft(1000 + number))
            found = await client.last_use(KEY_ID, "us-east-1")
            assert (found.use, found.request_id) == (use, f"r-{1000 + number}")
            assert found.time is not None
            assert before <= found.time <= time.time()
        assert {*calls, record.RE_ENCRYPT_FROM, record.RE_ENCRYPT_TO} == set(record.TRACKED_OPERATIONS)

    with own:
        play(own, story)


def test_re_encrypt_uses_two_keys(own: Holder) -> None:
    """ReEncrypt is the last use of source and target, each with its own record."""

    async def story(client: Keyholder) -> None:
        other = KEY_ID.replace("1234", "5678")
        source = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", draft(0))
        target = await client.create_material(other, "SYMMETRIC_DEFAULT", draft(0))
        blob = await client.encrypt(source, context.EMPTY, b"x", draft(0))
        await client.re_encrypt(source, context.EMPTY, blob, target, context.EMPTY, draft(1), draft(2))
        assert await last(client) == (record.RE_ENCRYPT_FROM, "r-1")
        assert await last(client, other) == (record.RE_ENCRYPT_TO, "r-2")

    with own:
        play(own, story)


def test_what_does_not_count(own: Holder) -> None:
    """Failures, reading the public key, forgetting and dry runs leave the last use as it was."""

    async def story(client: Keyholder) -> None:
        aes = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", draft(0))
        ecc = await client.create_material(KEY_ID, "ECC_NIST_P256", draft(0))
        blob = await client.encrypt(aes, context.EMPTY, b"x", draft(1))
        with pytest.raises(TamperedError):
            await client.decrypt(aes, context.EMPTY, blob[:-1], draft(2))
        with pytest.raises(TamperedError):
            await client.verify(ecc, "ECDSA_SHA_256", "RAW", b"x", b"no signature", draft(2))
        with pytest.raises(FormatError):
            await client.encrypt(aes, context.EMPTY, b"", draft(2))
        await client.public_key(ecc, draft(2))
        await client.decrypt(aes, context.EMPTY, blob, in_region("us-east-1", dryRun=True))
        await client.forget(KEY_ID)
        assert await last(client) == (record.ENCRYPT, "r-1")

    with own:
        play(own, story)


@pytest.mark.parametrize("more", [{"dryRun": False}, {"context": {"dryRun": "true"}}, {"about": '"dryRun":true'}])
def test_other_mentions_of_dry_runs_count(own: Holder, more: dict[str, object]) -> None:
    """Only the draft's own member says that a use was a dry run; a caller's context cannot hide a use."""

    async def story(client: Keyholder) -> None:
        aes = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", draft(0))
        one = in_region("us-east-1", **more)
        await client.encrypt(aes, context.EMPTY, b"x", one)
        assert await last(client) == (record.ENCRYPT, request_of(one))

    with own:
        play(own, story)


def test_keys_of_a_multi_region_set(own: Holder) -> None:
    """Primary and replica have last uses of their own; a caller's context cannot pass for the Region."""

    async def story(client: Keyholder) -> None:
        aes = await client.create_material(MRK, "SYMMETRIC_DEFAULT", draft(0))
        east = in_region("us-east-1", context={"region": "us-west-2"})
        west = in_region("us-west-2", message=',"region":"us-east-1"')
        await client.encrypt(aes, context.EMPTY, b"x", east)
        assert await last(client, MRK, "us-west-2") is None
        await client.data_key(aes, context.EMPTY, 32, west)
        assert await last(client, MRK, "us-east-1") == (record.ENCRYPT, request_of(east))
        assert await last(client, MRK, "us-west-2") == (record.DATA_KEY, request_of(west))
        assert await last(client, MRK, "eu-west-1") is None

    with own:
        play(own, story)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("snapshot", ["kept", "missing", "tampered", "torn"])
def test_restart(own: Holder, number: signal.Signals, snapshot: str) -> None:
    """After any end, with a good snapshot, a spoiled one or none, the answer is the same."""

    async def used(client: Keyholder, key_id: str, region: str) -> LastKeyUse:
        material = await client.create_material(key_id, "SYMMETRIC_DEFAULT", draft(0))
        await client.encrypt(material, context.EMPTY, b"x", in_region(region))
        return await client.last_use(key_id, region)

    own.start()
    first = play(own, lambda client: used(client, KEY_ID, "us-east-1"))
    own.end()
    own.start()  # and now there is a snapshot, and records after it
    second = play(own, lambda client: used(client, MRK, "us-west-2"))
    own.end(number)
    path = own.audit / SNAPSHOT
    if snapshot == "missing":
        path.unlink()
    elif snapshot == "tampered":
        path.write_bytes(path.read_bytes().replace(KEY_ID.encode(), KEY_ID.replace("1234", "5678").encode()))
    elif snapshot == "torn":
        path.write_bytes(path.read_bytes()[:-40])
    own.start()
    assert play(own, lambda client: client.last_use(KEY_ID, "us-east-1")) == first
    assert play(own, lambda client: client.last_use(MRK, "us-west-2")) == second


def opened(folder: Path) -> tuple[Log, LastUses]:
    """Open a log, and the last uses that it tells of."""
    folder.mkdir(exist_ok=True)
    log = Log.open(folder, SIGNER.public_key, SIGNER.sign, SIGNER.check)
    return log, LastUses.open(ROOT, folder, log)


def key(number: int) -> str:
    """Return a key id."""
    return f"{number:08x}-12ab-34cd-56ef-1234567890ab"


def use(key_id: str, one: bytes, *, what: int = record.DECRYPT, outcome: int = record.DONE) -> RecordedUse:
    """Return a use of a key."""
    return RecordedUse(what, outcome, key_id, bytes(32), one)


def rotated(folder: Path) -> None:
    """Write a log of many short segments; each turn uses a key of its own, and the process dies at its end."""
    log, _ = opened(folder)
    log.segment_limit = 2000
    for number in range(40):
        log.append([use(key(number), draft(number))])
    log.close()


def test_snapshot_at_the_end_of_a_segment(tmp_path: Path) -> None:
    """When a segment is finished all before it is in the snapshot: the older segments are not looked at any more."""
    folder = tmp_path / "log"
    rotated(folder)
    found = segments(folder)
    assert len(found) > 5
    for one in found[:-2]:
        one.path.unlink()
    log, uses = opened(folder)
    answers = [uses.last_use(key(number), "") for number in range(40)]
    log.close()
    assert [answer and answer[2] for answer in answers] == [b"r-%d" % number for number in range(40)]
    (folder / SNAPSHOT).unlink()
    log, uses = opened(folder)
    assert uses.last_use(key(0), "") is None  # so it was the snapshot that knew
    assert uses.last_use(key(39), "") is not None
    log.close()


def test_long_log_is_read_once(tmp_path: Path) -> None:
    """A log of several segments without a snapshot has one as soon as it was read."""
    folder = tmp_path / "log"
    rotated(folder)
    (folder / SNAPSHOT).unlink()
    log, uses = opened(folder)
    snapshot = uses._read_snapshot(segments(folder))
    assert snapshot is not None
    assert snapshot.sequence == log.position.sequence
    log.close()


def test_every_changed_byte_of_a_snapshot_is_seen(tmp_path: Path) -> None:
    """A snapshot that is not as it was written is not believed."""
    folder = tmp_path / "log"
    log, uses = opened(folder)
    log.append([use(KEY_ID, draft(1))])
    uses.end_segment(log.position)
    log.close()
    good = (folder / SNAPSHOT).read_bytes()
    assert uses._read_snapshot(segments(folder)) is not None
    for at in range(len(good)):
        (folder / SNAPSHOT).write_bytes(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :])
        assert uses._read_snapshot(segments(folder)) is None
    for other in (b"", good[:31], good[:-1], good + b"\0", good[1:]):
        (folder / SNAPSHOT).write_bytes(other)
        assert uses._read_snapshot(segments(folder)) is None
    stranger = LastUses(RootKey(bytearray(range(1, 33))), folder)
    stranger.end_segment(log.position)
    assert uses._read_snapshot(segments(folder)) is None


def test_snapshot_of_another_log(tmp_path: Path) -> None:
    """A log that was restored from a backup, and went on from there, is not mixed with the other one's snapshot."""
    folder = tmp_path / "log"
    log, uses = opened(folder)
    log.append([use(key(1), draft(1))])
    log.close()
    backup = Path(shutil.copytree(folder, tmp_path / "backup"))
    log, uses = opened(folder)
    log.append([use(key(2), draft(2))])
    uses.end_segment(log.position)
    log.close()
    for turns in (0, 5):  # shorter than the snapshot's log; longer, but another one
        restored = Path(shutil.copytree(backup, tmp_path / f"restored-{turns}"))
        shutil.copy(folder / SNAPSHOT, restored)
        log, uses = opened(restored)
        for _ in range(turns):
            log.append([use(key(3), draft(3))])
        log.close()
        log, uses = opened(restored)
        log.close()
        assert uses.last_use(key(1), "") is not None
        assert uses.last_use(key(2), "") is None


def test_snapshot_that_cannot_be_written(tmp_path: Path) -> None:
    """A disk that does not take the snapshot costs time at the next start, and nothing else."""
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / SNAPSHOT).mkdir()
    rotated(folder)
    log, uses = opened(folder)
    assert all(uses.last_use(key(number), "") for number in range(40))
    log.close()


def test_torn_tail_of_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a start cannot cut off yet, because the disk fails, is no use all the same."""
    log, _ = opened(tmp_path)
    log.append([use(key(1), in_region("us-east-1"))])
    first = segments(tmp_path)[0].path
    length = first.stat().st_size
    log.append([use(key(2), in_region("us-east-1")), use(key(2), in_region("us-east-1"))])
    log.close()
    with first.open("r+b") as file:
        file.truncate(first.stat().st_size - 10)  # the last turn's records are whole, its checkpoint is not
    monkeypatch.setattr(os, "fsync", failing)
    log, uses = opened(tmp_path)
    assert log.refusing
    assert first.stat().st_size > length
    assert uses.last_use(key(1), "us-east-1") is not None
    assert uses.last_use(key(2), "us-east-1") is None
    log.close()


def failing(_: int) -> None:
    """Fail as a disk does."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_damaged_old_segment(tmp_path: Path) -> None:
    """Damage in an old segment is for `fuin audit verify` to tell; it does not keep the keyholder from starting."""
    folder = tmp_path / "log"
    rotated(folder)
    (folder / SNAPSHOT).unlink()
    segments(folder)[1].path.write_bytes(b"\xff" * 500)
    log, uses = opened(folder)
    assert uses.last_use(key(0), "") is not None
    assert uses.last_use(key(39), "") is not None
    log.close()


STRANGE = [
    b"", b"{}", b'{"request":', b'{"request":"', b"\xff" * 200, b'"dryRun"', b'{"request":"r"}',
    b'{"request":"r","dryRun"' + b"[" * 100_000, b'{"request":"r","region":"' + b"x" * 5000 + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("one", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("key_id", [KEY_ID, MRK])
def test_drafts_of_any_kind(tmp_path: Path, one: bytes, key_id: str) -> None:
    """The log has already taken the record, so no draft may fail here; a single-Region key's use counts."""
    log, uses = opened(tmp_path / "log")
    log.append([use(key_id, one)])
    uses.end_segment(log.position)
    assert uses._read_snapshot(segments(tmp_path / "log")) is not None
    assert (uses.last_use(KEY_ID, "") is None) == (key_id == MRK)
    log.close()


def test_uses_of_one_turn(tmp_path: Path) -> None:
    """Of several uses in one turn the last one counts, a dry run behind it does not."""
    log, uses = opened(tmp_path / "log")
    dry = in_region("us-east-1", dryRun=True)
    log.append([use(KEY_ID, draft(1)), use(key(2), draft(2)), use(KEY_ID, draft(3)), use(KEY_ID, dry)])
    answers = [uses.last_use(one, "") for one in (KEY_ID, key(2))]
    assert [answer and answer[2] for answer in answers] == [b"r-3", b"r-2"]
    log.close()


def test_long_drafts_are_not_kept(tmp_path: Path) -> None:
    """Of a draft only its beginning stays in memory, whatever context the caller sends."""
    log, uses = opened(tmp_path / "log")
    for number in range(20):
        log.append([use(key(number), in_region("us-east-1", context={"k": "x" * 300_000}))])
    assert sum(sys.getsizeof(used[2]) for used in uses._last.values()) < 20 * 200
    log.close()


def test_drafts_of_the_gate() -> None:
    """What the gate writes is read rightly: request id first, Region before anything of the caller's, the dry run."""
    services: Services = None  # type: ignore[assignment]
    principal = Principal("user", "arn:aws:iam::111122223333:user/alice", "111122223333", "AIDA", "alice")
    call = Call(
        services, "11111111-2222-3333-4444-555555555555", "kms", "Decrypt", principal, 'AKIA","region":"x', "us-west-2",
        0.0, record=RequestRecord({"region": "eu-west-1"}),
    )  # fmt: skip
    uses = LastUses(ROOT, Path("/nowhere"))
    uses.add_uses(1, [use(MRK, call.draft(context={"region": "eu-west-1", "dryRun": "true"}))])
    uses.add_uses(2, [use(MRK, call.draft(dry_run=True))])
    assert uses.last_use(MRK, "us-west-2") == (1, record.DECRYPT, b"11111111-2222-3333-4444-555555555555")
    assert uses.last_use(MRK, "eu-west-1") is None
    assert uses.last_use(MRK, "x") is None


_KEYS = st.sampled_from([key(1), key(2), MRK])
_USES = st.tuples(
    _KEYS, st.sampled_from(["us-east-1", "us-west-2"]), st.sampled_from([False, False, False, True]),
    st.sampled_from([record.DECRYPT, record.SIGN, record.ENCRYPT, record.GET_PUBLIC_KEY]),
    st.sampled_from([record.DONE, record.DONE, record.DONE, record.TAMPERED]),
)  # fmt: skip


@given(st.lists(st.lists(_USES, min_size=1, max_size=6), max_size=8), st.integers(0, 8), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_story(
    tmp_path: Path, turns: list[list[tuple[str, str, bool, int, int]]], snapshot_after: int, lost: bool
) -> None:
    """Whatever was done in whatever turns, the answer is that of the plain rule, now and after a start."""
    folder = tmp_path / f"log-{next(numbers)}"
    log, uses = opened(folder)
    expected: dict[tuple[str, str], tuple[int, bytes]] = {}
    for number, turn in enumerate(turns):
        done = []
        for key_id, region, dry, what, outcome in turn:
            one = in_region(region, **({"dryRun": True} if dry else {}))
            done.append(use(key_id, one, what=what, outcome=outcome))
            if not dry and outcome == record.DONE and what in record.TRACKED_OPERATIONS:
                expected[key_id, region if key_id == MRK else ""] = (what, request_of(one).encode())
        log.append(done)
        if number == snapshot_after:
            uses.end_segment(log.position)
    log.close()
    if lost:
        (folder / SNAPSHOT).unlink(missing_ok=True)
    log, again = opened(folder)
    log.close()
    for one_of in (uses, again):
        for key_id, region in ((key(1), ""), (key(2), ""), (MRK, "us-east-1"), (MRK, "us-west-2")):
            answer = one_of.last_use(key_id, region)
            assert (answer and answer[1:]) == expected.get((key_id, region))
    assert again.tracking_start == uses.tracking_start
