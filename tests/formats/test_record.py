"""The audit record: its vectors, round trip, and that no changed bit stays in the chain."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.audit.chain import ChainPosition, advance
from fuin.audit.segments import entries
from fuin.audit.verify import verify
from fuin.errors import FormatError, TamperedError
from fuin.formats import record
from fuin.formats.record import Checkpoint, Record
from fuin.keyholder.sealed.audit_signature import AuditChecker
from tests.formats import vectors

PATHS = vectors.paths("audit-record")
ERRORS = {"format": FormatError, "tampered": TamperedError}
HEADER = bytes(record.SEGMENT_HEADER_LENGTH)

records = st.builds(
    Record, st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(0, 255),
    st.text(max_size=20), st.binary(max_size=40), st.binary(max_size=60),
)  # fmt: skip


def open_entry(data: bytes, previous: bytes) -> Record:
    """Return the record of an entry that follows `previous`, whatever its number is meant to be."""
    found = list(entries(HEADER + data))
    if len(found) != 1 or found[0].end != len(HEADER + data):
        raise FormatError("not one entry")
    parsed = record.parse(found[0].data)
    if record.link(previous, found[0].data) != found[0].hash:
        raise TamperedError("the chain is broken")
    return parsed


@pytest.mark.parametrize("path", [p for p in PATHS if not p.stem.startswith("segment")], ids=lambda path: path.stem)
def test_entry_vector(path: Path) -> None:
    """Each entry gives its record, or fails with its kind of error."""
    case = vectors.read(path, "previous", "entry")
    if "error" in case:
        with pytest.raises(ERRORS[case["error"]]):
            open_entry(case["entry"], case["previous"])
        return
    found = open_entry(case["entry"], case["previous"])
    for name, value in case["record"].items():
        assert getattr(found, name) == {"material_id": bytes.fromhex, "draft": str.encode}.get(name, lambda v: v)(value)
    assert record.entry(record.encode(found), record.link(case["previous"], record.encode(found))) == case["entry"]


@pytest.mark.parametrize("path", [p for p in PATHS if p.stem.startswith("segment")], ids=lambda path: path.stem)
def test_segment_vector(path: Path, tmp_path: Path) -> None:
    """Each segment verifies with its number of records, or is refused."""
    case = vectors.read(path, "public_key", "segment")
    (tmp_path / "0000000000000001.log").write_bytes(case["segment"])
    check = AuditChecker(case["public_key"])
    if "error" in case:
        with pytest.raises(TamperedError):
            verify(tmp_path, check, None)
    else:
        assert verify(tmp_path, check, None).records == case["records"]


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failed, succeeded = vectors.failures("audit-record")
    assert failed > 4 * succeeded


@given(records)
def test_round_trip(one: Record) -> None:
    """A record comes out as it went in."""
    assert record.parse(record.encode(one)) == one


@given(records, records)
def test_injective(left: Record, right: Record) -> None:
    """Two records have the same bytes only when they are the same."""
    assert (record.encode(left) == record.encode(right)) == (left == right)


@given(st.binary(max_size=80))
def test_parsing_takes_canonical_bytes_only(data: bytes) -> None:
    """Whatever parses is exactly what encoding gives."""
    try:
        found = record.parse(b"\x01" + data)
    except FormatError:
        return
    assert record.encode(found) == b"\x01" + data


def test_every_changed_bit_breaks_the_chain() -> None:
    """No record, and no hash, stays in the chain after any one of its bits was changed."""
    previous = bytes(range(32))
    data = record.encode(Record(8, 1, record.DECRYPT, record.DONE, "key", b"material", b"{}"))
    before, after = ChainPosition(7, previous), record.link(previous, data)
    assert advance(before, data, after).sequence == 8
    for bit in range(8 * (len(data) + 32)):
        changed = bytearray(data + after)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TamperedError):
            advance(before, bytes(changed[:-32]), bytes(changed[-32:]))


@given(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_checkpoint_round_trip(sequence: int, head: bytes, signature: bytes) -> None:
    """A checkpoint comes out as it went in, and is found in the middle of rubbish."""
    checkpoint = Checkpoint(sequence, head, signature)
    draft = record.encode_checkpoint(checkpoint)
    assert record.parse_checkpoint(draft) == checkpoint
    assert record.checkpoints_in(b"rubbish" + draft + bytes(32)) == [checkpoint]
    assert record.checkpoints_in(b"rubbish" + draft + bytes(31)) == []


def test_too_long_parts_are_refused() -> None:
    """A record is not written with a part that it could not be read with."""
    for changes in ({"key_id": "x" * 256}, {"material_id": bytes(256)}, {"draft": bytes(record.LIMIT)}):
        parts = {"sequence": 1, "time": 1, "use": 1, "outcome": 0, "key_id": "", "material_id": b"", "draft": b""}
        with pytest.raises(FormatError):
            record.encode(Record(**{**parts, **changes}))  # type: ignore[arg-type]
