"""The parsers of multipart/form-data, without a server: any way of cutting a form, another parser, and nonsense."""

import tracemalloc
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import HTTP

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuin.s3.request.faults import S3Fault
from fuin.s3.request.multipart_form import FIELDS_LIMIT, FieldsParser, FileParser, parse_boundary

BOUNDARY = b"-----------------------------735323031399963166993862150"
DELIMITER = b"\r\n--" + BOUNDARY
Form = tuple[list[tuple[str, str]], str | None, bytes]  # fields, the file's name, its content


def read(pieces: Iterator[bytes]) -> Form:
    """Return what the two parsers find in the pieces of a body."""
    parser = FieldsParser(BOUNDARY)
    taken = 0
    for piece in pieces:
        taken += len(piece)
        if parser.feed(piece):
            break
    if not parser.has_file:
        raise S3Fault("MalformedPOSTRequest")
    assert parser.size == taken - len(parser.rest)
    file = FileParser(parser.delimiter)
    content = b"".join(bytes(found) for piece in (parser.rest, *pieces) for found in file.feed(piece))
    file.finish()
    return parser.fields, parser.file_name, content


def cut(body: bytes, places: list[int]) -> Iterator[bytes]:
    """Yield a body in pieces, some of which may be empty."""
    ends = sorted(place % (len(body) + 1) for place in places)
    return (body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True))


def encode(fields: list[tuple[str, str]], name: str | None, content: bytes) -> bytes:
    """Return the body of a form as browsers write it."""
    parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in fields]
    named = "" if name is None else f'; filename="{name}"'
    parts.append(f'Content-Disposition: form-data; name="file"{named}\r\nX: y\r\n\r\n'.encode() + content)
    return b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY, part) for part in parts) + b"--%b--\r\n" % BOUNDARY


NAMES = st.text(st.characters(exclude_characters='"\\\r\n', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
KEYS = NAMES.filter(lambda name: name.lower() != "file")
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
# Contents made of pieces of delimiters, so that nearly all of them look like one somewhere.
CONTENTS = (
    st.lists(
        st.one_of(
            st.binary(max_size=5),
            st.sampled_from([b"\r", b"\n", b"\r\n", b"--", DELIMITER[:-1], DELIMITER[:5], b"\r\r\n--"]),
        ),
        max_size=12,
    )
    .map(b"".join)
    .filter(lambda content: DELIMITER not in content)
)
PLACES = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=5), st.none() | NAMES, CONTENTS, PLACES)
@example([], None, b"", [])
@example([("a", "")], "", DELIMITER[:-1], list(range(200)))
def test_forms_come_back(fields: list[tuple[str, str]], name: str | None, content: bytes, places: list[int]) -> None:
    """Fields, name and content are found however the body is cut."""
    body = encode(fields, name, content)
    assert read(cut(body, places)) == (fields, name, content)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=3), CONTENTS)
def test_another_parser_finds_the_same(fields: list[tuple[str, str]], content: bytes) -> None:
    """Python's own parser of messages, which keeps all in memory."""
    body = encode(fields, "a", content)
    head = b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n" % BOUNDARY
    parts = list(message_from_bytes(head + body, policy=HTTP).iter_parts())
    found = [part.get_payload(decode=True) for part in parts]
    assert found == [*(value.encode() for _, value in fields), content]
    assert read(iter([body]))[2] == content


@given(st.lists(st.tuples(KEYS, VALUES), max_size=3), CONTENTS, PLACES, st.data())
def test_spoiled_forms(fields: list[tuple[str, str]], content: bytes, places: list[int], data: st.DataObject) -> None:
    """A byte that is changed, taken away or put in gives another form or an error of S3's, and the same in pieces."""
    body = bytearray(encode(fields, "a", content))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 1))] = data.draw(
            st.binary(max_size=1) | st.sampled_from([b"\r\n", b'"'])
        )
    whole = result(iter([bytes(body)]))
    assert result(cut(bytes(body), places)) == whole


def result(pieces: Iterator[bytes]) -> Form | str:
    """Return what is found, or the code of the error."""
    try:
        return read(pieces)
    except S3Fault as fault:
        return fault.code


@given(st.binary(max_size=300))
def test_nonsense(body: bytes) -> None:
    """It is refused with an error of S3's."""
    assert result(iter([b"--" + BOUNDARY + body])) == "MalformedPOSTRequest"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"preamble\r\n--BB \t\r\ncontent-disposition:Form-Data;NAME=\"a\" ; x=y;\r\n\r\nb\r\n--BB\r\n", [("a", "b")]),
        (b'--BB\r\nX: y\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--BB\r\n', [("a", "")]),
        (b'--BB\r\nContent-Disposition: form-data; name="a"\r\n\r\n--BB\r\n', [("a", "")]),
        (b'--BB\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--BB\r\n', [("a", "b")]),
        (b'--BB\r\nContent-Disposition: form-data; name="a\\"b"\r\n\r\nb\r\n--BB\r\n', [('a"b', "b")]),
        (b'--BB\r\nContent-Disposition: form-data; name="a"; filename="x"\r\n\r\nb\r\n--BB\r\n', [("a", "b")]),
    ],
)  # fmt: skip
def test_forms_as_they_may_be(body: bytes, expected: list[tuple[str, str]]) -> None:
    """A preamble, spaces behind a delimiter, other headers, parts without content, names as tokens."""
    whole = (body + b'--BB\r\nContent-Disposition: form-data; name="FILE"\r\n\r\nz\r\n--BB--').replace(b"BB", BOUNDARY)
    whole = whole.replace(b"--%b\r\n--%b" % (BOUNDARY, BOUNDARY), b"--%b" % BOUNDARY)
    assert read(iter([whole])) == (expected, None, b"z")


@pytest.mark.parametrize(
    "part",
    [
        b"\r\nb",
        b'Content-Type: text/plain\r\n\r\nb',
        b'Content-Disposition: form-data\r\n\r\nb',
        b'Content-Disposition: file; name="file"\r\n\r\nb',
        b'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nb',
        b'Content-Disposition: form-data; name="a\r\n\r\nb',
        b'Content-Disposition: form-data; name="a" b\r\n\r\nb',
        b'Content-Disposition: form-data; name="\xff"\r\n\r\nb',
        b'Content-Disposition: form-data; name="a"\r\n\r\n\xff',
    ],
)  # fmt: skip
def test_parts_that_are_malformed(part: bytes) -> None:
    """Each part is form-data with one name, in UTF-8."""
    body = encode([], "a", b"x").replace(b"--" + BOUNDARY, b"--%b\r\n%b\r\n--%b" % (BOUNDARY, part, BOUNDARY), 1)
    assert result(iter([body])) == "MalformedPOSTRequest"


def test_the_file_is_never_cut() -> None:
    """A line of the file that begins as the delimiter does makes the form malformed; it does not end the file."""
    for line in (DELIMITER + b"1", DELIMITER + b"-", DELIMITER + b"--1", DELIMITER + b"  x\r\n", DELIMITER + b"\n"):
        assert result(iter([encode([], "a", b"content" + line + b"more")])) == "MalformedPOSTRequest", line
    for end in (b"--", b"--\r\n", b"--  \r\nepilogue", b"--\n"):
        body = encode([], "a", b"content").removesuffix(b"--\r\n") + end
        assert result(iter([body])) == ([], "a", b"content"), end


def test_the_limit_of_the_fields() -> None:
    """All bytes before the file's content count, and nothing is kept beyond them; 20 KiB are not too many."""
    empty = len(encode([("a", "")], "a", b"")) - len(DELIMITER + b"--\r\n")
    fits = encode([("a", "x" * (FIELDS_LIMIT - empty))], "a", b"y" * 100_000)
    assert read(iter([fits]))[2] == b"y" * 100_000
    for pieces in ([1], list(range(0, 40_000, 7))):
        assert read(cut(fits, pieces))[2] == b"y" * 100_000
        over = encode([("a", "x" * (FIELDS_LIMIT - empty + 1))], "a", b"y")
        assert result(cut(over, pieces)) == "MaxPostPreDataLengthExceeded"
    assert result(iter([b"x"] * (FIELDS_LIMIT + 1))) == "MaxPostPreDataLengthExceeded"


def test_what_follows_the_file_is_bounded() -> None:
    """However it comes: a field of more than 20 KiB, and what follows the form."""
    body = encode([], "a", b"x")
    field = b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 50_000
    for whole in (body.removesuffix(b"--\r\n") + field, body + b"a" * 50_000):
        for places in ([], [20_000, 40_000], list(range(0, 50_000, 777))):
            assert result(cut(whole, places)) == "MalformedPOSTRequest"


def test_a_file_passes_in_constant_memory() -> None:
    """No more than a piece is kept, whatever its last bytes look like."""
    parser, piece, size = FileParser(DELIMITER), b"x" * (1 << 20) + DELIMITER[:10], 0
    tracemalloc.start()
    try:
        for _ in range(64):
            size += sum(map(len, parser.feed(piece)))
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
    assert size == 64 * len(piece) - 10


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data;boundary="a b:c"', b"a b:c"),
        ("Multipart/Form-Data ; charset=utf-8 ; Boundary=----=_Part/1?2;", b"----=_Part/1?2"),
        ("multipart/form-data; boundary=" + "x" * 70, b"x" * 70),
        ("multipart/form-data; boundary=" + "x" * 71, None),
        ('multipart/form-data; boundary=""', None),
        ("multipart/form-data; boundary=ä", None),
        ('multipart/form-data; boundary="a\rb"', None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data", None),
    ],
)
def test_boundaries(kind: str, boundary: bytes | None) -> None:
    """1 to 70 printable characters of ASCII, named once."""
    if boundary is None:
        with pytest.raises(S3Fault, match="not well-formed"):
            parse_boundary(kind)
    else:
        assert parse_boundary(kind) == boundary
