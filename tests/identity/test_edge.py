"""The edge of IAM and STS: forms in, XML out, the model's constraints in AWS's words, and a record of everything."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.exceptions import ClientError

from fuin.identity.iam import iam as table
from fuin.identity.operations import IAM
from tests.support.place import Place, error_of

VERSION = "2010-05-08"
Names = Callable[[str], str]


def ask(action: str, **members: str) -> bytes:
    """Return a form."""
    return urlencode({"Action": action, "Version": VERSION, **members}).encode()


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        (b"", 400, "<Code>InvalidAction</Code>"),
        (b"Action=ListUsers", 400, "for version NO_VERSION_SPECIFIED"),
        (b"Action=ListUsers&Version=2011-01-01", 400, "Could not find operation ListUsers for version 2011-01-01"),
        (ask("Nothing"), 400, "Could not find operation Nothing"),
        (ask("CreateSAMLProvider"), 400, "The operation CreateSAMLProvider is not built in this server."),
        (b"Action=ListUsers&Action=ListRoles&Version=2010-05-08", 400, "<Code>MalformedQueryString</Code>"),
        (b"Action=ListUsers&Version=%ff", 400, "<Code>MalformedQueryString</Code>"),
        ("Action=ListUsers&Version=ü".encode(), 400, "<Code>MalformedQueryString</Code>"),
        (b"&".join(b"a%d=" % number for number in range(5000)), 400, "<Code>MalformedQueryString</Code>"),
        (ask("ListUsers", **{".".join("a" * 40): "x"}), 400, "<Code>MalformedQueryString</Code>"),
        (b"x" * (1024 * 1024 + 1), 413, "<Code>RequestEntityTooLarge</Code>"),
    ],
)
def test_forms_that_are_none(place: Place, form: bytes, status: int, text: str) -> None:
    """What is no form of an operation is a 4xx, which no client sends again."""
    found = place.form(form)
    assert found[0] == status
    assert text in found[1]
    assert "<Type>Sender</Type>" in found[1]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            ask("CreateUser"),
            (
                "1 validation error detected: Value null at 'userName' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            ask("CreateUser", UserName="u" * 65),
            (
                f"1 validation error detected: Value '{'u' * 65}' at 'userName' failed to satisfy constraint: "
                "Member must have length less than or equal to 64"
            ),
        ),
        (
            ask("CreateUser", UserName="no spaces"),
            (
                "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the "
                "following: +=,.@_-"
            ),
        ),
        (
            ask("CreateUser", UserName="a", Path="team"),
            (
                "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
                "characters and/or / characters."
            ),
        ),
        (
            ask("ListPolicies", Scope="Mine"),
            (
                "1 validation error detected: Value 'Mine' at 'scope' failed to satisfy constraint: Member must "
                "satisfy enum value set: [All, AWS, Local]"
            ),
        ),
        (
            ask("ListUsers", MaxItems="1001"),
            (
                "1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must "
                "have value less than or equal to 1000"
            ),
        ),
        (
            ask("TagUser", **{"UserName": "", "Tags.member.1.Value": "x"}),
            (
                "3 validation errors detected: Value '' at 'userName' failed to satisfy constraint: Member must "
                "have length greater than or equal to 1; Value '' at 'userName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [\\w+=,.@-]+; Value null at 'tags.1.member.key' "
                "failed to satisfy constraint: Member must not be null"
            ),
        ),
    ],
)
def test_constraints_of_the_model(place: Place, form: bytes, message: str) -> None:
    """Presence, length, pattern, enumeration and range, all errors of a request at once."""
    status, text = place.form(form)
    assert status == 400
    assert f"<Code>ValidationError</Code><Message>{message}</Message>" in text


@pytest.mark.parametrize(
    "form",
    [
        ask("ListUsers", MaxItems="many"),
        ask("ListPolicies", OnlyAttached="perhaps"),
        ask("TagUser", **{"UserName": "a", "Tags.member.first.Key": "x"}),
        ask("TagUser", **{"UserName": "a", "Tags.1.Key": "x", "Tags.1.Value": "y"}),
        ask("CreateUser", **{"UserName": "a", "Tags.Member.1.Key": "x", "Tags.Member.1.Value": "y"}),
        ask("CreateUser", **{"UserName": "a", "Tags.member": "x"}),
        ask("CreateUser", UserName="a", Tags="x"),
    ],
)
def test_wrong_types(place: Place, form: bytes) -> None:
    """A number that is none, a boolean that is none, a list without numbers or under other names."""
    status, text = place.form(form)
    assert (status, "<Code>ValidationError</Code>" in text) == (400, True)


def test_strange_text_comes_back_as_xml(place: Place) -> None:
    """A value in an error's message is escaped, and what XML cannot say is replaced."""
    status, text = place.form(ask("ListPolicies", Scope="<&\x00\r>"))
    assert status == 400
    assert "Value '&lt;&amp;\N{REPLACEMENT CHARACTER}&#xD;&gt;' at 'scope'" in text


def test_answer_has_the_models_form(place: Place) -> None:
    """Namespace, result and request id are as clients expect them, also for an operation without output."""
    status, text = place.form(ask("ListAccountAliases"))
    assert status == 200
    assert text.startswith(
        f'<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/{VERSION}/"><ListAccountAliasesResult>'
        "<AccountAliases/><IsTruncated>false</IsTruncated></ListAccountAliasesResult><ResponseMetadata><RequestId>"
    )
    place.form(ask("CreateUser", UserName="nooutput"))
    status, text = place.form(ask("DeleteUser", UserName="nooutput"))
    assert text.startswith(f'<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/{VERSION}/"><ResponseMetadata>')


def test_operations_may_stand_in_the_query(place: Place) -> None:
    """AWS Query takes GET as well; a field in both places is refused."""
    status, text = place.form(b"", method="GET", query=f"?Action=ListAccountAliases&Version={VERSION}")
    assert (status, "<AccountAliases/>" in text) == (200, True)
    status, text = place.form(ask("ListAccountAliases"), query="?Action=ListAccountAliases")
    assert (status, "MalformedQueryString" in text) == (400, True)


def test_signature_for_iam_is_none_for_sts(place: Place) -> None:
    """The scope says whose operations are meant."""
    status, text = place.form(b"Action=GetCallerIdentity&Version=2011-06-15")
    assert (status, "Could not find operation GetCallerIdentity" in text) == (400, True)


def test_clients_of_every_region_reach_iam(place: Place) -> None:
    """IAM is global, but a client with an endpoint URL signs for its own Region."""
    iam = boto3.client(
        "iam", region_name="eu-west-1", endpoint_url=place.url, aws_access_key_id=place.root.access_key_id,
        aws_secret_access_key=place.root.secret_access_key,
    )  # fmt: skip
    assert "Users" in iam.list_users()
    iam.close()


def test_unsigned_request_is_refused(place: Place) -> None:
    """Nobody asks IAM anything without a signature."""
    status, text = place.form(ask("ListUsers"), service="iam", signed=False)
    assert (status, "<Code>MissingAuthenticationToken</Code>" in text) == (403, True)


def test_every_request_has_its_record(place: Place, iam: Any, unique: Names) -> None:
    """What was asked, by whom, with which parameters, whether allowed; a change is announced before it is done."""
    name = unique("recorded")
    answer = iam.create_user(UserName=name)
    records = place.record(answer["ResponseMetadata"]["RequestId"])
    assert [record.draft.get("about") for record in records] == ["change", None]
    draft = records[-1].draft
    assert draft["operation"] == "iam:CreateUser"
    assert draft["facts"]["parameters"] == {"UserName": name}
    assert draft["decisions"][0]["action"] == "iam:CreateUser"
    with pytest.raises(ClientError) as refused:
        iam.create_user(UserName=name)
    (*_, last) = place.record(refused.value.response["ResponseMetadata"]["RequestId"])
    assert last.draft["error"] == "EntityAlreadyExists"


def test_without_the_keyholder_nothing_is_answered(place: Place, unique: Names) -> None:
    """No record, no answer and no change: the client is told to try again."""
    path = place.settings.keyholder_socket
    place.stop_keyholder()
    path.rename(path.with_suffix(".away"))  # else connections would wait in the listener of this process
    try:
        with pytest.raises(ClientError) as refused:
            place.service("iam").create_user(UserName=unique("unrecorded"))
        assert error_of(refused.value)[:2] == (503, "ServiceUnavailable")
    finally:
        path.with_suffix(".away").rename(path)
        place.start_keyholder()


def test_table_is_of_the_model() -> None:
    """Every operation in the table is one of AWS's, and needs the IAM action of its own name."""
    known = set(IAM.model.load().operation_names)
    assert set(IAM.operations) <= known
    assert len(table.ROWS) == len(IAM.operations)
    assert all(operation.action == f"iam:{name}" for name, operation in IAM.operations.items())
