"""POST Object: forms that browsers send, their policies, and what is answered.

The cases are those of localstack, TestS3PresignedPost, which was run against AWS, and of Ceph's s3-tests
(test_post_object_…), which sign by version 2; here they are signed by version 4.
"""

import base64
import dataclasses
import hashlib
from typing import Any
from xml.etree import ElementTree

import pytest

from fuin.access.principal import ANONYMOUS
from tests.s3.test_customer_keys import allow as allow_customer_keys
from tests.s3.test_customer_keys import named
from tests.s3.test_hosts import ask
from tests.support import forms
from tests.support.forms import in_an_hour, post, send, signed
from tests.support.place import Place, Reply

SSE = "x-amz-server-side-encryption"
TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>x + y=z</Value></Tag></TagSet></Tagging>"
REDIRECT = "http://localhost.test/done"
INVALID, NOT_MET = "Invalid Policy: ", "Invalid according to Policy: "


def made(place: Place, bucket: str, key: str = "foo.txt", **options: Any) -> dict[str, str]:
    """Return the fields of a form that boto3 makes; each of `Fields` gets a condition that it is as it is."""
    fields: dict[str, str] = options.pop("Fields", {})
    conditions = options.pop("Conditions", [{name: value} for name, value in fields.items()])
    found: dict[str, str] = place.s3(options.pop("user", None)).generate_presigned_post(
        Bucket=bucket, Key=key, Fields=dict(fields), Conditions=conditions, **options
    )["fields"]
    return found


def read(place: Place, bucket: str, key: str = "foo.txt") -> bytes:
    """Return an object."""
    body: bytes = place.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def is_stored(place: Place, bucket: str) -> bool:
    """Return whether there is any object in a bucket."""
    return bool(place.s3().list_objects_v2(Bucket=bucket)["KeyCount"])


def refuse(place: Place, bucket: str, reply: Reply) -> tuple[int, str, str]:
    """Return the error of an answer, after which nothing may be stored."""
    assert not is_stored(place, bucket)
    return reply.status, reply.code, reply.message


@pytest.fixture
def public(place: Place, bucket: str) -> str:
    """Give a bucket into which everybody may put objects, with tags."""
    actions = ["s3:PutObject", "s3:PutObjectTagging"]
    place.put_policy(
        bucket, {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": f"arn:aws:s3:::{bucket}/*"}
    )
    return bucket


# What a form stores


def test_a_form_of_boto3(place: Place, bucket: str) -> None:
    """The answer is empty and names the object; the checksum is that of the file alone."""
    content = b"0" * 70_000
    reply = send(place, bucket, made(place, bucket), content)
    assert (reply.status, reply.body) == (204, b"")
    assert "content-type" not in reply.headers
    assert reply.headers["etag"] == f'"{hashlib.md5(content).hexdigest()}"'
    assert reply.headers["location"] == f"{place.url}/{bucket}/foo.txt"
    assert reply.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    head = place.s3().head_object(Bucket=bucket, Key="foo.txt", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == reply.headers["x-amz-checksum-crc64nvme"]
    assert head["ContentType"] == "binary/octet-stream"  # not that of the part
    assert read(place, bucket) == content


def test_a_form_to_the_buckets_host(place: Place, bucket: str) -> None:
    """The key is in the field, whatever the style of the address."""
    host = f"{bucket}.localhost:{place.settings.port}"
    body = forms.encode(list(made(place, bucket, "a/b c").items()), b"x")
    reply = ask(place, "POST", host, "/", body, {"Content-Type": forms.KIND})
    assert reply.status == 204
    assert reply.headers["location"] == f"http://{host}/a%2Fb%20c"
    assert read(place, bucket, "a/b c") == b"x"


@pytest.mark.parametrize(
    ("key", "sent", "stored"),
    [
        ("${filename}", "foo.txt", "foo.txt"),
        ("a-${filename}-${filename}", "b", "a-b-b"),
        ("a/${filename}", r"C:\Program Files\dir\file.txt", "a/file.txt"),
        ("a/${filename}", "dir/file.txt", "a/file.txt"),
        ("a/${filename}", "", "a/"),
        ("a/${filename}", r"x\"y.txt", 'a/x"y.txt'),
        ("a/${filename}", "größe 👑.txt", "a/größe 👑.txt"),
        ("a/${filename}", None, "a/${filename}"),
        ("a/$name", "b", "a/$name"),
    ],
)
def test_the_name_of_the_file(place: Place, bucket: str, key: str, sent: str | None, stored: str) -> None:
    """It stands for ${filename} in the key without its path; conditions are on the key with it."""
    fields = signed(
        place.root, {"expiration": in_an_hour(), "conditions": [{"bucket": bucket}, {"key": stored}]}, {"key": key}
    )
    reply = send(place, bucket, fields, file_name=sent)
    assert reply.status == 204, reply.body
    assert read(place, bucket, stored) == b"bar"


def test_labels(place: Place, bucket: str) -> None:
    """Standard headers, user metadata, tags and the storage class, each from its field, in any case."""
    meta = {"x-amz-meta-one": "ÄMÄZÕÑ S3", "x-amz-meta-TWO": "${filename}", "x-amz-meta-lines": "a\r\nb\x00"}
    labels = {
        "Content-Type": "text/plain", "Cache-Control": "no-store", "Content-Disposition": "inline; x=${filename}",
        "Content-Encoding": "gzip", "Expires": "Wed, 21 Oct 2037 07:28:00 GMT", "x-amz-storage-class": "STANDARD_IA",
        "tagging": TAGS, "acl": "private",
    }  # fmt: skip
    conditions = [["starts-with", f"${name}", ""] for name in {**labels, **meta}]
    reply = send(place, bucket, made(place, bucket, Fields=labels | meta, Conditions=conditions), file_name="f.gif")
    assert reply.status == 204, reply.body
    head = place.s3().head_object(Bucket=bucket, Key="foo.txt")
    assert head["ContentType"] == "text/plain"
    assert head["ContentDisposition"] == "inline; x=f.gif"
    assert (head["CacheControl"], head["ContentEncoding"]) == ("no-store", "gzip")
    assert (head["ExpiresString"], head["StorageClass"]) == ("Wed, 21 Oct 2037 07:28:00 GMT", "STANDARD_IA")
    assert head["Metadata"] == {
        "one": "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=", "two": "f.gif", "lines": "=?UTF-8?B?YQ0KYgA=?=",
    }  # fmt: skip
    found = place.s3().get_object_tagging(Bucket=bucket, Key="foo.txt")["TagSet"]
    assert found == [{"Key": "a", "Value": "x + y=z"}]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"tagging": "no xml"}, "MalformedXML"),
        ({"tagging": "<Other/>"}, "MalformedXML"),  # AWS stores no tags and says nothing
        ({"tagging": TAGS.replace("a</Key", "aws:a</Key")}, "InvalidTag"),
        ({"x-amz-storage-class": "FakeClass"}, "InvalidStorageClass"),
        ({"acl": "public-read"}, "AccessControlListNotSupported"),
        ({"Cache-Control": "a\nb"}, "InvalidArgument"),
        ({"x-amz-meta-a b": "c"}, "InvalidArgument"),
        ({"x-amz-meta-a": "b" * 3000}, "MetadataTooLarge"),
        ({"x-amz-website-redirect-location": "/x"}, "NotImplemented"),
        ({"x-amz-checksum-algorithm": "SHA256"}, "InvalidRequest"),
        ({"x-amz-checksum-sha256": "sailorjerry"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        ({"Content-MD5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
        ({f"{SSE}": "AES257"}, "InvalidArgument"),
        ({"x-amz-expected-bucket-owner": "210987654321"}, "AccessDenied"),
        ({"acl": "private", "x-amz-acl": "public-read"}, "InvalidRequest"),
    ],
)
def test_fields_that_are_refused(place: Place, bucket: str, fields: dict[str, str], code: str) -> None:
    """What a header of PutObject may not say, a field may not either; and nothing is stored."""
    reply = send(place, bucket, made(place, bucket, Fields=fields))
    assert refuse(place, bucket, reply)[1] == code, reply.body


def test_checksums(place: Place, bucket: str) -> None:
    """A right one is taken, with or without the field that names its algorithm."""
    digest = base64.b64encode(hashlib.sha256(b"bar").digest()).decode()
    md5 = base64.b64encode(hashlib.md5(b"bar").digest()).decode()
    for more in ({}, {"x-amz-checksum-algorithm": "SHA256"}, {"content-md5": md5}):
        reply = send(place, bucket, made(place, bucket, Fields={"x-amz-checksum-sha256": digest, **more}))
        assert (reply.status, reply.headers["x-amz-checksum-sha256"]) == (204, digest)


def test_a_field_that_comes_twice(place: Place, bucket: str) -> None:
    """Its values are one list for the policy and for the object, as AWS has it."""
    fields = made(place, bucket, Fields={"x-amz-meta-tag": "Ninja,Stallman"})
    pairs = [pair for pair in fields.items() if pair[0] != "x-amz-meta-tag"]
    body = forms.encode([*pairs, ("x-amz-meta-tag", "Ninja"), ("X-Amz-Meta-Tag", "Stallman")], b"x")
    assert post(place, f"/{bucket}", body).status == 204
    assert place.s3().head_object(Bucket=bucket, Key="foo.txt")["Metadata"] == {"tag": "Ninja,Stallman"}


# Encryption and rights


def test_encryption_by_the_bucket_and_by_fields(place: Place, bucket: str, key: str) -> None:
    """As with PutObject: the bucket's default, or what the fields say, with their context."""
    context = base64.b64encode(b'{"team": "blue"}').decode()
    chosen = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": key, f"{SSE}-context": context}
    reply = send(place, bucket, made(place, bucket, Fields=chosen))
    assert reply.status == 204, reply.body
    assert (reply.headers[SSE], reply.headers[f"{SSE}-aws-kms-key-id"]) == ("aws:kms", key)
    use = next(draft for draft in place.drafts(reply.headers["x-amz-request-id"]) if "use" in draft)
    assert (use["use"], use["operation"]) == ("kms:GenerateDataKey", "s3:PostObject")
    assert use["context"] == {"team": "blue", "aws:s3:arn": f"arn:aws:s3:::{bucket}/foo.txt"}
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    place.s3().put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    reply = send(place, bucket, made(place, bucket, "by-default"))
    assert reply.headers[f"{SSE}-aws-kms-key-id"] == key
    assert (read(place, bucket), read(place, bucket, "by-default")) == (b"bar", b"bar")


def test_a_customer_key_in_fields(place: Place, bucket: str) -> None:
    """SSE-C, if the bucket takes it."""
    fields = made(place, bucket, Fields=named())
    assert refuse(place, bucket, send(place, bucket, fields))[:2] == (403, "AccessDenied")
    allow_customer_keys(place, bucket)
    reply = send(place, bucket, fields)
    assert reply.status == 204, reply.body
    assert reply.headers[f"{SSE}-customer-algorithm"] == "AES256"
    assert place.send("GET", f"/{bucket}/foo.txt", named()).body == b"bar"
    assert place.send("GET", f"/{bucket}/foo.txt").code == "InvalidRequest"


def test_rights_are_those_of_put_object(place: Place, bucket: str, key: str) -> None:
    """s3:PutObject, kms:GenerateDataKey for the key, s3:PutObjectTagging for tags: asked as the signer."""
    objects = f"arn:aws:s3:::{bucket}/*"
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": objects}
    tag = put | {"Action": "s3:PutObjectTagging"}
    use = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key}
    fields = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": key, "tagging": TAGS}
    user = place.add_user()
    form = made(place, bucket, Fields=fields, user=user)
    for statements, missing in (
        ([], "s3:PutObject"), ([put], "s3:PutObjectTagging"), ([put, tag], "kms:GenerateDataKey"),
        ([put, tag, use], ""),
    ):  # fmt: skip
        place.set_policy(
            user, {"Version": "2012-10-17", "Statement": [*statements, put | {"Resource": "arn:aws:s3:::none/*"}]}
        )
        reply = send(place, bucket, form)
        if missing:
            status, code, message = refuse(place, bucket, reply)
            assert (status, code) == (403, "AccessDenied")
            assert f"perform: {missing} " in message
        else:
            assert reply.status == 204, reply.body


def test_conditions_see_a_form(place: Place, bucket: str) -> None:
    """s3:authType is POST, and fields are the condition keys of their headers."""
    wanted = {
        "s3:authType": "POST", f"s3:{SSE}": "AES256", "s3:RequestObjectTag/a": "x + y=z",
        "s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD", "s3:signatureversion": "AWS4-HMAC-SHA256",
    }  # fmt: skip
    conditions = {"StringEquals": wanted, "Bool": {"s3:ObjectCreationOperation": "true"}}
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", "Condition": conditions}
    tag = {"Effect": "Allow", "Action": "s3:PutObjectTagging", "Resource": "*"}
    user = place.add_user({"Version": "2012-10-17", "Statement": [put, tag]})
    assert send(place, bucket, made(place, bucket, Fields={SSE: "AES256"}, user=user)).status == 403
    assert send(place, bucket, made(place, bucket, Fields={"tagging": TAGS}, user=user)).status == 403
    assert place.send("PUT", f"/{bucket}/k", {SSE: "AES256", "x-amz-tagging": "a=x"}, user=user).status == 403
    reply = send(place, bucket, made(place, bucket, Fields={SSE: "AES256", "tagging": TAGS}, user=user))
    assert reply.status == 204, reply.body


def test_a_form_is_no_copy(place: Place, bucket: str) -> None:
    """Who may only copy from one place may not upload with a field that names it."""
    condition = {"StringLike": {"s3:x-amz-copy-source": "*"}}
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", "Condition": condition}
    user = place.add_user({"Version": "2012-10-17", "Statement": statement})
    reply = send(place, bucket, made(place, bucket, Fields={"x-amz-copy-source": "a/b"}, user=user))
    assert refuse(place, bucket, reply)[:2] == (400, "InvalidArgument")


def test_session_credentials(place: Place, bucket: str) -> None:
    """The token is a field, with its condition; a form that lacks it, or has another one, is refused."""
    keys = place.service("sts").get_session_token()["Credentials"]
    user = dataclasses.replace(place.root, access_key_id=keys["AccessKeyId"], secret_access_key=keys["SecretAccessKey"])
    client = place.client("s3", user, token=keys["SessionToken"])
    fields = client.generate_presigned_post(Bucket=bucket, Key="foo.txt")["fields"]
    without = {name: value for name, value in fields.items() if name != "x-amz-security-token"}
    assert refuse(place, bucket, send(place, bucket, without))[:2] == (403, "InvalidAccessKeyId")
    changed = fields | {"x-amz-security-token": fields["x-amz-security-token"][:-4] + "AAAA"}
    assert refuse(place, bucket, send(place, bucket, changed))[:2] == (400, "InvalidToken")
    assert send(place, bucket, fields).status == 204


def test_a_form_ends_with_its_signer(place: Place, bucket: str) -> None:
    """A form that was signed before is refused once the access key or the right is gone."""
    user = place.new_user({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    form = made(place, bucket, user=user)
    iam = place.service("iam")
    iam.put_user_policy(
        UserName=user.name, PolicyName="no",
        PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}',
    )  # fmt: skip
    assert refuse(place, bucket, send(place, bucket, form))[:2] == (403, "AccessDenied")
    iam.delete_user_policy(UserName=user.name, PolicyName="no")
    iam.update_access_key(UserName=user.name, AccessKeyId=user.access_key_id, Status="Inactive")
    assert refuse(place, bucket, send(place, bucket, form))[:2] == (403, "InvalidAccessKeyId")
    iam.update_access_key(UserName=user.name, AccessKeyId=user.access_key_id, Status="Active")
    assert send(place, bucket, form).status == 204


def test_anonymous_forms(place: Place, bucket: str, public: str) -> None:
    """Only where the bucket's policy lets everybody write; a policy field without a signature changes nothing."""
    fields = {"key": "foo.txt", "Content-Type": "text/plain", "tagging": TAGS, "success_action_status": "201"}
    other = place.bucket()
    assert refuse(place, other, send(place, other, fields)) == (403, "AccessDenied", "Access Denied")
    unsigned = {name: value for name, value in made(place, other).items() if not name.startswith("x-amz-")}
    assert refuse(place, other, send(place, other, unsigned)) == (403, "AccessDenied", "Access Denied")
    reply = send(place, public, fields)
    assert (reply.status, reply.text("Key")) == (201, "foo.txt")
    assert place.s3().get_object_tagging(Bucket=public, Key="foo.txt")["TagSet"]
    hashed = fields | {"x-amz-content-sha256": "0" * 64}  # is that of a request's whole body, so of no form
    assert send(place, public, hashed).status == 201
    kms = send(place, public, {"key": "k", SSE: "aws:kms"})
    assert (kms.status, kms.code) == (400, "InvalidArgument")  # KMS has to know who asks


def test_a_bucket_that_does_not_exist(place: Place) -> None:
    """NoSuchBucket, for those who may write."""
    reply = send(place, "no-such-bucket-here", made(place, "no-such-bucket-here"))
    assert (reply.status, reply.code) == (404, "NoSuchBucket")


# Answers


@pytest.mark.parametrize(
    ("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204), ("2000", 204)]
)
def test_the_status_that_a_form_asks_for(place: Place, bucket: str, asked: str, status: int) -> None:
    """201 has a document without a namespace; every other value is 204."""
    reply = send(place, bucket, made(place, bucket, "a b/é", Fields={"success_action_status": asked}))
    assert reply.status == status, reply.body
    location = f"{place.url}/{bucket}/a%20b%2F%C3%A9"
    assert reply.headers["location"] == location
    if status != 201:
        assert reply.body == b""
        return
    found = {element.tag: element.text for element in ElementTree.fromstring(reply.body)}
    etag = f'"{hashlib.md5(b"bar").hexdigest()}"'
    assert found == {"Location": location, "Bucket": bucket, "Key": "a b/é", "ETag": etag}
    assert reply.headers["content-type"] == "application/xml"


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("http://localhost.test/done", "http://localhost.test/done?"),
        ("https://a.test/x?y=1&z=ü", "https://a.test/x?y=1&z=%C3%BC&"),
        ("https://a.test", "https://a.test?"),
        ("https://a.test/a b\r\nX: y#part", "https://a.test/a%20bX:%20y?"),
        ("/relative", None),
        ("javascript:alert(1)", None),
        ("http://[", None),
        ("https:///x", None),
    ],
)
@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
def test_redirects(place: Place, bucket: str, field: str, url: str, start: str | None) -> None:
    """303 to the URL with bucket, key and ETag; a URL that is none is as if it were not there."""
    fields = {field: url, "success_action_status": "200"}
    policy = {"expiration": in_an_hour(), "conditions": [{"bucket": bucket}, {"key": "a b/c"}]}
    policy["conditions"] += [["starts-with", f"${name}", ""] for name in fields]  # type: ignore[operator]
    reply = send(place, bucket, signed(place.root, policy, {"key": "a b/c", **fields}))
    assert (reply.status, reply.body) == (200 if start is None else 303, b"")
    if start is not None:
        etag = hashlib.md5(b"bar").hexdigest()
        tail = "#part" if "#" in url else ""
        assert reply.headers["location"] == f"{start}bucket={bucket}&key=a+b%2Fc&etag=%22{etag}%22{tail}"


def test_pages_of_other_origins(place: Place, bucket: str) -> None:
    """The bucket's CORS rules hold for the answer, and for errors."""
    rule = {"AllowedMethods": ["POST"], "AllowedOrigins": ["https://a.test"], "ExposeHeaders": ["ETag"]}
    place.s3().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    fields = made(place, bucket)
    for given, status in ((fields, 204), (fields | {"x-amz-signature": "0" * 64}, 403), ({"key": ""}, 400)):
        reply = send(place, bucket, given, headers={"Origin": "https://a.test"})
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, "https://a.test")
        assert reply.headers["access-control-expose-headers"] == "ETag"
        other = send(place, bucket, given, headers={"Origin": "https://b.test"})
        assert "access-control-allow-origin" not in other.headers


# Signatures


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"x-amz-signature": None}, 400, "InvalidArgument", "'X-Amz-Signature'"),
        ({"x-amz-algorithm": None, "x-amz-credential": None}, 400, "InvalidArgument", "'X-Amz-Algorithm'"),
        ({"x-amz-credential": None}, 400, "InvalidArgument", "'X-Amz-Credential'"),
        ({"x-amz-date": None}, 400, "InvalidArgument", "'X-Amz-Date'"),
        ({"policy": None}, 400, "InvalidArgument", "'policy'"),
        ({"key": None}, 400, "InvalidArgument", "'key'"),
        ({"key": ""}, 400, "InvalidArgument", "'key'"),
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch", "The request signature we calculated"),
        ({"x-amz-signature": "é"}, 403, "SignatureDoesNotMatch", "The request signature we calculated"),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA512"}, 400, "InvalidArgument", "X-Amz-Algorithm only supports"),
        ({"x-amz-credential": "a/b"}, 400, "InvalidArgument", "Credential must have exactly 5"),
        ({"x-amz-date": "yesterday"}, 400, "InvalidArgument", "Date must be in ISO-8601"),
        ({"x-amz-security-token": "abc"}, 400, "InvalidToken", "The provided token is malformed"),
        ({"AWSAccessKeyId": "abc"}, 403, "AccessDenied", f"{NOT_MET}Extra input fields: AWSAccessKeyId"),
    ],
)
def test_signatures_that_are_refused(
    place: Place, bucket: str, changes: dict[str, str | None], status: int, code: str, message: str
) -> None:
    """Each part is needed; the answers are AWS's."""
    fields: dict[str, Any] = made(place, bucket) | changes
    reply = send(place, bucket, {name: value for name, value in fields.items() if value is not None})
    found = refuse(place, bucket, reply)
    assert found[:2] == (status, code)
    assert message in found[2]
    if message.startswith("'"):
        assert reply.message.startswith(f"Bucket POST must contain a field named {message}.  If it is specified")
        assert (reply.text("ArgumentName"), reply.text("ArgumentValue")) == (message.strip("'"), "")


def test_a_changed_policy(place: Place, bucket: str) -> None:
    """The signature is over the field as it came, so it is checked before the policy is read."""
    fields = made(place, bucket)
    fields["policy"] = fields["policy"][:-2]
    reply = send(place, bucket, fields)
    assert refuse(place, bucket, reply)[:2] == (403, "SignatureDoesNotMatch")
    assert reply.text("StringToSign") == fields["policy"]
    assert reply.text("SignatureProvided") == fields["x-amz-signature"]
    assert reply.text("AWSAccessKeyId") == place.root.access_key_id


def test_unknown_access_keys_and_version_2(place: Place, bucket: str) -> None:
    """An unknown key is not anonymous; version 2 is refused, as in Regions of AWS that began after it."""
    stranger = dataclasses.replace(place.root, access_key_id="AKIAAAAAAAAAAAAAAAAA")
    fields = made(place, bucket, user=stranger)
    assert refuse(place, bucket, send(place, bucket, fields))[:2] == (403, "InvalidAccessKeyId")
    old = {"key": "foo.txt", "AWSAccessKeyId": place.root.access_key_id, "policy": "e30=", "signature": "AAAA"}
    reply = send(place, bucket, old)
    assert refuse(place, bucket, reply)[:2] == (400, "InvalidRequest")
    assert reply.message.endswith("Please use AWS4-HMAC-SHA256.")


@pytest.mark.parametrize(("age", "status"), [(6.9 * 86400, 204), (7.1 * 86400, 403), (-600, 204), (-1200, 403)])
def test_the_age_of_a_signature(place: Place, bucket: str, age: float, status: int) -> None:
    """It is good for seven days, whatever the policy says, and not before its time by more than clocks differ."""
    policy = {"expiration": in_an_hour(), "conditions": [{"bucket": bucket}, {"key": "k"}]}
    reply = send(place, bucket, signed(place.root, policy, {"key": "k"}, age=age))
    assert reply.status == status, reply.body
    assert is_stored(place, bucket) == (status == 204)


def test_a_form_has_one_signature(place: Place, bucket: str) -> None:
    """None in the Authorization header or in the query, and no headers that say other things than its fields."""
    fields = made(place, bucket, Fields={"x-amz-meta-a": "b"})
    body = forms.encode(list(fields.items()), b"x")
    reply = place.send("POST", f"/{bucket}", {"Content-Type": forms.KIND}, body)
    assert refuse(place, bucket, reply)[:2] == (400, "InvalidRequest")
    reply = post(place, f"/{bucket}?X-Amz-Signature=abc", body)
    assert refuse(place, bucket, reply)[:2] == (400, "InvalidRequest")
    reply = post(place, f"/{bucket}", body, {SSE: "aws:kms"})
    assert refuse(place, bucket, reply)[:2] == (400, "InvalidRequest")
    assert reply.message == "Conflicting values provided in HTTP headers and POST form fields."
    assert post(place, f"/{bucket}", body, {"x-amz-meta-a": "b", "x-amz-cf-id": "c"}).status == 204


def test_conditional_forms(place: Place, bucket: str) -> None:
    """A script may send the condition as a header: HTTP has it for every method."""
    fields = made(place, bucket)
    assert send(place, bucket, fields, headers={"If-None-Match": "*"}).status == 204
    assert send(place, bucket, fields, b"new", headers={"If-None-Match": "*"}).code == "PreconditionFailed"
    assert read(place, bucket) == b"bar"


# Policies


def conditioned(bucket: str, *conditions: Any, **members: Any) -> dict[str, Any]:
    """Return a policy with the conditions that Ceph's tests have, and others."""
    own = [{"bucket": bucket}, ["starts-with", "$key", "foo"], {"acl": "private"},
           ["starts-with", "$Content-Type", "text/plain"]]  # fmt: skip
    return {"expiration": in_an_hour(), "conditions": [*own, *conditions], **members}


CEPH = {"key": "foo.txt", "acl": "private", "Content-Type": "text/plain"}


def test_names_of_fields_have_no_case(place: Place, bucket: str) -> None:
    """Also those of the signature, and of the policy itself."""
    fields = signed(place.root, conditioned(bucket), CEPH)
    assert send(place, bucket, {name.title(): value for name, value in fields.items()}).status == 204
    assert send(place, bucket, {name.upper(): value for name, value in fields.items()}).status == 204


def test_policies_are_obeyed(place: Place, bucket: str) -> None:
    """403 for one that is not met, 400 for one that is none, though its signer has signed it."""
    policy = conditioned(bucket, {"key": 'a"ä'})
    reply = send(place, bucket, signed(place.root, policy, CEPH))
    assert refuse(place, bucket, reply) == (
        403, "AccessDenied", f'{NOT_MET}Policy Condition failed: ["eq", "$key", "a\\"ä"]',
    )  # fmt: skip
    reply = send(place, bucket, signed(place.root, b"[]", CEPH))
    assert refuse(place, bucket, reply) == (400, "InvalidPolicyDocument", f"{INVALID}Invalid JSON.")


def test_each_field_needs_a_condition(place: Place, bucket: str) -> None:
    """Also the bucket, which is no field; the name is shown as it was sent."""
    policy = conditioned(bucket)
    reply = send(place, bucket, signed(place.root, policy, CEPH | {"X-Amz-Meta-A": "b"}))
    assert refuse(place, bucket, reply) == (403, "AccessDenied", f"{NOT_MET}Extra input fields: X-Amz-Meta-A")
    reply = send(place, bucket, signed(place.root, policy, CEPH, complete=False))
    assert refuse(place, bucket, reply) == (403, "AccessDenied", f"{NOT_MET}Extra input fields: x-amz-algorithm")
    policy["conditions"] = [condition for condition in policy["conditions"] if condition != {"bucket": bucket}]
    reply = send(place, bucket, signed(place.root, policy, CEPH))
    assert refuse(place, bucket, reply) == (403, "AccessDenied", f"{NOT_MET}Extra input fields: bucket")


def test_expired_policies(place: Place, bucket: str) -> None:
    """By the second, and by the fraction."""
    for expiration in (in_an_hour(-6000), in_an_hour(-2), "2007-12-01T12:00:00.000Z"):
        reply = send(place, bucket, signed(place.root, conditioned(bucket, expiration=expiration), CEPH))
        assert refuse(place, bucket, reply) == (403, "AccessDenied", f"{NOT_MET}Policy expired.")
    expiration = in_an_hour().replace("Z", ".000Z")
    assert send(place, bucket, signed(place.root, conditioned(bucket, expiration=expiration), CEPH)).status == 204


def test_another_buckets_form(place: Place, bucket: str) -> None:
    """The bucket is that of the URL, whatever the field says."""
    other = place.bucket()
    fields = signed(place.root, conditioned(other), CEPH | {"bucket": other})
    assert refuse(place, bucket, send(place, bucket, fields))[:2] == (403, "AccessDenied")


# Sizes


@pytest.mark.parametrize(
    ("size", "status", "code"),
    [(1, 400, "EntityTooSmall"), (5, 204, ""), (10, 204, ""), (12, 400, "EntityTooLarge")],
)
@pytest.mark.parametrize("follows", [False, True])
def test_the_size_of_the_file(place: Place, bucket: str, size: int, status: int, code: str, follows: bool) -> None:
    """Both bounds are inclusive; what follows the file does not count."""
    fields = signed(place.root, conditioned(bucket, ["content-length-range", 5, 10]), CEPH)
    body = forms.encode(list(fields.items()), b"a" * size)
    if follows:
        body = body.removesuffix(b"--\r\n") + b'\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload\r\n'
        body += f"--{forms.BOUNDARY}--\r\n".encode()
    reply = post(place, f"/{bucket}", body)
    assert (reply.status, reply.code) == (status, code)
    assert is_stored(place, bucket) == (status == 204)
    limit = {"EntityTooSmall": ("MinSizeAllowed", "5"), "EntityTooLarge": ("MaxSizeAllowed", "10")}.get(code)
    if limit is not None and not follows:
        assert (reply.text("ProposedSize"), reply.text(limit[0])) == (str(size), limit[1])


def test_a_range_below_nothing(place: Place, bucket: str) -> None:
    """Of several ranges the narrowest holds; one from -1 to 0 takes an empty file."""
    fields = signed(place.root, conditioned(bucket, ["content-length-range", -1, 0]), CEPH)
    assert refuse(place, bucket, send(place, bucket, fields))[:2] == (400, "EntityTooLarge")
    assert send(place, bucket, fields, b"").status == 204
    two = [["content-length-range", 0, 9], ["content-length-range", 2, 100]]
    fields = signed(place.root, conditioned(bucket, *two), CEPH)
    assert [send(place, bucket, fields, b"a" * size).status for size in (1, 2, 9, 10)] == [400, 204, 204, 400]


def test_a_file_that_is_far_too_large(place: Place, bucket: str) -> None:
    """It is refused before it has come: the answer is there although the rest is never sent."""
    fields = signed(place.root, conditioned(bucket, ["content-length-range", 0, 1000]), CEPH)
    body = forms.encode(list(fields.items()), b"a" * 1000)
    with place.connection() as connection:
        connection.putrequest("POST", f"/{bucket}")
        connection.putheader("Content-Type", forms.KIND)
        connection.putheader("Content-Length", str(10**9))
        connection.endheaders(body)
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"<Code>EntityTooLarge</Code>" in answer.read()
    assert not is_stored(place, bucket)


def test_a_large_file_in_pieces(place: Place, bucket: str) -> None:
    """Beyond one frame, one batch and one read, with lines that look like the delimiter at all places."""
    line = f"\r\n--{forms.BOUNDARY[:-1]}\r\n\r\r\n".encode()
    content = b"".join(bytes([number % 251]) * (number % 97) + line for number in range(60_000))
    assert len(content) > 4 << 20
    policy = conditioned(bucket, ["content-length-range", 4 << 20, 12 << 20])
    reply = send(place, bucket, signed(place.root, policy, CEPH), content)
    assert reply.status == 204, reply.body
    assert read(place, bucket) == content


# Forms that are none


def test_other_bodies(place: Place, bucket: str) -> None:
    """What is not multipart/form-data is refused as AWS does; so is what has no boundary, or another one."""
    body = forms.encode(list(made(place, bucket).items()), b"x")
    for kind in ("text/html", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"):
        reply = post(place, f"/{bucket}", body, {"Content-Type": kind})
        assert refuse(place, bucket, reply)[:2] == (412, "PreconditionFailed")
        assert reply.text("Condition") == "Bucket POST must be of the enclosure-type multipart/form-data"
    for kind in ("multipart/form-data", "multipart/form-data; boundary=other", 'multipart/form-data; boundary="'):
        reply = post(place, f"/{bucket}", body, {"Content-Type": kind})
        assert refuse(place, bucket, reply)[:2] == (400, "MalformedPOSTRequest")
    kind = f'Multipart/Form-Data; charset=x; Boundary="{forms.BOUNDARY}"'
    assert post(place, f"/{bucket}", body, {"Content-Type": kind}).status == 204


def test_forms_without_their_file(place: Place, bucket: str) -> None:
    """No file, a file under another name, two files; fields behind the file are not read."""
    fields = made(place, bucket)
    reply = send(place, bucket, fields, None)
    assert refuse(place, bucket, reply) == (
        400, "InvalidArgument", "POST requires exactly one file upload per request.",
    )  # fmt: skip
    assert (reply.text("ArgumentName"), reply.text("ArgumentValue")) == ("file", "0")
    body = forms.encode(list(fields.items()), b"x")
    two = body.removesuffix(f"--{forms.BOUNDARY}--\r\n".encode()) + forms.encode([], b"y")
    reply = post(place, f"/{bucket}", two)
    assert refuse(place, bucket, reply)[:2] == (400, "IncorrectNumberOfFilesInPostRequest")
    late = forms.encode([], b"x").removesuffix(f"--{forms.BOUNDARY}--\r\n".encode())
    reply = post(place, f"/{bucket}", late + forms.encode(list(fields.items()), None))
    assert refuse(place, bucket, reply)[:2] == (400, "InvalidArgument")
    assert "'key'" in reply.message


def test_fields_that_are_too_large(place: Place, bucket: str) -> None:
    """20 KiB before the file; a file under another name is a field."""
    fields = made(place, bucket)
    reply = send(place, bucket, fields | {"x-ignore-a": "a" * 20_480})
    assert refuse(place, bucket, reply)[:2] == (400, "MaxPostPreDataLengthExceeded")
    assert reply.text("MaxPostPreDataLengthBytes") == "20480"
    reply = send(place, bucket, fields | {"upload": "a" * 1_000_000}, None)
    assert refuse(place, bucket, reply)[:2] == (400, "MaxPostPreDataLengthExceeded")
    name = "n" * 1000
    reply = send(place, bucket, fields | {"x-ignore-a": "${filename}" * 21}, file_name=name)
    assert refuse(place, bucket, reply)[:2] == (400, "MaxPostPreDataLengthExceeded")
    assert send(place, bucket, fields | {"x-ignore-a": "${filename}" * 15}, file_name=name).status == 204
    place.s3().delete_object(Bucket=bucket, Key="foo.txt")
    body = forms.encode(list(fields.items()), b"x")
    for after in (b"a" * 30_000, b'--BB\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 30_000):
        whole = body.removesuffix(b"--\r\n") + after.removeprefix(b"--BB")
        assert refuse(place, bucket, post(place, f"/{bucket}", whole))[:2] == (400, "MalformedPOSTRequest")
        assert refuse(place, bucket, post(place, f"/{bucket}", body + after))[:2] == (400, "MalformedPOSTRequest")


def test_a_body_without_a_length(place: Place, bucket: str) -> None:
    """As with PutObject."""
    body = forms.encode(list(made(place, bucket).items()), b"x")
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    reply = post(place, f"/{bucket}", chunked, {"Transfer-Encoding": "chunked"})
    assert refuse(place, bucket, reply)[:2] == (411, "MissingContentLength")


def test_a_form_that_is_cut(place: Place, bucket: str) -> None:
    """Whatever is missing at its end, nothing is stored; the closing line's own end is not needed."""
    body = forms.encode(list(made(place, bucket).items()), b"x" * 100)
    for cut in (3, 5, 20, 60, 150, len(body) - 10):
        reply = post(place, f"/{bucket}", body[:-cut])
        assert refuse(place, bucket, reply)[:2] == (400, "MalformedPOSTRequest"), cut
    assert post(place, f"/{bucket}", body[:-2]).status == 204


def test_the_record_of_a_refused_form(place: Place, bucket: str) -> None:
    """It says who asked, for which object, and why it was refused; a stranger's form has a record too."""
    reply = send(place, bucket, signed(place.root, conditioned(bucket, {"key": "other"}), CEPH))
    (draft,) = place.drafts(reply.headers["x-amz-request-id"])
    assert (draft["operation"], draft["error"]) == ("s3:PostObject", "AccessDenied")
    assert draft["accessKey"] == place.root.access_key_id
    assert (draft["facts"]["bucket"], draft["facts"]["key"]) == (bucket, "foo.txt")
    assert "Policy Condition failed" in draft["message"]
    reply = post(place, f"/{bucket}", b"nonsense")
    (draft,) = place.drafts(reply.headers["x-amz-request-id"])
    assert (draft["operation"], draft["error"]) == ("s3:PostObject", "MalformedPOSTRequest")
    assert draft["principal"] == ANONYMOUS.arn
