"""aws-chunked bodies: AWS's published examples, botocore's own encoder, forgeries, and any way of cutting them."""

import hashlib
import hmac
import io
from collections.abc import Mapping

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import AuthenticationFailed, FormatError
from fuin.signing.sigv4 import Credential, Signed
from fuin.signing.streaming import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkedBody, open_body
from tests.signing.signers import ACCESS_KEY_ID, day_key

CREDENTIAL = Credential(ACCESS_KEY_ID, "20130524", "us-east-1", "s3")
KEY = day_key(CREDENTIAL)
EXAMPLE = [b"a" * 65536, b"a" * 1024]
CRC = "x-amz-checksum-crc32c"


def _signed(form: str, seed: str = "0" * 64) -> Signed:
    return Signed(CREDENTIAL, "20130524T000000Z", 1369353600.0, seed, (), b"", form, False, None)


def _open(form: str, length: int, trailers: str = "", seed: str = "0" * 64) -> ChunkedBody:
    headers = {b"x-amz-decoded-content-length": str(length).encode()}
    if trailers:
        headers[b"x-amz-trailer"] = trailers.encode()
    return open_body(_signed(form, seed), KEY, headers)


def _sign(previous: str, kind: str, *hashes: str) -> str:
    text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", "20130524T000000Z", CREDENTIAL.scope, previous, *hashes))
    return hmac.digest(KEY, text.encode(), "sha256").hex()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _encode(form: str, chunks: list[bytes], trailers: Mapping[str, str], seed: str = "0" * 64) -> bytes:
    """Encode as a client does; the last, empty chunk is added here."""
    body, previous = b"", seed
    for chunk in [*(chunk for chunk in chunks if chunk), b""]:
        extension = b""
        if form != UNSIGNED_TRAILER:
            previous = _sign(previous, "PAYLOAD", _sha(b""), _sha(chunk))
            extension = b";chunk-signature=" + previous.encode()
        body += b"%x%b\r\n%b" % (len(chunk), extension, chunk + b"\r\n" if chunk else b"")
    lines = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    if form == SIGNED_TRAILER:
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        lines += f"x-amz-trailer-signature:{_sign(previous, 'TRAILER', _sha(canonical.encode()))}\r\n"
    return body + lines.encode() + b"\r\n"


def _decode(body: ChunkedBody, data: bytes, step: int = 1 << 20) -> tuple[bytes, dict[str, str]]:
    content = b"".join(
        bytes(piece) for at in range(0, len(data), step) for piece in body.feed(memoryview(data)[at : at + step])
    )
    return content, body.finish()


def test_published_example_of_signed_chunks() -> None:
    """Amazon S3 API Reference: 66560 times the letter a, in chunks of 64 KiB, with all published signatures."""
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    wire = b"10000;chunk-signature=%b\r\n%b\r\n400;chunk-signature=%b\r\n%b\r\n0;chunk-signature=%b\r\n\r\n" % (
        signatures[0].encode(), EXAMPLE[0], signatures[1].encode(), EXAMPLE[1], signatures[2].encode(),
    )  # fmt: skip
    assert _encode(SIGNED, EXAMPLE, {}, seed) == wire
    assert _decode(_open(SIGNED, 66560, seed=seed), wire) == (b"a" * 66560, {})


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n\r\n"])
def test_published_example_of_signed_trailers(line_end: bytes) -> None:
    """Amazon S3 API Reference: the same with a CRC32C trailer; its text shows two ways to end the trailer's line."""
    seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    signatures = [
        b"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    wire = b"10000;chunk-signature=%b\r\n%b\r\n400;chunk-signature=%b\r\n%b\r\n0;chunk-signature=%b\r\n" % (
        signatures[0], EXAMPLE[0], signatures[1], EXAMPLE[1], signatures[2],
    )  # fmt: skip
    wire += b"x-amz-checksum-crc32c:sOO8/Q==" + line_end
    wire += b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    assert _decode(_open(SIGNED_TRAILER, 66560, CRC, seed), wire) == (b"a" * 66560, {CRC: "sOO8/Q=="})


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20, (1 << 20) + 1])
def test_botocores_unsigned_trailer(size: int) -> None:
    """What boto3 sends over TLS: 1 MiB chunks, unsigned, and a CRC32 in the trailer."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    wrapper = AwsChunkedWrapper(
        io.BytesIO(content), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=1 << 20
    )
    decoded, trailers = _decode(_open(UNSIGNED_TRAILER, size, "x-amz-checksum-crc32"), wrapper.read(), 65536)
    expected = Crc32Checksum()
    expected.update(content)
    assert decoded == content
    assert trailers == {"x-amz-checksum-crc32": expected.b64digest()}


_CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
_FORMS = st.sampled_from([SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])


def _trailers(form: str) -> dict[str, str]:
    return {} if form == SIGNED else {CRC: "sOO8/Q==", "x-amz-checksum-a": "b"}


def _fresh(form: str, chunks: list[bytes]) -> ChunkedBody:
    return _open(form, sum(map(len, chunks)), ", ".join(_trailers(form)).upper())


@given(_FORMS, _CHUNKS, st.lists(st.integers(1, 60), min_size=1, max_size=50))
def test_any_splitting_gives_the_same_answer(form: str, chunks: list[bytes], cuts: list[int]) -> None:
    """However the network cuts the body, content and trailers come out the same."""
    wire = _encode(form, chunks, _trailers(form))
    body, content, at, turn = _fresh(form, chunks), b"", 0, 0
    while at < len(wire):
        step = cuts[turn % len(cuts)]
        content += b"".join(bytes(piece) for piece in body.feed(wire[at : at + step]))
        at, turn = at + step, turn + 1
    assert (content, body.finish()) == (b"".join(chunks), _trailers(form))


@given(_FORMS, _CHUNKS, st.data())
def test_a_body_cut_short_is_refused(form: str, chunks: list[bytes], data: st.DataObject) -> None:
    """Whatever is missing at the end, finish() refuses."""
    wire = _encode(form, chunks, _trailers(form))
    body = _fresh(form, chunks)
    body.feed(wire[: data.draw(st.integers(0, len(wire) - 1))])
    with pytest.raises(FormatError):
        body.finish()


@given(st.sampled_from([SIGNED, SIGNED_TRAILER]), _CHUNKS, st.data())
def test_every_changed_bit_of_a_signed_body_is_refused(form: str, chunks: list[bytes], data: st.DataObject) -> None:
    """Content, sizes, signatures, trailers: a flipped bit never gives other content or trailers."""
    wire = bytearray(_encode(form, chunks, _trailers(form)))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        answer = _decode(_fresh(form, chunks), bytes(wire))
    except (FormatError, AuthenticationFailed):
        return
    assert answer == (b"".join(chunks), _trailers(form))  # the case of a size's or a name's letter, white space


@given(_FORMS, st.lists(st.binary(max_size=60), max_size=6), st.integers(0, 100))
def test_garbage_is_refused_cleanly(form: str, pieces: list[bytes], length: int) -> None:
    """Whatever arrives, nothing but FormatError or AuthenticationFailed is raised."""
    body = _open(form, length, CRC)
    try:
        given_out = sum(len(piece) for data in pieces for piece in body.feed(data))
        assert given_out <= length
        with pytest.raises(FormatError):
            body.finish()
    except (FormatError, AuthenticationFailed):
        return


_END = b"0\r\nx-amz-checksum-crc32c:a\r\n\r\n"


def _chunk(signature: str, content: bytes) -> bytes:
    return b"%x;chunk-signature=%b\r\n%b\r\n" % (len(content), signature.encode(), content)


def test_swapped_chunks_are_refused() -> None:
    """The chain of signatures fixes the order of chunks."""
    first = _sign("0" * 64, "PAYLOAD", _sha(b""), _sha(b"one"))
    second = _sign(first, "PAYLOAD", _sha(b""), _sha(b"two"))
    assert _open(SIGNED, 6).feed(_chunk(first, b"one") + _chunk(second, b"two")) == [b"one", b"two"]
    with pytest.raises(AuthenticationFailed):
        _open(SIGNED, 6).feed(_chunk(second, b"two") + _chunk(first, b"one"))


def test_a_left_out_chunk_is_refused() -> None:
    """A chunk taken out of the middle breaks the chain at the next one, whatever length is declared."""
    first = _sign("0" * 64, "PAYLOAD", _sha(b""), _sha(b"one"))
    second = _sign(first, "PAYLOAD", _sha(b""), _sha(b"two"))
    with pytest.raises(AuthenticationFailed):
        _open(SIGNED, 3).feed(_chunk(second, b"two"))


def test_chunks_of_another_request_are_refused() -> None:
    """The seed ties the chunks to their request's own signature."""
    wire = _encode(SIGNED, [b"one"], {}, seed="1" * 64)
    with pytest.raises(AuthenticationFailed):
        _open(SIGNED, 3).feed(wire)


def test_a_refused_body_stays_refused() -> None:
    """After a wrong signature the rest of the body cannot make it good again."""
    body = _open(SIGNED, 6)
    with pytest.raises(AuthenticationFailed):
        body.feed(_chunk("0" * 64, b"one"))
    with pytest.raises(FormatError):
        body.feed(_encode(SIGNED, [b"two"], {}))
    with pytest.raises(FormatError):
        body.finish()


def test_too_much_is_refused_before_it_comes() -> None:
    """A chunk that goes beyond the declared length is refused at its header, before any of its bytes are given out."""
    with pytest.raises(FormatError):
        _open(UNSIGNED_TRAILER, 3).feed(b"4\r\n")


def test_a_refused_trailer_cannot_be_made_good() -> None:
    """After an unexpected trailer the body is refused for ever."""
    body = _open(UNSIGNED_TRAILER, 3, CRC)
    with pytest.raises(FormatError):
        body.feed(b"3\r\nabc\r\n0\r\nx-amz-meta-a:b\r\n")
    with pytest.raises(FormatError):
        body.feed(b"x-amz-checksum-crc32c:a\r\n\r\n")
    with pytest.raises(FormatError):
        body.finish()


def test_large_chunk_passes_without_being_kept() -> None:
    """The bytes of a chunk are given out as views of what came in, before the chunk is complete."""
    body = _open(UNSIGNED_TRAILER, 1 << 30)
    assert body.feed(b"40000000\r\n") == []
    data = b"x" * 65536
    (piece,) = body.feed(data)
    assert piece.obj is data


@pytest.mark.parametrize(
    ("story", "form", "wire"),
    [
        ("a size that is no number", UNSIGNED_TRAILER, b"xyz\r\n"),
        ("an empty size", UNSIGNED_TRAILER, b"\r\n"),
        ("a negative size", UNSIGNED_TRAILER, b"-1\r\n"),
        ("a size with a prefix", UNSIGNED_TRAILER, b"0x3\r\nabc\r\n"),
        ("a size with an underscore", UNSIGNED_TRAILER, b"0_3\r\nabc\r\n"),
        ("a size with white space", UNSIGNED_TRAILER, b" 3\r\nabc\r\n"),
        ("a size in digits of another script", UNSIGNED_TRAILER, "\u0663".encode() + b"\r\nabc\r\n"),
        ("a size beyond everything", UNSIGNED_TRAILER, b"f" * 17 + b"\r\n"),
        ("a bare line feed after the size", UNSIGNED_TRAILER, b"30\nabc\r\n" + _END),
        ("a header without end", UNSIGNED_TRAILER, b"3" + b"0" * 2000),
        ("content without its line end", UNSIGNED_TRAILER, b"3\r\nabcd\r\n" + _END),
        ("a bare line feed after the content", UNSIGNED_TRAILER, b"3\r\nabc\n" + _END),
        ("more content than declared", UNSIGNED_TRAILER, b"4\r\nabcd\r\n0\r\nx-amz-checksum-crc32c:a\r\n\r\n"),
        ("less content than declared", UNSIGNED_TRAILER, b"2\r\nab\r\n0\r\nx-amz-checksum-crc32c:a\r\n\r\n"),
        ("a signature where there is none", UNSIGNED_TRAILER, b"3;chunk-signature=" + b"0" * 64 + b"\r\nabc\r\n"),
        ("no signature where there is one", SIGNED, b"3\r\nabc\r\n"),
        ("an empty signature", SIGNED, b"3;chunk-signature=\r\nabc\r\n"),
        ("another extension", SIGNED, b"3;name=value\r\nabc\r\n"),
        ("a trailer that was not announced", UNSIGNED_TRAILER, b"3\r\nabc\r\n0\r\nx-amz-meta-a:b\r\n\r\n"),
        ("an announced trailer that does not come", UNSIGNED_TRAILER, b"3\r\nabc\r\n0\r\n\r\n"),
        ("a trailer twice", UNSIGNED_TRAILER, b"3\r\nabc\r\n0\r\n" + b"x-amz-checksum-crc32c:a\r\n" * 2 + b"\r\n"),
        ("a trailer without a colon", UNSIGNED_TRAILER, b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c\r\n\r\n"),
        ("a trailer without end", UNSIGNED_TRAILER, b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:" + b"a" * 2000),
        ("content after the end", UNSIGNED_TRAILER, b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:a\r\n\r\n0\r\n\r\n"),
        ("a trailer's signature in an unsigned body", UNSIGNED_TRAILER,
         b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:a\r\nx-amz-trailer-signature:" + b"0" * 64 + b"\r\n\r\n"),
        ("a trailer where the form has none", SIGNED, _encode(SIGNED, [b"abc"], {CRC: "a"})),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_malformed_body_is_refused(story: str, form: str, wire: bytes, step: int) -> None:
    """Every way in which the framing can be wrong is a FormatError."""
    with pytest.raises(FormatError):
        _decode(_open(form, 3, CRC), wire, step)


def test_unsigned_trailers_may_end_with_an_empty_line_more() -> None:
    """minio-go's form ends the last trailer by a line feed and sends two empty lines; more than those is refused."""
    wire = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:a\n\r\n\r\n"
    for step in (1, 7, len(wire)):
        assert _decode(_open(UNSIGNED_TRAILER, 3, CRC), wire, step) == (b"abc", {CRC: "a"})
        for more in (b"\r\n", b"x", b"\r", b"\n", b"0\r\n\r\n"):
            with pytest.raises(FormatError):
                _decode(_open(UNSIGNED_TRAILER, 3, CRC), wire + more, step)
        for half in (b"\r", b"\n", b"x\r\n"):
            with pytest.raises(FormatError):
                _decode(_open(UNSIGNED_TRAILER, 3, CRC), wire[:-2] + half, step)


def test_trailers_need_their_signature() -> None:
    """In the signed form, trailers without x-amz-trailer-signature never end the body; a wrong one is refused."""
    whole = _encode(SIGNED_TRAILER, [b"abc"], {CRC: "a"})
    at = whole.index(b"x-amz-trailer-signature")
    with pytest.raises(FormatError):
        _decode(_open(SIGNED_TRAILER, 3, CRC), whole[:at] + b"\r\n")
    with pytest.raises(AuthenticationFailed):
        _decode(_open(SIGNED_TRAILER, 3, CRC), whole.replace(b"crc32c:a", b"crc32c:b"))


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", {b"x-amz-decoded-content-length": b"3"}),
        ("UNSIGNED-PAYLOAD", {b"x-amz-decoded-content-length": b"3"}),
        (SIGNED, {}),
        (SIGNED, {b"x-amz-decoded-content-length": b"-3"}),
        (SIGNED, {b"x-amz-decoded-content-length": b"3,3"}),
        (SIGNED, {b"x-amz-decoded-content-length": b"9" * 19}),
        (UNSIGNED_TRAILER, {b"x-amz-decoded-content-length": b"3", b"x-amz-trailer": b"a,b,c,d,e,f,g,h,i"}),
    ],
)
def test_headers_that_do_not_fit_are_refused(form: str, headers: dict[bytes, bytes]) -> None:
    """The form, the declared length and the announced trailers are checked before the body is read."""
    with pytest.raises(FormatError):
        open_body(_signed(form), KEY, headers)
