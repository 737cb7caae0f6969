"""The snapshot of last uses: what was written is read, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError
from fuin.formats import last_uses
from fuin.formats.last_uses import Snapshot

_NUMBERS = st.integers(0, (1 << 64) - 1)
_USED = st.tuples(_NUMBERS, st.integers(0, 255), st.binary(max_size=255))
_SNAPSHOTS = st.builds(
    Snapshot, _NUMBERS, st.binary(min_size=32, max_size=32), _NUMBERS,
    st.dictionaries(st.text(max_size=40), _USED, max_size=5),
)  # fmt: skip


@given(_SNAPSHOTS)
def test_written_snapshot_is_read(snapshot: Snapshot) -> None:
    """Reading gives back what was written."""
    assert last_uses.parse(last_uses.encode(snapshot)) == snapshot


@given(_SNAPSHOTS, st.data())
def test_piece_of_a_snapshot_is_refused(snapshot: Snapshot, data: st.DataObject) -> None:
    """A snapshot that ends early, or has something behind it, is none."""
    whole = last_uses.encode(snapshot)
    length = data.draw(st.integers(0, len(whole) - 1))
    for other in (whole[:length], whole + b"\0", b"\0" + whole[1:]):
        with pytest.raises(FormatError):
            last_uses.parse(other)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    """Whatever stands behind the magic, the one error is FormatError."""
    try:
        snapshot = last_uses.parse(b"fuin last uses v1\n" + tail)
    except FormatError:
        return
    assert last_uses.encode(snapshot) == b"fuin last uses v1\n" + tail
