"""The table of requests: the page that it makes, and that both ends and the documentation can rely on its rows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError
from fuin.formats import record
from fuin.keyholder.loop import operations
from fuin.keyholder.wire import page, requests
from fuin.keyholder.wire.codecs import FLAG, OCTETS, TEXT, U8, U32, U64, Codec, Field
from fuin.keyholder.wire.requests import REQUESTS, Pace, RequestType

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "keyholder-frames.md"
VALUES: dict[Codec, st.SearchStrategy[object]] = {
    OCTETS: st.binary(max_size=50),
    TEXT: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    U8: st.integers(0, 255),
    U32: st.integers(0, 2**32 - 1),
    U64: st.integers(0, 2**64 - 1),
    FLAG: st.booleans(),
}


def test_page_is_current() -> None:
    """The page's table is what `python -m fuin.keyholder.wire.page` makes now."""
    text = PAGE.read_text(encoding="utf-8")
    assert page.table() in text
    assert page.with_table(text) == text


def test_every_row_is_in_the_table_once() -> None:
    """No row is left out of REQUESTS, and no two rows have the same opcode or name."""
    rows = {name: value for name, value in vars(requests).items() if isinstance(value, RequestType)}
    assert {id(row) for row in rows.values()} == {id(row) for row in REQUESTS}
    assert len({row.code for row in REQUESTS}) == len({row.name for row in REQUESTS}) == len(REQUESTS) == len(rows)


def test_record_follows_the_draft() -> None:
    """A request has a draft, its last field, exactly if it says which use is recorded; every such use has a name."""
    for row in REQUESTS:
        assert (bool(row.fields) and row.fields[-1].name.endswith("draft")) == bool(row.uses), row
        assert all(use in record.USES for use in row.uses), row


def test_operations_are_rows_with_plain_answers() -> None:
    """An operation with a key takes the material first, leaves one record, and its answer needs no conversion."""
    rows = {row.code: row for row in REQUESTS}
    for code, (count, use, decoders, _) in operations.OPERATIONS.items():
        row = rows[code]
        assert (count, (use,), decoders) == (len(row.fields), row.uses, row.decoders)
        assert row.fields[0].name == "material"
        assert len(row.uses) == 1
        assert all(field.codec is OCTETS for field in row.answer), row


def test_slow_requests_name_a_spec() -> None:
    """What is slow for some specs only has a field from which the client can tell."""
    for row in REQUESTS:
        if row.pace is Pace.KEY_MAKER_BY_SPEC:
            assert any(field.name in {"spec", "pair spec"} for field in row.fields), row


@given(st.data())
def test_values_come_through(data: st.DataObject) -> None:
    """Both ends read the same values from the fields of every request and answer."""
    row = data.draw(st.sampled_from(REQUESTS))
    values = [data.draw(VALUES[field.codec]) for field in row.fields]
    fields = list(row.pack(tuple(values)))
    assert all(isinstance(field, bytes) for field in fields)
    assert list(row.unpack(fields)) == values
    needed = sum(not field.optional for field in row.answer)
    answer = [data.draw(VALUES[field.codec]) for field in row.answer[: data.draw(st.sampled_from((needed, None)))]]
    assert list(row.unpack_answer(list(row.pack_answer(answer)))) == answer


ROW = RequestType(99, "test", (Field("a", TEXT), Field("b", U8), Field("c", U32), Field("d", U64)))


@pytest.mark.parametrize(
    "values",
    [("a", 256, 0, 0), ("a", 0, -1, 0), ("a", 0, 2**32, 0), ("a", 0, 0, 2**64), ("\ud800", 0, 0, 0)],
)
def test_value_without_room_is_refused(values: tuple[object, ...]) -> None:
    """A number that its field has no room for, or a text that is not Unicode, is not sent."""
    with pytest.raises(FormatError):
        ROW.pack(values)


@pytest.mark.parametrize("position", range(4))
def test_field_of_a_wrong_form_is_refused(position: int) -> None:
    """A text that is not UTF-8 and a number of a wrong length are refused."""
    fields = list(ROW.pack(("a", 1, 2, 3)))
    fields[position] = b"\xff" if position == 0 else b""
    with pytest.raises(FormatError):
        ROW.unpack(fields)
