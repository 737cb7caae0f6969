"""Signature V4 against AWS's published examples, against botocore's signers, and against forgers."""

import calendar
import hashlib
import hmac
import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.signing import authorization, sigv4
from tests.signing.signers import ACCESS_KEY_ID, CREDENTIALS, HOST, REGION, Sent, day_key, sent, signed_by

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "sigv4").glob("*.json"))
KEYS = st.text(
    st.sampled_from("ab/.+ %~-_*'()!$&,:;=@?#[]é漢\U0001f511\"\\<>^`{|}\t\x7f"), min_size=1, max_size=12
) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
PARAMETERS = st.lists(st.tuples(KEYS, st.none() | KEYS | st.just("")), max_size=5)


def _moment(text: str) -> float:
    return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))


def _check(request: Sent, now: float, payload_hash: str | None = None, skew: int = 900) -> sigv4.Signed:
    signed = sigv4.parse(request, payload_hash)
    sigv4.check_time(signed, now, skew)
    sigv4.verify(signed, sigv4.SigningKey(day_key(signed.credential)))
    return signed


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """A request passes, or is refused for the reason that the vector gives."""
    vector: dict[str, Any] = json.loads(path.read_text())
    wire = vector["request"]
    headers = {name.encode(): value.encode("latin-1") for name, value in wire["headers"].items()}
    request = Sent(wire["method"], wire["path"].encode(), wire["query"].encode(), headers)

    def run() -> None:
        signed = sigv4.parse(request, vector["payload_hash"])
        sigv4.check_time(signed, _moment(vector["now"]), 900)
        sigv4.verify(signed, sigv4.SigningKey(day_key(signed.credential, vector["secret"])))
        assert signed.token == vector.get("token", "")

    if vector["expect"] == "ok":
        run()
        return
    with pytest.raises(AuthenticationFailed) as caught:
        run()
    assert caught.value.reason is AuthReason[vector["expect"]]
    assert caught.value.detail


def test_vectors_fail_more_often_than_they_pass() -> None:
    """The folder of vectors is found, and failures outnumber successes."""
    passing = [path for path in VECTORS if json.loads(path.read_text())["expect"] == "ok"]
    assert len(VECTORS) - len(passing) > len(passing) > 5


@given(KEYS, PARAMETERS, st.sampled_from([S3SigV4Auth, S3SigV4QueryAuth]))
def test_s3_keys_and_queries_as_botocore_signs_them(
    key: str, parameters: list[tuple[str, str | None]], signer: type[SigV4Auth]
) -> None:
    """Any object key and any parameters, signed in the header or presigned, come through."""
    query = "&".join(quote(name, safe="-_.~") + _value(value) for name, value in parameters)
    request = AWSRequest("GET", f"http://{HOST}/bucket/{quote(key, safe='/~')}" + (f"?{query}" if query else ""))
    assert _check(signed_by(signer, "s3", request), time.time()).credential.access_key_id == ACCESS_KEY_ID


@given(st.text(st.sampled_from("ab/.~%+ é"), max_size=12), st.sampled_from([SigV4Auth, SigV4QueryAuth]))
def test_other_services_paths_as_botocore_signs_them(path: str, signer: type[SigV4Auth]) -> None:
    """Paths of other services are normalized and encoded twice."""
    request = AWSRequest("GET", f"http://{HOST}/{quote(path, safe='/~')}")
    empty = hashlib.sha256(b"").hexdigest()
    assert _check(signed_by(signer, "execute-api", request), time.time(), empty).payload_hash == empty


def _value(value: str | None) -> str:
    return "=" if value is None else "=" + quote(value, safe="-_.~")


@pytest.mark.parametrize(
    ("signed_path", "path"),
    [
        ("/b/a%20b", b"/b/a b"),
        ("/b/~x", b"/b/%7ex"),
        ("/b/%C3%A9", b"/b/%c3%a9"),
        ("/b/%C3%A9", "/b/é".encode()),
        ("/b/a%2Bb", b"/b/a+b"),
        ("/b/a%2Fb", b"/b/a%2fb"),
        ("/b/100%25", b"/b/100%"),
        ("/b//../x/.", b"/b//../x/."),
    ],
)
def test_s3_paths_are_brought_to_one_encoding(signed_path: str, path: bytes) -> None:
    """However the path is encoded on the wire, the signature is over AWS's form; %2F is not a slash."""
    request = signed_by(S3SigV4Auth, "s3", AWSRequest("GET", f"http://{HOST}{signed_path}"))
    request.path = path
    _check(request, time.time())


def test_slash_and_its_encoding_are_not_the_same_key() -> None:
    """A signature for /b/a%2Fb is not one for /b/a/b."""
    request = signed_by(S3SigV4Auth, "s3", AWSRequest("GET", f"http://{HOST}/b/a%2Fb"))
    request.path = b"/b/a/b"
    with pytest.raises(AuthenticationFailed):
        _check(request, time.time())


@pytest.mark.parametrize("query", [b"a=1&a-b=2", b"a-b=2&a=1"])
def test_parameters_are_sorted_by_name_before_value(query: bytes) -> None:
    """`a` comes before `a-b`, although "a-b=" sorts before "a="."""
    request = signed_by(S3SigV4Auth, "s3", AWSRequest("GET", f"http://{HOST}/?a=1&a-b=2"))
    request.query = query
    _check(request, time.time())


def test_unsigned_payload_over_tls() -> None:
    """S3 clients over TLS leave the payload out of the signature."""
    request = AWSRequest("PUT", f"https://{HOST}/b/k", data=b"x", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    request.headers["x-amz-checksum-crc32"] = "jNxjhQ=="
    assert _check(signed_by(S3SigV4Auth, "s3", request), time.time()).payload_hash == sigv4.UNSIGNED_PAYLOAD


def _kms(body: bytes = b'{"KeyId":"alias/x"}') -> tuple[Sent, str]:
    headers = {"X-Amz-Target": "TrentService.GenerateDataKey", "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", f"http://{HOST}/", data=body, headers=headers)
    return signed_by(SigV4Auth, "kms", request), hashlib.sha256(body).hexdigest()


def test_kms_request() -> None:
    """A KMS request is signed over its body's hash, which the server computes."""
    request, body_hash = _kms()
    signed = _check(request, time.time(), body_hash)
    assert signed.credential == sigv4.Credential(ACCESS_KEY_ID, signed.amz_date[:8], REGION, "kms")
    assert signed.scope == f"{signed.amz_date[:8]}/{REGION}/kms/aws4_request"
    assert signed.signed_headers == (b"content-type", b"host", b"x-amz-date", b"x-amz-target")
    assert (signed.presigned, signed.expires) == (False, None)


@pytest.mark.parametrize("name", [b"x-amz-target", b"content-type", b"host", b"x-amz-date"])
def test_changed_header_is_refused(name: bytes) -> None:
    """Every signed header counts, the operation's name foremost."""
    request, body_hash = _kms()
    request.headers[name] = request.headers[name].replace(b"Z", b"1Z")[:-1] + b"Y"
    with pytest.raises(AuthenticationFailed):
        _check(request, time.time(), body_hash)


def test_removed_header_is_refused() -> None:
    """A signed header that does not arrive breaks the signature."""
    request, body_hash = _kms()
    del request.headers[b"x-amz-target"]
    with pytest.raises(AuthenticationFailed, match="does not match"):
        _check(request, time.time(), body_hash)


def test_changed_body_is_refused() -> None:
    """A body that differs by a byte breaks the signature."""
    request, _ = _kms()
    with pytest.raises(AuthenticationFailed, match="does not match"):
        _check(request, time.time(), hashlib.sha256(b'{"KeyId":"alias/y"}').hexdigest())


@given(st.integers(0, 255), st.integers(0, 7))
def test_every_bit_of_the_signature_counts(position: int, bit: int) -> None:
    """A signature with one bit changed does not pass."""
    request, body_hash = _kms()
    header = bytearray(request.headers[b"authorization"])
    index = len(header) - 64 + position % 64
    header[index] ^= 1 << bit
    request.headers[b"authorization"] = bytes(header)
    with pytest.raises(AuthenticationFailed):
        _check(request, time.time(), body_hash)


def test_white_space_in_values_is_folded() -> None:
    """Runs of spaces are one, and outer white space none, on either side."""
    headers = {"x-amz-meta-note": "a   b", "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    request = signed_by(S3SigV4Auth, "s3", AWSRequest("PUT", f"http://{HOST}/b/k", headers=headers))
    request.headers[b"x-amz-meta-note"] = b"  a b\t"
    _check(request, time.time())
    request.headers[b"x-amz-meta-note"] = b"ab"
    with pytest.raises(AuthenticationFailed):
        _check(request, time.time())


def test_date_header_instead_of_amz_date() -> None:
    """Without x-amz-date the Date header gives the time, in the string to sign as well."""
    now = 1369353600
    scope = "20130524/us-east-1/kms/aws4_request"
    header = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders=date;host, Signature={'0' * 64}"
    headers = {b"host": b"h", b"date": formatdate(now, usegmt=True).encode(), b"authorization": header.encode()}
    signed = sigv4.parse(Sent("POST", b"/", b"", headers), "0" * 64)
    assert (signed.amz_date, signed.timestamp) == ("20130524T000000Z", now)
    assert signed.string_to_sign.startswith(b"AWS4-HMAC-SHA256\n20130524T000000Z\n" + scope.encode())


@pytest.mark.parametrize("signer", [SigV4Auth, SigV4QueryAuth])
def test_signature_for_another_service_is_none_for_s3(signer: type[SigV4Auth]) -> None:
    """Another service signs the normalized path, but S3 acts on the path as sent: not the same object for a/../b."""
    headers = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    request = signed_by(signer, "sts", AWSRequest("GET", f"http://{HOST}/", headers=headers))
    with pytest.raises(AuthenticationFailed, match='incorrect service "sts"'):
        sigv4.parse(request)


def test_long_access_key_id_is_refused() -> None:
    """An id that no server can have given out does not get into the audit log and the caches."""
    request, body_hash = _kms()
    request.headers[b"authorization"] = request.headers[b"authorization"].replace(b"AKIA", b"A" * 4000)
    with pytest.raises(AuthenticationFailed, match="too long"):
        sigv4.parse(request, body_hash)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_order_of_the_headers_parts_is_free(order: tuple[int, ...]) -> None:
    """Credential, SignedHeaders and Signature may come in any order."""
    request, body_hash = _kms()
    algorithm, _, rest = request.headers[b"authorization"].partition(b" ")
    parts = rest.split(b", ")
    request.headers[b"authorization"] = algorithm + b" " + b",".join(parts[index] for index in order)
    _check(request, time.time(), body_hash)


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (301, "Signature expired: 20130524T000000Z is now earlier than 20130524T000001Z (20130524T000501Z - 5 min.)"),
        (
            -301,
            (
                "Signature not yet current: 20130524T000000Z is still later than 20130523T235959Z "
                "(20130523T235459Z + 5 min.)"
            ),
        ),
    ],
)
def test_skew_is_worded_as_aws_words_it(later: int, expected: str) -> None:
    """The caller learns both clocks; the limit itself is still taken."""
    credential = sigv4.Credential(ACCESS_KEY_ID, "20130524", REGION, "kms")
    now = _moment("20130524T000000Z")
    signed = sigv4.Signed(credential, "20130524T000000Z", now, "", (), b"", "", False, None)
    sigv4.check_time(signed, now + 300, 300)
    sigv4.check_time(signed, now - 300, 300)
    with pytest.raises(AuthenticationFailed) as caught:
        sigv4.check_time(signed, now + later, 300)
    assert caught.value.detail == expected
    assert caught.value.reason is AuthReason.SKEWED


@given(st.binary(max_size=200), st.binary(max_size=80), st.binary(max_size=40))
def test_garbage_is_refused_cleanly(header: bytes, query: bytes, date: bytes) -> None:
    """Whatever arrives, the answer is AuthenticationFailed."""
    with pytest.raises(AuthenticationFailed):
        sigv4.parse(Sent("GET", b"/\xff%", query, {b"authorization": header, b"x-amz-date": date}))
    with pytest.raises(AuthenticationFailed):
        sigv4.parse(Sent("GET", b"/", b"X-Amz-Algorithm=AWS4-HMAC-SHA256&" + query, {b"host": header}))


@given(st.data())
def test_damaged_requests_are_refused_cleanly(data: st.DataObject) -> None:
    """A real request with a few bytes of its header replaced is refused, or claims to come from another key."""
    request, body_hash = _kms()
    good = request.headers[b"authorization"]
    at = data.draw(st.integers(0, len(good) - 1))
    piece = data.draw(st.binary(min_size=1, max_size=4).filter(lambda value: value != good[at : at + len(value)]))
    bad = good[:at] + piece + good[at + len(piece) :]
    request.headers[b"authorization"] = bad
    if _letters(bad) == _letters(good):
        return
    try:
        signed = _check(request, time.time(), body_hash)
    except AuthenticationFailed:
        return
    assert signed.credential.access_key_id != ACCESS_KEY_ID


def _letters(header: bytes) -> str:
    """Return a header without the commas and the white space between its fields, of whatever kind."""
    return "".join(header.decode("latin-1").replace(",", " ").split())


def test_cache_is_bounded() -> None:
    """Headers that differ in each request do not fill the memory; long ones are not kept at all."""
    request, body_hash = _kms()
    good = request.headers[b"authorization"]
    for number in range(3000):
        request.headers[b"authorization"] = good.replace(b"AKIA", b"AK%04d" % number)
        sigv4.parse(request, body_hash)
    size = authorization._read_prefix.cache_info().currsize
    assert size <= 2048
    request.headers[b"authorization"] = good.replace(b"SignedHeaders=", b"SignedHeaders=" + b"a" * 4000 + b";")
    sigv4.parse(request, body_hash)
    assert authorization._read_prefix.cache_info().currsize == size


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=200), max_size=3))
def test_signing_key_is_hmac(raw: bytes, texts: list[bytes]) -> None:
    """A signing key signs as the standard library's HMAC does, one text after another."""
    key = sigv4.SigningKey(raw)
    for text in texts:
        assert key.sign(text) == hmac.digest(raw, text, "sha256").hex()


@pytest.mark.parametrize("length", [0, 31, 33, 65])
def test_signing_key_of_another_length_is_refused(length: int) -> None:
    """Signing keys are what HMAC-SHA256 gives; the hashed blocks would be wrong for longer ones."""
    with pytest.raises(ValueError, match="32 bytes"):
        sigv4.SigningKey(bytes(length))


@pytest.mark.parametrize(("service", "age", "taken"), [
    ("sts", 840, True), ("sts", 901, False), ("kms", 901, False), ("s3", 901, True), ("s3", 3601, False),
])  # fmt: skip
def test_presigned_requests_to_other_services(service: str, age: int, taken: bool) -> None:
    """Whatever it says of its end, one to another service than S3 is good for a quarter of an hour, as in AWS."""
    auth = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
    request = AWSRequest("GET", f"http://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15")
    auth(CREDENTIALS, service, REGION, expires=3600).add_auth(request)
    arrived = sent(request)
    payload_hash = None if service == "s3" else hashlib.sha256(b"").hexdigest()
    if taken:
        _check(arrived, time.time() + age, payload_hash)
        return
    with pytest.raises(AuthenticationFailed) as caught:
        _check(arrived, time.time() + age, payload_hash)
    assert caught.value.reason is AuthReason.EXPIRED
