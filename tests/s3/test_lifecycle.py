"""The lifecycle configuration of a bucket: put, read, removed, and refused as AWS refuses it."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place, error_of
from tests.support.policies import allow

MIDNIGHT = datetime(2023, 1, 1, tzinfo=UTC)
PREFIX = "<Prefix>p</Prefix>"
DAYS = "<Expiration><Days>1</Days></Expiration>"
MARKER = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
ABORT = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
TAG = "<Tag><Key>k</Key><Value>v</Value></Tag>"
MALFORMED = "The XML you provided was not well-formed or did not validate against our published schema"
SMALLEST = "x-amz-transition-default-minimum-object-size"


def rule(*content: str, scope: str = f"<Filter>{PREFIX}</Filter>", name: str = "") -> str:
    """Return an enabled rule as XML."""
    named = f"<ID>{name}</ID>" if name else ""
    return f"<Rule>{named}{scope}<Status>Enabled</Status>{''.join(content)}</Rule>"


def put(place: Place, bucket: str, *rules: str, **headers: str) -> Any:
    """Put rules as XML, and return the answer."""
    body = f"<LifecycleConfiguration>{''.join(rules)}</LifecycleConfiguration>".encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return place.send("PUT", f"/{bucket}?lifecycle", place.md5(body) | named, body)


RULES: list[dict[str, Any]] = [
    {"ID": "all", "Filter": {}, "Status": "Enabled", "Expiration": {"Days": 7}},
    {"ID": "off", "Filter": {"Prefix": ""}, "Status": "Disabled", "Expiration": {"Date": MIDNIGHT}},
    {
        "ID": "both of é & <x>", "Status": "Enabled",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}],
                           "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 20}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 5},
    },
    {"ID": "tag", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Status": "Enabled", "Expiration": {"Days": 1}},
    {"ID": "large", "Filter": {"ObjectSizeGreaterThan": 0}, "Status": "Enabled", "Expiration": {"Days": 1}},
    {"ID": "small", "Filter": {"ObjectSizeLessThan": 1}, "Status": "Enabled", "Expiration": {"Days": 1}},
    {"ID": "marker", "Filter": {"Prefix": "x"}, "Status": "Enabled", "Expiration": {"ExpiredObjectDeleteMarker": True}},
    {
        "ID": "uploads", "Filter": {"Prefix": "x"}, "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
]  # fmt: skip
OLDER: list[dict[str, Any]] = [
    {"ID": "one", "Prefix": "a", "Status": "Enabled", "Expiration": {"Days": 1}},
    {"ID": "two", "Prefix": "b", "Status": "Enabled", "Expiration": {"Days": 2},
     "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
]  # fmt: skip


@pytest.mark.parametrize("rules", [RULES, OLDER])
def test_rules_come_back_as_they_were_put(s3: Any, bucket: str, rules: list[dict[str, Any]]) -> None:
    """Each form of a filter, each action, and the older form with a prefix of the rule."""
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert found["Rules"] == rules
    assert found["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"


def test_the_deprecated_operations_ask_the_same(s3: Any, bucket: str) -> None:
    """PutBucketLifecycle and GetBucketLifecycle, as older SDKs send them."""
    kept = [{"ID": "one", "Prefix": "a", "Status": "Enabled", "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle(Bucket=bucket, LifecycleConfiguration={"Rules": kept})
    assert s3.get_bucket_lifecycle(Bucket=bucket)["Rules"] == kept


def test_a_configuration_is_replaced_and_removed(s3: Any, bucket: str) -> None:
    """Rules that are put replace those before; removing succeeds as often as it is asked for."""
    for rules in (RULES, RULES[:1]):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == RULES[:1]
    for _ in range(2):
        s3.delete_bucket_lifecycle(Bucket=bucket)
        with pytest.raises(ClientError) as error:
            s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        assert error_of(error.value)[:2] == (404, "NoSuchLifecycleConfiguration")


def test_a_rule_without_an_id_gets_one(place: Place, s3: Any, bucket: str) -> None:
    """In AWS's form: a random UUID in base64; another one for each rule."""
    assert put(place, bucket, rule(DAYS), rule(ABORT)).status == 200
    found = [one["ID"] for one in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]]
    assert len({uuid.UUID(base64.b64decode(name).decode()) for name in found}) == 2


def test_the_smallest_size_for_transitions_is_kept(place: Place, bucket: str) -> None:
    """It is answered to PUT and GET, and nothing here depends on it."""
    for value, expected in (("varies_by_storage_class", "varies_by_storage_class"), ("", "all_storage_classes_128K")):
        headers = {SMALLEST: value} if value else {}
        assert put(place, bucket, rule(DAYS), **headers).headers[SMALLEST] == expected
        assert place.send("GET", f"/{bucket}?lifecycle").headers[SMALLEST] == expected
    reply = put(place, bucket, rule(DAYS), **{SMALLEST: "value"})
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert reply.text("Message") == "Invalid TransitionDefaultMinimumObjectSize found: value"


INVALID = "InvalidArgument"
REQUEST = "InvalidRequest"
XML = "MalformedXML"
REFUSED: list[tuple[str, str, str]] = [
    ("", REQUEST, "At least one lifecycle rule must be specified."),
    (rule(DAYS) * 1001, REQUEST, "The number of lifecycle rules must not exceed the allowed limit of 1000 rules."),
    (rule(DAYS, scope=""), XML, MALFORMED),
    (rule(DAYS, scope=f"{PREFIX}<Filter/>"), XML, MALFORMED),
    (rule(DAYS, scope=f"<Filter>{PREFIX}{TAG}</Filter>"), XML, MALFORMED),
    (rule(DAYS, scope=f"<Filter>{PREFIX}<And>{PREFIX}{TAG}</And></Filter>"), XML, MALFORMED),
    (rule(DAYS, scope=f"<Filter><And>{PREFIX}</And></Filter>"), XML, MALFORMED),
    (rule(DAYS, scope="<Filter><Other/></Filter>"), XML, MALFORMED),
    (rule(DAYS, "<Other/>"), XML, MALFORMED),
    (rule(DAYS).replace("Enabled", "enabled"), XML, MALFORMED),
    (rule(DAYS).replace("<Status>Enabled</Status>", ""), XML, MALFORMED),
    (rule(), REQUEST, "At least one action needs to be specified in a rule"),
    (rule(DAYS, name="n" * 256), INVALID, "ID length should not exceed allowed limit of 255"),
    (rule(DAYS, name="n") * 2, INVALID, "Rule ID must be unique. Found same ID for more than one rule"),
    (rule("<Expiration/>"), XML, MALFORMED),
    (rule(DAYS.replace("<Days>", "<Date>2023-01-01T00:00:00Z</Date><Days>")), XML, MALFORMED),
    (rule(MARKER.replace("<Exp", "<Days>1</Days><Exp", 2).replace("<Days>1</Days>", "", 1)), XML, MALFORMED),
    (rule(MARKER.replace("true", "yes")), XML, MALFORMED),
    (rule(DAYS.replace("1", "x")), XML, MALFORMED),
    (rule(DAYS.replace("1", "1.5")), XML, MALFORMED),
    (rule(DAYS.replace("1", "2147483648")), XML, MALFORMED),
    (rule(DAYS.replace("1", "0")), INVALID, "'Days' for Expiration action must be a positive integer"),
    (rule(DAYS.replace("1", "-1")), INVALID, "'Days' for Expiration action must be a positive integer"),
    (
        rule("<Expiration><Date>2023-01-01T02:02:00Z</Date></Expiration>"), INVALID, "'Date' must be at midnight GMT",
    ),
    (
        rule("<Expiration><Date>2023-01-01T00:00:00+01:00</Date></Expiration>"), INVALID,
        "'Date' must be at midnight GMT",
    ),
    (rule("<Expiration><Date>Fri, 01 Jan 2016 00:00:00 GMT</Date></Expiration>"), XML, MALFORMED),
    (rule("<NoncurrentVersionExpiration/>"), XML, MALFORMED),
    (
        rule("<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
             "</NoncurrentVersionExpiration>"), XML, MALFORMED,
    ),
    (
        rule("<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"), INVALID,
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    (
        rule("<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>0"
             "</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), INVALID,
        "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    (
        rule("<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1"
             "</NewerNoncurrentVersions></NoncurrentVersionExpiration>", scope=PREFIX), REQUEST,
        "NewerNoncurrentVersions element can only be used in Lifecycle V2.",
    ),
    (rule("<AbortIncompleteMultipartUpload/>"), XML, MALFORMED),
    (
        rule(ABORT.replace("1", "0")), INVALID,
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    ),
    (
        rule(ABORT, scope=f"<Filter>{TAG}</Filter>"), REQUEST,
        "AbortIncompleteMultipartUpload cannot be specified with Tags.",
    ),
    (
        rule(ABORT, scope="<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>"), REQUEST,
        "AbortIncompleteMultipartUpload cannot be specified with Object Size.",
    ),
    (
        rule(MARKER, scope=f"<Filter>{TAG}</Filter>"), REQUEST,
        "ExpiredObjectDeleteMarker cannot be specified with Tags.",
    ),
    (
        rule(MARKER.replace("true", "false"), scope="<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>"),
        REQUEST, "ExpiredObjectDeleteMarker cannot be specified with Object Size.",
    ),
    (
        rule(DAYS, scope=f"<Filter><And>{TAG}{TAG.replace('v', 'w')}</And></Filter>"), REQUEST,
        "Duplicate Tag Keys are not allowed.",
    ),
    (rule(DAYS, scope="<Filter><Tag><Value>v</Value></Tag></Filter>"), XML, MALFORMED),
    (
        rule(DAYS, scope="<Filter><Tag><Key>aws:x</Key><Value>v</Value></Tag></Filter>"), "InvalidTag",
        "Your TagKey cannot be prefixed with aws:",
    ),
    (
        rule(DAYS, scope="<Filter><ObjectSizeLessThan>0</ObjectSizeLessThan></Filter>"), REQUEST,
        "'ObjectSizeLessThan' should be between 1 and 1099511627776000.",
    ),
    (
        rule(DAYS, scope="<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>"), REQUEST,
        "'ObjectSizeGreaterThan' should be between 0 and 1099511627776000.",
    ),
    (
        rule(DAYS, scope="<Filter><And><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan><ObjectSizeLessThan>9"
                         "</ObjectSizeLessThan></And></Filter>"), REQUEST,
        "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
    ),
    (rule(DAYS, scope=f"<Prefix>{'p' * 1025}</Prefix>"), REQUEST, "The maximum size of a prefix is 1024"),
    (
        rule(DAYS) + rule(DAYS, scope=PREFIX), REQUEST,
        "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
    ),
    (rule(DAYS, scope=PREFIX) + rule(DAYS), REQUEST, "Filter element can only be used in Lifecycle V2."),
    (
        rule(DAYS, scope="<Prefix>a/b</Prefix>") + rule(DAYS, scope="<Prefix>a</Prefix>"), REQUEST,
        "Found overlapping prefixes 'a' and 'a/b' for same action type 'Expiration'",
    ),
    (
        rule("<Transition><Date>20220927</Date></Transition>"), XML, MALFORMED,
    ),
    (
        rule("<Transition><Date>2022-09-27T01:00:00Z</Date><StorageClass>GLACIER</StorageClass></Transition>"), INVALID,
        "'Date' must be at midnight GMT",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "code", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_aws_refuses_is_refused(place: Place, bucket: str, rules: str, code: str, message: str) -> None:
    """With its code and its text; the rules from before stay."""
    assert put(place, bucket, rule(DAYS, name="kept")).status == 200
    reply = put(place, bucket, rules)
    assert (reply.status, reply.code, reply.text("Message")) == (400, code, message)
    assert b"<ID>kept</ID>" in place.send("GET", f"/{bucket}?lifecycle").body


OLDER_VERSIONS = (
    "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass>"
    "</NoncurrentVersionTransition>"
)


@pytest.mark.parametrize(
    "action", ["<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>", OLDER_VERSIONS]
)
def test_a_transition_is_not_built(place: Place, bucket: str, action: str) -> None:
    """There is one place for the bytes, whatever the storage class: the refusal says so, and nothing is stored."""
    reply = put(place, bucket, rule(DAYS, action))
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert reply.text("Message") == "Transitions to other storage classes are not implemented by this server."
    assert place.send("GET", f"/{bucket}?lifecycle").code == "NoSuchLifecycleConfiguration"


def test_a_document_needs_a_digest(place: Place, bucket: str) -> None:
    """Without Content-MD5 and without a checksum it is refused, as the model says."""
    body = f"<LifecycleConfiguration>{rule(DAYS)}</LifecycleConfiguration>".encode()
    assert place.send("PUT", f"/{bucket}?lifecycle", {}, body).code == "InvalidRequest"
    wrong = place.md5(b"other")
    assert place.send("PUT", f"/{bucket}?lifecycle", wrong, body).code == "BadDigest"


def test_each_operation_needs_its_right(place: Place, bucket: str) -> None:
    """s3:PutLifecycleConfiguration to put and to remove, s3:GetLifecycleConfiguration to read, and the right owner."""
    user = place.add_user()
    body = f"<LifecycleConfiguration>{rule(DAYS)}</LifecycleConfiguration>".encode()
    requests: tuple[tuple[str, dict[str, str], bytes], ...] = (
        ("PUT", place.md5(body), body),
        ("GET", {}, b""),
        ("DELETE", {}, b""),
    )
    rights = ("s3:PutLifecycleConfiguration", "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration")
    for (method, headers, sent), action in zip(requests, rights, strict=True):
        others = allow("s3:*")
        others["Statement"].append({"Effect": "Deny", "Action": action, "Resource": "*"})
        place.set_policy(user, others)
        for name in (bucket, "no-such-bucket-of-this-test"):
            assert place.send(method, f"/{name}?lifecycle", headers, sent, user=user).status == 403
        place.set_policy(user, allow(action))
        expected = {"x-amz-expected-bucket-owner": "999999999999"}
        assert place.send(method, f"/{bucket}?lifecycle", headers | expected, sent, user=user).status == 403
        assert place.send(method, f"/{bucket}?lifecycle", headers, sent, user=user).status in (200, 204)
        assert place.send(method, "/no-such-bucket-of-this-test?lifecycle", headers, sent, user=user).status == 404


def test_the_record_has_the_rules(place: Place, bucket: str) -> None:
    """Who put which rules, and who removed them."""
    reply = put(place, bucket, rule(DAYS, name="one"))
    setting = place.drafts(reply.headers["x-amz-request-id"])[-1]["facts"]["settings"]["lifecycle"]
    assert setting["rules"] == [{"id": "one", "enabled": True, "prefix": "p", "days": 1}]
    reply = place.send("DELETE", f"/{bucket}?lifecycle")
    assert place.drafts(reply.headers["x-amz-request-id"])[-1]["facts"]["settings"] == {"lifecycle": None}


def test_a_new_bucket_of_the_same_name_has_no_rules(s3: Any, bucket: str) -> None:
    """The rules go with the bucket."""
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": RULES})
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert error_of(error.value)[1] == "NoSuchLifecycleConfiguration"
