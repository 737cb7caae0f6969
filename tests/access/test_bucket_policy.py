"""Bucket policies as S3 takes and refuses them: its sentences, its actions, keys and resources, and their fit."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.bucket_policy import Refused, TooLong, check_bucket_policy, matching
from fuin.access.kinds import PolicyKind, size_of
from fuin.access.policy import check_policy
from fuin.access.vocabulary import actions
from fuin.access.vocabulary.condition_keys import TABLE, keys_of_action
from fuin.s3.operations import OPERATIONS

ASKED = {action.partition(" ")[0] for row in OPERATIONS.values() if row.run for action in row.actions}
BUCKET = "arn:aws:s3:::photos"
OBJECTS = f"{BUCKET}/*"
NOT_THERE = object()
_NO_FIT = "Action does not apply to any resource(s) in statement"
_NO_CONDITION = "Conditions do not apply to combination of actions and resources in statement"
_KEY, _IP = "Policy has an invalid condition key", "Invalid IP address in Conditions"
_ACTION, _RESOURCE, _PRINCIPAL = (
    "Policy has invalid action",
    "Policy has invalid resource",
    "Invalid principal in policy",
)
_SYNTAX = "Invalid policy syntax."


def policy(**members: Any) -> str:
    """Return a policy of one statement that lets everybody read, with some members changed or left out."""
    item = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS} | members
    item = {name: value for name, value in item.items() if value is not NOT_THERE}
    return json.dumps({"Version": "2012-10-17", "Statement": [item]})


def refused(document: str) -> str:
    """Return the sentence with which a policy is refused."""
    with pytest.raises(Refused) as caught:
        check_bucket_policy(document, BUCKET)
    assert len(caught.value.detail) < 400
    return str(caught.value)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "Policies must be valid JSON and the first byte must be '{'"),
        (' {"Statement": []}', "Policies must be valid JSON and the first byte must be '{'"),
        ("[]", "Policies must be valid JSON and the first byte must be '{'"),
        ("{", "This policy contains invalid Json"),
        ("{true}", "This policy contains invalid Json"),
        ('{"Statement": ' + "[" * 60_000, "This policy contains invalid Json"),
        ('{"Id": "\\ud800", "Statement": []}', "This policy contains invalid Json"),
        ("{}", "Missing required field Statement"),
        ('{"Statement": []}', "Could not parse the policy: Statement is empty!"),
        ('{"Statement": null}', _SYNTAX),
        ('{"Statement": ["x"]}', _SYNTAX),
        ('{"Statement": {}, "Statement": {}}', "Statement/policy already has instance of Statement"),
        ('{"Statement": [], "Condition": {}}', "Unknown field Condition"),
        ('{"Version": "2012-10-16", "Statement": []}', "The policy must contain a valid version string"),
        ('{"Version": 1, "Statement": []}', "The policy must contain a valid version string"),
        ('{"Id": 1, "Statement": []}', _SYNTAX),
    ],
)
def test_documents(document: str, sentence: str) -> None:
    """What is no policy at all."""
    assert refused(document) == sentence


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"Sid": 1}, _SYNTAX),
        ({"condition": {}}, "Unknown field condition"),
        ({"Effect": NOT_THERE}, "Missing required field Effect"),
        ({"Effect": "allow"}, "Invalid effect: allow"),
        ({"Effect": 1}, _SYNTAX),
        ({"Principal": NOT_THERE}, "Missing required field Principal"),
        ({"Principal": {}}, "Missing required field Principal cannot be empty!"),
        ({"Principal": "alice"}, _PRINCIPAL),
        ({"Principal": None}, _PRINCIPAL),
        ({"Principal": {"AWS": []}}, _PRINCIPAL),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:group/all"}}, _PRINCIPAL),
        ({"Principal": {"AWS": "arn:aws-cn:iam::111122223333:root"}}, _PRINCIPAL),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}, _PRINCIPAL),
        ({"Principal": {"Service": "*"}}, _PRINCIPAL),
        ({"Principal": {"Nobody": "*"}}, _PRINCIPAL),
        ({"Principal": NOT_THERE, "NotPrincipal": {"AWS": "alice"}, "Effect": "Deny"}, _PRINCIPAL),
        ({"Action": NOT_THERE}, "Missing required field Action"),
        ({"Action": None}, _SYNTAX),
        ({"Action": []}, "Missing required field Action cannot be empty!"),
        ({"Action": ["s3:GetObject", 1]}, _SYNTAX),
        ({"NotAction": "s3:PutObject"}, "Statement/policy already has instance of Action"),
        ({"Action": ""}, _ACTION),
        ({"Action": "s3:"}, _ACTION),
        ({"Action": "GetObject"}, _ACTION),
        ({"Action": "s3:GetObjects"}, _ACTION),
        ({"Action": "s3:Frob*"}, _ACTION),
        ({"Action": "s3:????"}, _ACTION),
        ({"Action": "*GetObject"}, _ACTION),
        ({"Action": "s3::GetObject"}, _ACTION),
        ({"Action": "kms:Decrypt"}, _ACTION),
        ({"Action": ["s3:GetObject", "s3-object-lambda:GetObject"]}, _ACTION),
        ({"Action": NOT_THERE, "NotAction": "s3:GetObjects"}, _ACTION),
        ({"Resource": NOT_THERE}, "Missing required field Resource"),
        ({"Resource": []}, "Missing required field Resource cannot be empty!"),
        ({"Resource": {}}, _SYNTAX),
        ({"Resource": "*"}, _RESOURCE),
        ({"Resource": ""}, _RESOURCE),
        ({"Resource": "photos/*"}, _RESOURCE),
        ({"Resource": "arn:aws:s3:::*"}, _RESOURCE),
        ({"Resource": "arn:aws:s3:::photos2/*"}, _RESOURCE),
        ({"Resource": "arn:aws:s3:::/photos/*"}, _RESOURCE),
        ({"Resource": "arn:aws-cn:s3:::photos/*"}, _RESOURCE),
        ({"Resource": "arn:aws:s3:us-east-1:111122223333:photos/*"}, _RESOURCE),
        ({"Resource": "arn:aws:iam:::photos/*"}, _RESOURCE),
        ({"Resource": [OBJECTS, "arn:aws:s3:::other/*"]}, _RESOURCE),
        ({"Resource": NOT_THERE, "NotResource": "*"}, _RESOURCE),
    ],
)
def test_statements(members: dict[str, Any], sentence: str) -> None:
    """What is no statement of a bucket policy."""
    assert refused(policy(**members)) == sentence


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", BUCKET),
        ("s3:GetObjec?", BUCKET),
        ("s3:Abort*", BUCKET),
        ("s3:ListBucket", OBJECTS),
        ("s3:GetBucket*", OBJECTS),
        ("s3:PutEncryptionConfiguration", f"{BUCKET}/a"),
        (["s3:GetObject", "s3:ListBucket"], OBJECTS),
        (["s3:GetObject", "s3:ListBucket"], BUCKET),
        ("s3:ListAllMyBuckets", [BUCKET, OBJECTS]),
        ("s3:CreateJob", BUCKET),
    ],
)
def test_actions_that_fit_no_resource(action: str | list[str], resource: str | list[str]) -> None:
    """Each action must be one that can be asked of the bucket, or of objects, whichever the statement names."""
    assert refused(policy(Action=action, Resource=resource)) == _NO_FIT


@pytest.mark.parametrize(
    ("condition", "action", "sentence"),
    [
        ([], "s3:GetObject", _SYNTAX),
        ({"StringEquals": "x"}, "s3:GetObject", _SYNTAX),
        ({"StringEquals": {"aws:userid": {}}}, "s3:GetObject", _SYNTAX),
        ({"stringequals": {"aws:userid": "x"}}, "s3:GetObject", "Invalid Condition type : stringequals"),
        ({"NullIfExists": {"aws:userid": "true"}}, "s3:GetObject", "Invalid Condition type : NullIfExists"),
        ({"IpAddress": {"aws:SourceIp": "123"}}, "s3:GetObject", _IP),
        ({"NotIpAddressIfExists": {"aws:SourceIp": ["10.0.0.0/8", "fe80::/129"]}}, "s3:GetObject", _IP),
        ({"NumericLessThan": {"s3:max-keys": "many"}}, "s3:ListBucket", _SYNTAX),
        ({"StringEquals": {"s3:VersionStatus": "x"}}, "s3:GetObject", _KEY),
        ({"StringEquals": {"s3:x-acl": "private"}}, "s3:PutObject", _KEY),
        ({"StringEquals": {"s3:ExistingObjectTag/": "x"}}, "s3:GetObject", _KEY),
        ({"StringEquals": {"kms:ViaService": "x"}}, "s3:GetObject", _KEY),
        ({"StringEquals": {"userid": "x"}}, "s3:GetObject", _KEY),
        ({"StringEquals": {"s3:prefix": "a/"}}, "s3:GetObject", _NO_CONDITION),
        ({"StringEquals": {"s3:prefix": "a/"}}, ["s3:ListBucket", "s3:GetBucketLocation"], _NO_CONDITION),
        ({"StringEquals": {"s3:x-amz-acl": "private"}}, ["s3:PutObject", "s3:GetObject"], _NO_CONDITION),
        ({"Null": {"s3:x-amz-server-side-encryption": "true"}}, ["s3:GetObjectVersion"], _NO_CONDITION),
        ({"StringEquals": {"s3:ExistingObjectTag/a": "b"}}, ["s3:DeleteObject", "s3:DeleteObjectTagging"],
         _NO_CONDITION),
        ({"StringEquals": {"s3:ExistingObjectTag/a": "b"}}, "s3:PutObject", _NO_CONDITION),
        ({"StringEquals": {"s3:ExistingObjectTag/a": "b"}}, "s3:GetObjectRetention", _NO_CONDITION),
        ({"StringEquals": {"s3:RequestObjectTag/a": "b"}}, "s3:PutObjectAcl", _NO_CONDITION),
    ],
)  # fmt: skip
def test_conditions(condition: object, action: str | list[str], sentence: str) -> None:
    """S3 knows the operators, its keys, and the actions that each belongs to."""
    assert refused(policy(Condition=condition, Action=action, Resource=[BUCKET, OBJECTS])) == sentence


def test_the_condition_is_told_of_before_the_resource() -> None:
    """S3 looks at what the conditions belong to before it looks at what the actions are on."""
    condition = {"StringEquals": {"s3:prefix": "a/"}}
    assert refused(policy(Action="s3:ListBucketMultipartUploads", Condition=condition)) == _NO_CONDITION


@pytest.mark.parametrize(
    "members",
    [
        {"Action": "*", "Resource": BUCKET},
        {"Action": "S3:*", "Resource": OBJECTS},
        {"Action": "s3:Get*"},
        {"Action": "s3:*Multipart*", "Resource": BUCKET},
        {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [BUCKET, f"{BUCKET}/a/*"]},
        {"Action": "s3:PutObjectLegalHold"},
        {"Action": NOT_THERE, "NotAction": "s3:ListBucket", "Effect": "Deny"},
        {"Action": "s3:ListBucket", "Resource": NOT_THERE, "NotResource": f"{BUCKET}/a", "Effect": "Deny"},
        {"Resource": f"{BUCKET}/${{aws:username}}/*"},
        {"Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:user/a/b"], "Service": "s3.amazonaws.com"}},
        {"Principal": NOT_THERE, "NotPrincipal": {"AWS": "111122223333"}, "Effect": "Deny"},
        {"Condition": {}},
        {"Condition": {"StringEquals": {"aws:SomethingNew": "x"}}},
        {"Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": "x", "saml:aud": "y"}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": ["2001:DB8:1234:5678::/64", "192.0.2.0/24", "::1"]}}},
        {"Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}}, "Action": "s3:*"},
        {"Condition": {"StringEquals": {"S3:PREFIX": "a/"}}, "Action": "s3:List*", "Resource": BUCKET},
        {"Condition": {"StringEquals": {"s3:x-amz-acl": "private"}}, "Action": ["s3:PutObject", "s3:PutObjectAcl"]},
        {"Condition": {"StringEquals": {"s3:ExistingObjectTag/a": "b"}}, "Action": "s3:GetObjectAttributes"},
        {"Condition": {"StringEquals": {"s3:prefix": "a/"}}, "Action": NOT_THERE, "NotAction": "s3:PutObject"},
    ],
)
def test_what_s3_takes(members: dict[str, Any]) -> None:
    """Wildcards count when anything that they stand for fits; keys of AWS's may be new ones."""
    assert check_bucket_policy(policy(**members), BUCKET).statements


def test_the_size_is_that_of_the_normalized_document() -> None:
    """20,480 bytes, white space between the parts of the JSON not among them."""
    text = json.dumps(json.loads(policy(Sid="")), separators=(",", ":"))
    full = text.replace('"Sid":""', f'"Sid":"{"x" * (20_480 - len(text))}"')
    check_bucket_policy(full.replace(":{", " :\n\t {"), BUCKET)
    with pytest.raises(TooLong, match=r"^Normalized policy document exceeds the maximum allowed size of 20480 bytes$"):
        check_bucket_policy(full.replace('"Sid":"', '"Sid":"x'), BUCKET)


def test_a_text_with_quotes_is_normalized_right() -> None:
    """An escaped quote does not end a text, and white space in a text counts."""
    assert size_of('{"a": "b \\" c" , "d":  "" }', PolicyKind.BUCKET) == len('{"a":"b \\" c","d":""}')


def test_every_action_of_an_operation_is_one_of_s3() -> None:
    """The tables hold all actions that this server's operations ask for, each as one of a bucket or an object."""
    assert {action.lower() for action in ASKED} <= actions.S3
    assert not actions.S3_BUCKET & actions.S3_OBJECT
    assert actions.S3_KEYLESS <= actions.S3_ELSEWHERE


def test_keys_that_requests_bring_may_stand_in_policies() -> None:
    """Whatever a request for an action brings belongs to that action, and every key of the table is known."""
    for action in ASKED:
        for key in keys_of_action(action):
            assert key.aws_actions is None or action.lower() in key.aws_actions, (action, key.name)
    for key in TABLE:
        assert key.aws_actions is None or key.aws_actions <= actions.S3_BUCKET | actions.S3_OBJECT


@given(
    st.dictionaries(
        st.sampled_from(["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "Condition"]),
        st.sampled_from(
            [
                None, "", "*", "s3:*", "s3:GetObject", BUCKET, OBJECTS, "Allow", "Deny", [], {}, ["*"], {"AWS": "*"},
                {"StringEquals": {"s3:prefix": "x"}}, {"Bool": {"aws:SecureTransport": True}}, [[]], {"AWS": {}},
            ]
        ),
    )
)  # fmt: skip
def test_whatever_is_taken_is_evaluated_whole(item: dict[str, Any]) -> None:
    """S3's checks come on top of the language's: what they leave is its own refusal, or a policy of this bucket."""
    document = json.dumps({"Statement": item})
    with contextlib.suppress(Refused):
        taken = check_bucket_policy(document, BUCKET).statements[0]
        again = check_policy(document, PolicyKind.BUCKET).statements[0]
        assert (taken.action_names, taken.resource_names) == (again.action_names, again.resource_names)
        assert all(name.startswith(BUCKET) for name in taken.resource_names)


def test_the_worst_policies_take_bounded_time() -> None:
    """Thousands of different patterns, and hundreds of keys beside hundreds of actions, take well under a second."""
    patterns = [f"s3:*{a}*{b}{c}*" for a in "abcdefghij" for b in "aeiou" for c in "abcdefghijklmnopqrst"]
    worst = policy(Action=patterns, Resource=[BUCKET, OBJECTS])
    keys = {f"s3:ExistingObjectTag/{number}": "" for number in range(300)}
    wide = policy(Action=["s3:Get*Tagging"] * 500, Condition={"StringEquals": keys})
    for document in (worst, wide):
        matching.cache_clear()
        begun = time.process_time()
        try:
            check_bucket_policy(document, BUCKET)
        except Refused as error:
            assert str(error) == _ACTION  # noqa: PT017 - either answer will do, as long as it comes
        assert time.process_time() - begun < 2
