"""Whatever a client chooses, and however much of it: each answer has a closing record, and the two say the same."""

import base64
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuin.gate import drafts
from tests.security.edges import Edges, closing
from tests.support.policies import allow
from tests.support.server import User, new_user

_EXAMPLES = 300 if os.environ.get("FUIN_LONG") == "1" else 12  # of each service
# At the limits of a name, a condition's value, a key, a description, a policy, a context; and beyond them.
LENGTHS = (0, 1, 63, 64, 128, 256, 1024, 1025, 2048, 8191, 8192, 8193, 32_767, 60_000)
TEXT = st.builds(
    lambda one, length: one * length, st.sampled_from(["a", "\x01", '"', "é", "\x7f"]), st.sampled_from(LENGTHS)
)
NAME = st.one_of(st.sampled_from(["a", "alias/a", "user-1", "*"]), TEXT)
PAIRS = st.dictionaries(st.one_of(st.sampled_from(["a", "b", "tenant"]), TEXT), TEXT, max_size=3)
HEADER = st.builds(
    lambda one, length: one * length, st.sampled_from(["a", '"', "\xe9", "*"]), st.sampled_from([0, 1, 128, 8000])
)
WHO = st.sampled_from(["root", "limited", "nobody", "unsigned", "wrong", "unknown"])

KMS = st.fixed_dictionaries({}, optional={
    "KeyId": NAME, "SourceKeyId": NAME, "DestinationKeyId": NAME, "EncryptionContext": PAIRS,
    "SourceEncryptionContext": PAIRS, "DestinationEncryptionContext": PAIRS, "DryRun": st.booleans(),
    "Plaintext": st.just("eA=="), "KeySpec": st.sampled_from(["AES_256", "SYMMETRIC_DEFAULT", "x"]),
    "GrantTokens": st.lists(NAME, max_size=11), "Description": TEXT, "Policy": TEXT, "PolicyName": st.just("default"),
    "AliasName": NAME, "TargetKeyId": NAME, "Name": NAME, "GranteePrincipal": NAME, "RetiringPrincipal": NAME,
    "Operations": st.lists(st.sampled_from(["Decrypt", "Encrypt"]), max_size=3),
    "Constraints": st.fixed_dictionaries({"EncryptionContextSubset": PAIRS}),
    "Tags": st.lists(st.fixed_dictionaries({"TagKey": NAME, "TagValue": TEXT}), max_size=4),
    "TagKeys": st.lists(NAME, max_size=4),
})  # fmt: skip
KMS_OPERATIONS = (
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "CreateKey", "CreateGrant", "PutKeyPolicy", "TagResource",
    "UntagResource", "CreateAlias", "UpdateKeyDescription", "DescribeKey", "Nothing",
)  # fmt: skip
FORM_ACTIONS = {
    "iam": (
        "CreateUser", "TagUser", "PutUserPolicy", "CreatePolicy", "CreateRole", "GetUser", "ListUsers", "CreateGroup",
        "SimulateCustomPolicy", "Nothing",
    ),
    "sts": ("AssumeRole", "GetCallerIdentity", "GetFederationToken", "GetSessionToken", "AssumeRoleWithSAML"),
}  # fmt: skip
FORM = st.fixed_dictionaries({}, optional={
    "UserName": NAME, "RoleName": NAME, "GroupName": NAME, "PolicyName": NAME, "PolicyDocument": TEXT, "Path": NAME,
    "Description": TEXT, "AssumeRolePolicyDocument": TEXT, "Tags.member.1.Key": NAME, "Tags.member.1.Value": TEXT,
    "RoleArn": NAME, "RoleSessionName": NAME, "SourceIdentity": NAME, "ExternalId": TEXT, "Policy": TEXT, "Name": NAME,
    "PolicyInputList.member.1": TEXT, "ActionNames.member.1": NAME, "PolicyArns.member.1.arn": NAME,
})  # fmt: skip
METHODS = ("GET", "PUT", "DELETE", "POST")
QUERIES = (
    "", "?policy", "?uploads", "?uploadId=a", "?list-type=2&prefix=" + "a" * 2000, "?delete",
    "?partNumber=1&uploadId=b", "?versionId=x", "?encryption", "?acl", "?nothing=" + "%01" * 500,
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    """Give all services, a bucket, a key and users whose rights hang on what the client chooses."""
    made = Edges(tmp_path_factory.mktemp("edges"))
    try:
        furnish(made)
        yield made
    finally:
        made.close()


def furnish(made: Edges) -> None:
    """Make what requests are about, and who asks."""
    headers = {"aws:UserAgent": "never", "aws:Referer": "never"}
    (statement,) = allow("*")["Statement"]
    condition = {"StringNotLike": {**headers, "kms:EncryptionContext:a": "never"}}
    limited = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
    made.users = {
        "root": made.root, "limited": made.add_user(limited), "nobody": made.add_user(), "unsigned": None,
        "wrong": User("root", made.root.access_key_id, "wrong" * 8), "unknown": new_user("unknown"),
    }  # fmt: skip
    made.s3().create_bucket(Bucket="bucket")
    made.s3().delete_public_access_block(Bucket="bucket")
    resources = ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": resources}
    made.put_policy("bucket", {**everybody, "Condition": {"StringNotLike": headers}})
    made.key = made.new_key()
    made.kms().create_alias(AliasName="alias/a", TargetKeyId=made.key)
    made.blob = made.kms().encrypt(KeyId=made.key, Plaintext=b"x")["CiphertextBlob"]


def check(place: Edges, service: str, method: str, target: str, headers: dict[str, str], body: bytes, who: str) -> None:
    """Ask, and compare the answer with the closing record of its request."""
    told = place.ask(service, method, target, headers, body, place.users[who])
    assert told.request_id, told
    last = closing(place.record(told.request_id))
    if told.status < 300:
        assert (last.draft.get("error"), last.outcome) == (None, "ok"), (told, last)
    else:
        assert last.draft.get("error", last.outcome) in {told.code, "tampered", "invalid"}, (told, last)
        assert (last.outcome == "ok") is ("error" in last.draft), (told, last)
    bound = 2048 if who in {"unsigned", "wrong", "unknown"} and told.status >= 300 else drafts.AT_MOST + 512
    assert max(place.sizes(told.request_id)) <= bound, (told, last)


def examples(test: Any) -> Any:
    """Let a test run as often as this is the short or the long form."""
    allowed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=allowed)(test)


@examples
@given(operation=st.sampled_from(KMS_OPERATIONS), members=KMS, who=WHO, agent=HEADER, blob=st.booleans(), target=HEADER)
def test_kms(
    place: Edges, operation: str, members: dict[str, Any], who: str, agent: str, blob: bool, target: str
) -> None:  # fmt: skip
    """Contexts, policies, tags, grants, ids and headers of any length, by anybody."""
    chosen = dict(members)
    if chosen.get("KeyId") == "a":
        chosen["KeyId"] = place.key
    if blob:
        chosen["CiphertextBlob"] = base64.b64encode(place.blob).decode()
    body = json.dumps(chosen, ensure_ascii=False).encode()
    headers = {"X-Amz-Target": f"TrentService.{operation}{target if operation == 'Nothing' else ''}"}
    check(place, "kms", "POST", "/", {**headers, "User-Agent": agent}, body, who)


@examples
@given(service=st.sampled_from(["iam", "sts"]), number=st.integers(0, 9), form=FORM, who=WHO, agent=HEADER)
def test_iam_and_sts(place: Edges, service: str, number: int, form: dict[str, str], who: str, agent: str) -> None:
    """Names, documents, tags, session names and source identities of any length, by anybody."""
    actions = FORM_ACTIONS[service]
    version = {"iam": "2010-05-08", "sts": "2011-06-15"}[service]
    body = urlencode({"Action": actions[number % len(actions)], "Version": version, **form}).encode()
    check(place, service, "POST", "/", {"User-Agent": agent}, body, who)


def deletion(keys: list[str]) -> bytes:
    """Return the body of DeleteObjects; XML has no control characters."""
    named = (escape(key.replace("\x01", "x")) for key in keys)
    return f"<Delete>{''.join(f'<Object><Key>{key}</Key></Object>' for key in named)}</Delete>".encode()


@examples
@given(
    method=st.sampled_from(METHODS), key=TEXT.map(lambda text: text[:1100]), query=st.sampled_from(QUERIES), who=WHO,
    bucket=st.sampled_from(["bucket", "bucket", "none", "B" * 300, "\x01" * 200]), agent=HEADER, referer=HEADER,
    context=PAIRS, source=st.booleans(), keys=st.lists(TEXT.map(lambda text: text[:1024]), max_size=40),
)  # fmt: skip
def test_s3(
    place: Edges, method: str, key: str, query: str, who: str, bucket: str, agent: str, referer: str,
    context: dict[str, str], source: bool, keys: list[str],
) -> None:  # fmt: skip
    """Buckets, keys, queries, headers and lists of keys of any length, by anybody."""
    target = f"/{quote(bucket)}" + (f"/{quote(key)}" if key and query != "?delete" else "") + query
    headers = {"User-Agent": agent, "Referer": referer}
    pairs = base64.b64encode(json.dumps(context).encode()).decode()
    if method == "PUT" and len(pairs) < 4000:
        headers |= {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": place.key}
        headers["x-amz-server-side-encryption-context"] = pairs
    if method == "PUT" and source:
        headers["x-amz-copy-source"] = f"/bucket/{quote(key)[:3000]}"
    body = deletion(keys) if query == "?delete" else b"x" if method in {"PUT", "POST"} else b""
    if body:
        headers |= place.md5(body)
    if sum(map(len, (target, *headers, *headers.values()))) < 28_000:  # what is longer is no request to a service
        check(place, "s3", method, target, headers, body, who)
