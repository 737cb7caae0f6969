"""CORS: what pages of other origins are told.

In the headers and words of AWS: localstack, test_s3_cors.py, which was run against it.
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from fuin.s3.buckets import cors
from tests.support.place import Place, Reply, error_of

ORIGIN = "https://localhost:4200"
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
NOT_ALLOWED = "CORSResponse: This CORS request is not allowed."


def put_rules(place: Place, bucket: str, *rules: dict[str, Any]) -> None:
    """Give a bucket rules."""
    place.s3().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


def preflight(
    place: Place, path: str, origin: str | None = ORIGIN, method: str | None = "GET", names: str = ""
) -> Reply:
    """Ask as a browser does before it sends a page's request."""
    headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": names}
    return place.raw("OPTIONS", path, {name: value for name, value in headers.items() if value})


def told(reply: Reply) -> dict[str, str]:
    """Return what an answer tells the browser."""
    return {name: value for name, value in reply.headers.items() if name.startswith("access-control-")}


def test_rules_are_put_read_and_removed(place: Place, bucket: str) -> None:
    """All elements come back as they were, each rule by itself."""
    s3 = place.s3()
    rules: list[dict[str, Any]] = [
        {
            "ID": "first", "AllowedHeaders": ["x-amz-*", "Content-Type"], "AllowedMethods": ["GET", "PUT", "HEAD"],
            "AllowedOrigins": ["https://test.com", "http://*.test.com:80"], "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3000,
        },
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
    ]  # fmt: skip
    for _ in range(2):
        with pytest.raises(ClientError) as error:
            s3.get_bucket_cors(Bucket=bucket)
        assert error_of(error.value)[:2] == (404, "NoSuchCORSConfiguration")
        put_rules(place, bucket, *rules)
        assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
        s3.delete_bucket_cors(Bucket=bucket)


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"AllowedMethods": ["MYMETHOD"]}, "Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD"),
    ({"AllowedOrigins": ["*.a.*"]}, 'AllowedOrigin "*.a.*" can not have more than one wildcard.'),
    ({"AllowedHeaders": ["**"]}, 'AllowedHeader "**" can not have more than one wildcard.'),
    ({"ExposeHeaders": ["x-*"]}, 'ExposeHeader "x-*" contains wildcard.'),
    ({"ExposeHeaders": ["ETag\r\nSet-Cookie: a"]}, "ExposeHeader"),
    ({"ExposeHeaders": ["größe"]}, "ExposeHeader"),
    ({"ID": "x" * 256}, "The ID of a CORS rule"),
]


@pytest.mark.parametrize(("members", "message"), INVALID)
def test_rules_that_nobody_can_have(place: Place, bucket: str, members: dict[str, Any], message: str) -> None:
    """InvalidRequest names the text; a name of a header that would end the header is none."""
    with pytest.raises(ClientError) as error:
        put_rules(place, bucket, {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]} | members)
    status, code, text = error_of(error.value)
    assert (status, code) == (400, "InvalidRequest")
    assert text.startswith(message)
    assert place.send("GET", f"/{bucket}?cors").code == "NoSuchCORSConfiguration"


RULE = "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>{}</CORSRule>"


@pytest.mark.parametrize(
    "content",
    [
        "", RULE.format("") * 101, RULE.format("<X/>"), RULE.format("<MaxAgeSeconds>x</MaxAgeSeconds>"),
        RULE.format("<MaxAgeSeconds>-1</MaxAgeSeconds>"), "<X/>",
        "<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>",
        "<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>",
    ],
)  # fmt: skip
def test_documents_of_another_form_are_refused(place: Place, bucket: str, content: str) -> None:
    """MalformedXML, and nothing is stored."""
    body = f"<CORSConfiguration>{content}</CORSConfiguration>".encode()
    assert place.send("PUT", f"/{bucket}?cors", place.md5(body), body).code == "MalformedXML"
    assert place.send("GET", f"/{bucket}?cors").code == "NoSuchCORSConfiguration"


def test_preflights_without_rules(place: Place, bucket: str) -> None:
    """They are refused, and tell no one which buckets exist; one without an origin is no preflight."""
    for path in (f"/{bucket}", "/no-such-bucket-here"):
        reply = preflight(place, path, None)
        assert (reply.status, reply.code) == (400, "BadRequest")
        assert reply.message == "Insufficient information. Origin request header needed."
        for method, shown in (("PUT", "PUT"), (None, "OPTIONS")):
            reply = preflight(place, path, method=method)
            assert (reply.status, reply.code) == (403, "AccessForbidden")
            assert reply.message == "CORSResponse: CORS is not enabled for this bucket."
            assert (reply.text("Method"), reply.text("ResourceType")) == (shown, "BUCKET")
        assert not told(reply)


def test_origins_and_methods_decide(place: Place, bucket: str) -> None:
    """In the preflight and in the answer itself, whose content is the same for all origins."""
    rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": [ORIGIN, "http://*.origin.com"], "MaxAgeSeconds": 3000}
    put_rules(place, bucket, rule)
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"test-cors")
    path = f"/{bucket}/k"
    for origin, allowed in (
        (ORIGIN, True), ("http://test.origin.com", True), ("http://a.b.origin.com", True), ("http://.origin.com", True),
        ("http://origin.com", False), ("https://localhost:4201", False), ("https://LOCALHOST:4200", False),
        ("null", False), (ORIGIN + "/", False),
    ):  # fmt: skip
        expected = {
            "access-control-allow-origin": origin, "access-control-allow-methods": "GET, PUT",
            "access-control-max-age": "3000", "access-control-allow-credentials": "true",
        }  # fmt: skip
        asked, answered = preflight(place, path, origin), place.send("GET", path, {"Origin": origin})
        assert (answered.status, answered.body) == (200, b"test-cors")
        assert told(answered) == (expected if allowed else {})
        if allowed:
            assert (asked.status, asked.body, told(asked)) == (200, b"", expected)
            assert asked.headers["vary"] == answered.headers["vary"] == VARY
        else:
            assert (asked.status, asked.code, asked.text("ResourceType")) == (403, "AccessForbidden", "OBJECT")
            assert asked.message.startswith(NOT_ALLOWED)
            assert "vary" not in answered.headers
    assert preflight(place, path, method="DELETE").status == 403
    assert preflight(place, path, method=None).code == "BadRequest"
    assert not told(place.send("GET", path))
    assert not told(place.send("DELETE", path, {"Origin": ORIGIN}))


def test_headers_decide(place: Place, bucket: str) -> None:
    """Each that is asked for must be allowed, whatever its case; the answer repeats them."""
    put_rules(
        place, bucket,
        {
            "AllowedHeaders": ["x-amz-expected-bucket-owner", "x-AMZ-server-SIDE-*"], "AllowedMethods": ["GET"],
            "AllowedOrigins": [ORIGIN],
        },
    )  # fmt: skip
    for names, shown in (
        ("x-amz-expected-bucket-owner", "x-amz-expected-bucket-owner"),
        ("X-Amz-Expected-Bucket-Owner,x-amz-SERVER-side-encryption",
         "x-amz-expected-bucket-owner, x-amz-server-side-encryption"),
        ("x-amz-acl", None), ("x-amz-expected-bucket-owner, x-amz-acl", None),
    ):  # fmt: skip
        reply = preflight(place, f"/{bucket}/k", names=names)
        assert reply.status == (403 if shown is None else 200)
        assert reply.headers.get("access-control-allow-headers") == shown
    asked = {"Origin": ORIGIN, "Access-Control-Request-Headers": "x-amz-acl"}
    assert not told(place.send("GET", f"/{bucket}/k", asked))


def test_every_page_may_ask(place: Place, bucket: str) -> None:
    """The origin * is told as it is, without credentials; the names that a page may read are told too."""
    put_rules(
        place, bucket,
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["x-amz-id-2", "x-amz-request-id"]},
    )  # fmt: skip
    reply = preflight(place, f"/{bucket}/k", "https://any.where")
    assert told(reply) == {
        "access-control-allow-origin": "*", "access-control-allow-methods": "GET",
        "access-control-expose-headers": "x-amz-id-2, x-amz-request-id",
    }  # fmt: skip
    assert {"x-amz-id-2", "x-amz-request-id"} <= reply.headers.keys()


def test_the_first_rule_that_allows_decides(place: Place, bucket: str) -> None:
    """A rule for another method does not hide a later one."""
    put_rules(
        place, bucket,
        {"AllowedMethods": ["PUT"], "AllowedOrigins": [ORIGIN]},
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
        {"AllowedMethods": ["GET"], "AllowedOrigins": [ORIGIN]},
    )  # fmt: skip
    assert told(preflight(place, f"/{bucket}/k"))["access-control-allow-origin"] == "*"
    assert told(preflight(place, f"/{bucket}/k", method="PUT"))["access-control-allow-origin"] == ORIGIN


def test_a_page_reads_errors_too(place: Place, bucket: str) -> None:
    """Refusals have the headers as well: of a signature, of a right, and of a missing object."""
    put_rules(place, bucket, {"AllowedMethods": ["GET"], "AllowedOrigins": [ORIGIN]})
    for reply, status in (
        (place.send("GET", f"/{bucket}/none", {"Origin": ORIGIN}), 404),
        (place.raw("GET", f"/{bucket}/none", {"Origin": ORIGIN}), 403),
        (
            place.raw("GET", f"/{bucket}/none", {"Origin": ORIGIN, "Authorization": "AWS4-HMAC-SHA256 Credential=x"}),
            400,
        ),
    ):
        assert reply.status == status
        assert told(reply)["access-control-allow-origin"] == ORIGIN


def test_rules_need_rights(place: Place, bucket: str) -> None:
    """s3:PutBucketCORS and s3:GetBucketCORS; a rule itself gives nobody any."""
    put_rules(place, bucket, {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]})
    s3 = place.s3(place.new_user())
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
    for call, members in (
        (s3.get_bucket_cors, {}), (s3.delete_bucket_cors, {}),
        (s3.put_bucket_cors, {"CORSConfiguration": {"CORSRules": rules}}),
    ):  # fmt: skip
        with pytest.raises(ClientError) as error:
            call(Bucket=bucket, **members)
        assert error_of(error.value)[1] == "AccessDenied"
        assert "BucketCORS" in error_of(error.value)[2]
    assert place.raw("GET", f"/{bucket}/k", {"Origin": ORIGIN}).status == 403


@given(st.text("ab*", max_size=5).filter(lambda text: text.count("*") <= 1), st.text("ab", max_size=5))
def test_a_star_stands_for_any_text(pattern: str, text: str) -> None:
    """And for none."""
    start, star, end = pattern.partition("*")
    expected = any(start + text[len(start) : cut] + end == text for cut in range(len(start), len(text) + 1))
    assert cors._fits(pattern, text) == (expected if star else pattern == text)
