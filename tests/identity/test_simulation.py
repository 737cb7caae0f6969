"""IAM's policy simulator over the wire, by boto3: decisions, the statements that decide, what was missing, pages."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.policies import allow
from tests.support.server import ACCOUNT, Server, User

KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OBJECT = "arn:aws:s3:::papers/a.txt"
VIA = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}


def document(*statements: dict[str, Any]) -> str:
    """Return a policy of statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Return a statement."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def custom(server: Server, policy: str, *actions: str, **more: Any) -> list[dict[str, Any]]:
    """Return the results of SimulateCustomPolicy."""
    answer = server.client("iam").simulate_custom_policy(PolicyInputList=[policy], ActionNames=list(actions), **more)
    results: list[dict[str, Any]] = answer["EvaluationResults"]
    return results


def test_decisions_of_one_policy(server: Server) -> None:
    """Allowed, denied, and nothing said; the deny is the only statement that is told."""
    policy = document(statement("s3:*"), statement("s3:DeleteObject", "*", "Deny"))
    results = custom(server, policy, "s3:GetObject", "s3:DeleteObject", "kms:Decrypt")
    assert [result["EvalDecision"] for result in results] == ["allowed", "explicitDeny", "implicitDeny"]
    assert [result["EvalResourceName"] for result in results] == ["*"] * 3
    first, second, third = (result["MatchedStatements"] for result in results)
    assert first[0]["SourcePolicyId"] == "PolicyInputList.1"
    assert first[0]["StartPosition"] == {"Line": 1, "Column": policy.index("[") + 2}
    assert (len(second), third) == (1, [])
    assert second[0]["EndPosition"]["Column"] == policy.rindex("}]") + 2


def test_missing_and_given_context_keys(server: Server) -> None:
    """What the policy asks for is told as missing, and decides once it is given."""
    policy = document(statement("kms:Decrypt", KEY, Condition=VIA))
    (result,) = custom(server, policy, "kms:Decrypt", ResourceArns=[KEY])
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["kms:ViaService"])
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == ["kms:ViaService"]
    entry = {
        "ContextKeyName": "kms:ViaService",
        "ContextKeyValues": ["s3.us-east-1.amazonaws.com"],
        "ContextKeyType": "string",
    }
    (result,) = custom(server, policy, "kms:Decrypt", ResourceArns=[KEY], ContextEntries=[entry])
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("allowed", [])


def test_several_resources_have_a_result_each(server: Server) -> None:
    """The action's own is the most restrictive; a multivalued key has its set operators."""
    policy = document(statement("s3:GetObject", OBJECT), statement("s3:PutObject", OBJECT, "Deny"))
    other = "arn:aws:s3:::papers/b.txt"
    (result,) = custom(server, policy, "s3:GetObject", ResourceArns=[OBJECT, other])
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalResourceName"] == "arn:${Partition}:s3:::${BucketName}/${KeyName}"
    each = {one["EvalResourceName"]: one["EvalResourceDecision"] for one in result["ResourceSpecificResults"]}
    assert each == {OBJECT: "allowed", other: "implicitDeny"}
    tags = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    keys = {"ContextKeyName": "aws:TagKeys", "ContextKeyValues": ["a", "c"], "ContextKeyType": "stringList"}
    (result,) = custom(
        server, document(statement("kms:TagResource", Condition=tags)), "kms:TagResource", ContextEntries=[keys]
    )
    assert result["EvalDecision"] == "implicitDeny"


def test_a_users_policies_groups_and_boundary(server: Server, unique: Callable[[str], str]) -> None:
    """Everything that is attached counts, under its own name, and the boundary limits; as the server then decides."""
    iam, user, group = server.client("iam"), unique("simulated"), unique("simulated")
    arn = iam.create_user(UserName=user)["User"]["Arn"]
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_group_policy(GroupName=group, PolicyName="random", PolicyDocument=json.dumps(allow("kms:GenerateRandom")))
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(allow("kms:ListKeys")))
    limit = iam.create_policy(PolicyName=unique("limit"), PolicyDocument=json.dumps(allow("kms:ListKeys")))["Policy"]
    actions = ["kms:GenerateRandom", "kms:ListKeys", "kms:ListAliases"]

    def simulated(**more: Any) -> dict[str, Any]:
        answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions, **more)
        return {result["EvalActionName"]: result for result in answer["EvaluationResults"]}

    before = simulated()
    assert [before[action]["EvalDecision"] for action in actions] == ["allowed", "allowed", "implicitDeny"]
    sources = [before[action]["MatchedStatements"][0]["SourcePolicyId"] for action in actions[:2]]
    assert sources == [f"group_{group}_random", f"user_{user}_own"]
    assert "PermissionsBoundaryDecisionDetail" not in before["kms:ListKeys"]
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=limit["Arn"])
    bounded = simulated()
    assert [bounded[action]["EvalDecision"] for action in actions] == ["implicitDeny", "allowed", "implicitDeny"]
    assert [one["SourcePolicyId"] for one in bounded["kms:ListKeys"]["MatchedStatements"]] == [f"user_{user}_own"]
    assert bounded["kms:GenerateRandom"]["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    wider = simulated(
        PermissionsBoundaryPolicyInputList=[json.dumps(allow("kms:*"))],
        PolicyInputList=[json.dumps(allow("kms:ListAliases"))],
    )
    assert {wider[action]["EvalDecision"] for action in actions} == {"allowed"}
    key = iam.create_access_key(UserName=user)["AccessKey"]
    kms = server.client("kms", User(user, key["AccessKeyId"], key["SecretAccessKey"]), retry=False)
    kms.list_keys()
    with pytest.raises(ClientError, match="no permissions boundary allows the kms:GenerateRandom action"):
        kms.generate_random(NumberOfBytes=1)
    keys = iam.get_context_keys_for_principal_policy(
        PolicySourceArn=arn, PolicyInputList=[document(statement("*", Condition=VIA))]
    )
    assert keys["ContextKeyNames"] == ["kms:ViaService"]


def test_context_keys_of_variables(server: Server) -> None:
    """The keys of policy variables are told beside those of conditions: the example of AWS's CLI reference."""
    policy = document(
        statement(
            "s3:*", "arn:aws:s3:::bucket/${aws:username}/${aws:PrincipalTag/dept, 'none'}",
            Condition={"DateGreaterThan": {"aws:CurrentTime": "2015-08-16T12:00:00Z"}},
        )
    )  # fmt: skip
    told = server.client("iam").get_context_keys_for_custom_policy(PolicyInputList=[policy])
    assert told["ContextKeyNames"] == ["aws:username", "aws:PrincipalTag/dept", "aws:CurrentTime"]


def test_a_resource_policy_and_another_account(server: Server) -> None:
    """Both sides have to allow, and each is told what it decided."""
    eve, owner = "arn:aws:iam::111122223333:user/eve", f"arn:aws:iam::{ACCOUNT}:root"
    own = document(statement("kms:*"))
    for whom, expected in ((eve, "allowed"), (owner, "implicitDeny")):
        policy = document(statement("kms:Decrypt", Principal={"AWS": whom}))
        (result,) = custom(server, own, "kms:Decrypt", ResourceArns=[KEY], ResourcePolicy=policy, CallerArn=eve)
        assert result["EvalDecision"] == expected
        details = result["EvalDecisionDetails"]
        assert details == {"IAM Policy": "allowed", "Resource Policy": expected}
    policy = document(statement("s3:GetObject", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}))
    given = {"ResourcePolicy": policy, "CallerArn": f"arn:aws:iam::{ACCOUNT}:user/ann"}
    (result,) = custom(server, document(statement("kms:*")), "s3:GetObject", ResourceArns=[OBJECT], **given)
    assert result["EvalDecision"] == "allowed"
    assert result["MatchedStatements"][0]["SourcePolicyId"] == "ResourcePolicy"
    foreign = {**given, "ResourceOwner": "111122223333"}
    (result,) = custom(server, document(statement("kms:*")), "s3:GetObject", ResourceArns=[OBJECT], **foreign)
    assert result["EvalDecision"] == "implicitDeny"


def test_pages_hold_every_action_once(server: Server) -> None:
    """The paginator of boto3 gets all results, in their order."""
    actions = [f"kms:Action{number}" for number in range(7)]
    pages = server.client("iam").get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[document(statement("kms:Action3"))], ActionNames=actions, PaginationConfig={"PageSize": 3}
    )  # fmt: skip
    found = [result for page in pages for result in page["EvaluationResults"]]
    assert [result["EvalActionName"] for result in found] == actions
    assert [result["EvalDecision"] for result in found].count("allowed") == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ActionNames": ["kms:*"]}, "InvalidInput"),
        ({"ActionNames": ["Decrypt"]}, "InvalidInput"),
        ({"PolicyInputList": ["{}"]}, "InvalidInput"),
        ({"CallerArn": "arn:aws:s3:::bucket"}, "InvalidInput"),
        ({"PermissionsBoundaryPolicyInputList": [document(statement("*"))] * 2}, "InvalidInput"),
        ({"ResourceArns": [f"{KEY}{number}" for number in range(1001)]}, "InvalidInput"),
        ({"Marker": "bm90IG9uZQ=="}, "ValidationError"),
        ({"Marker": base64.urlsafe_b64encode(b"9" * 5_000).decode()}, "ValidationError"),
        ({"Marker": base64.urlsafe_b64encode("٣".encode()).decode()}, "ValidationError"),
    ],
)
def test_what_cannot_be_simulated(server: Server, given: dict[str, Any], code: str) -> None:
    """The members that are wrong are refused, with AWS's code."""
    whole = {"PolicyInputList": [document(statement("*"))], "ActionNames": ["kms:Decrypt"], **given}
    with pytest.raises(ClientError) as error:
        server.client("iam").simulate_custom_policy(**whole)
    assert error.value.response["Error"]["Code"] == code


def test_simulating_others_needs_a_right(server: Server, unique: Callable[[str], str]) -> None:
    """It tells of the rights of others; whoever is not there is told of to nobody without that right."""
    iam, name = server.client("iam"), unique("curious")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    iam.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=json.dumps(allow("iam:SimulatePrincipalPolicy", resource=arn))
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    own = server.client("iam", User(name, key["AccessKeyId"], key["SecretAccessKey"]), retry=False)
    own.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["kms:Decrypt"])
    for other in (f"arn:aws:iam::{ACCOUNT}:user/none", "arn:aws:iam::111122223333:user/eve"):
        with pytest.raises(ClientError, match="is not authorized to perform: iam:SimulatePrincipalPolicy"):
            own.simulate_principal_policy(PolicySourceArn=other, ActionNames=["kms:Decrypt"])
        with pytest.raises(ClientError, match="NoSuchEntity"):
            iam.simulate_principal_policy(PolicySourceArn=other, ActionNames=["kms:Decrypt"])
