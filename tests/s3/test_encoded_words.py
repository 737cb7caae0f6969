"""Metadata beyond ASCII, as S3 gives it: encoded words of RFC 2047."""

import string
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.s3.request.encoded_words import decode, encode, header_value
from tests.support.place import Place


def wire(text: str) -> str:
    """Return a text in UTF-8 as the server has a header's value."""
    return text.encode().decode("latin-1")


# What real S3 answered, by localstack's tests against it.
@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ("plain text", "plain text"),
        (string.punctuation + " \t", string.punctuation + " \t"),
        (wire("test_—_file%E2%80%94_é_2?.pdf"), "=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?="),
        (wire("ÄMÄZÕÑ S3"), "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="),
        ("=?UTF-8?B?AAECAw==?=", "=?UTF-8?B?AAECAw==?="),
        (wire("\ufffd" * 7), "=?UTF-8?B?77+977+977+977+977+977+977+9?="),
        ("=?UTF-8?Q?actually-ascii?=", "actually-ascii"),
        ("=?UTF-8?B?YWJj?=", "abc"),
        ("=?UTF-8?B?Z3LDtsOfZQ==?=", "=?UTF-8?Q?gr=C3=B6=C3=9Fe?="),
    ],
)
def test_as_s3_gives_it(came: str, goes: str) -> None:
    """Printable ASCII stays; else it is the form Q, or B when a character cannot be printed."""
    assert header_value(came) == goes


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ("gr\xf6\xdfe", "=?UTF-8?Q?gr=C3=B6=C3=9Fe?="),  # Latin-1, which is no UTF-8
        ("=?iso-8859-1?q?gr=F6=DFe?=", "=?UTF-8?Q?gr=C3=B6=C3=9Fe?="),
        ("=?us-ascii?Q?a_b=3f?=", "a b?"),
        ("=?utf-8?q?a?= \t=?utf-8?q?b?= c", "ab c"),  # section 6.2: white space between two words is none
        ("x =?utf-8?q?a?= y", "x a y"),
        ("=?UTF-8?B?=GGG?=", "=?UTF-8?B?=GGG?="),
        ("=?utf-8?q?=ff?=", "=?utf-8?q?=ff?="),
        ("=?us-ascii?q?=c3?=", "=?us-ascii?q?=c3?="),
        ("=?punycode?q?a?=", "=?punycode?q?a?="),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("a\nb", "=?UTF-8?B?YQpi?="),
        ("=?utf-8?b?PT91dGYtOD9xP2E/PQ==?=", "=?utf-8?q?a?="),  # once, not twice
    ],
)
def test_other_forms(came: str, goes: str) -> None:
    """Other charsets of old are read; what is not well-formed, or of a charset that is not known, stays as it came."""
    assert header_value(came) == goes


@given(st.text())  # of all characters but surrogates
def test_a_word_says_the_same_again(text: str) -> None:
    """Every text can stand in a header, and comes back the same; another reader of RFC 2047 reads it as we do."""
    word = encode(text)
    assert word.isascii()
    assert word.replace("\t", "").isprintable()
    if "=?" not in text:
        assert decode(word) == text
    if word != text:
        assert decode(word) == text
        assert str(make_header(decode_header(word))) == text


@given(st.text(st.characters(max_codepoint=255)))
def test_any_bytes_can_be_sent(value: str) -> None:
    """Whatever is stored, the answer has a header: a read never fails for it."""
    shown = header_value(value)
    assert shown.isascii()
    assert shown.replace("\t", "").isprintable()


def test_metadata_beyond_ascii_over_http(place: Place, bucket: str) -> None:
    """As bytes of UTF-8 in a header (unsigned: botocore signs other bytes), GET, HEAD and a copy give the same word."""
    place.put_policy(
        bucket, {"Effect": "Allow", "Principal": "*", "Action": "s3:*Object", "Resource": f"arn:aws:s3:::{bucket}/*"}
    )
    assert place.raw("PUT", f"/{bucket}/k", {"x-amz-meta-name": wire("größe")}, b"x").status == 200
    place.s3().copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    for method, key in (("GET", "k"), ("HEAD", "k"), ("HEAD", "copy")):
        assert place.raw(method, f"/{bucket}/{key}", {}).headers["x-amz-meta-name"] == "=?UTF-8?Q?gr=C3=B6=C3=9Fe?="
