"""Service-linked roles: made for services that are known, changed by nobody, deleted by an operation of their own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fuin.identity.iam.linked_services import LINKED
from fuin.store.identity import role_deletions
from tests.identity.assuming import allow, refused
from tests.identity.test_roles import TRUST
from tests.support.place import ACCOUNT, ANYTHING, Place

SERVICE, NAME = "autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"
PATH = f"/aws-service-role/{SERVICE}/"


@pytest.fixture
def linked(iam: Any) -> Iterator[str]:
    """Give the service-linked role of a service."""
    iam.create_service_linked_role(AWSServiceName=SERVICE, Description="scales")
    yield NAME
    iam.delete_service_linked_role(RoleName=NAME)


def test_role_is_made_for_its_service(iam: Any, linked: str) -> None:
    """Its name, path and trust policy are AWS's; it has no policies, since this server has not those of services."""
    role = iam.get_role(RoleName=linked)["Role"]
    assert (role["Path"], role["Arn"]) == (PATH, f"arn:aws:iam::{ACCOUNT}:role{PATH}{NAME}")
    statement = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [SERVICE]}}
    assert role["AssumeRolePolicyDocument"] == {"Version": "2012-10-17", "Statement": [statement]}
    assert (role["Description"], role["RoleId"][:4]) == ("scales", "AROA")
    assert iam.list_attached_role_policies(RoleName=linked)["AttachedPolicies"] == []
    assert [one["RoleName"] for one in iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]] == [NAME]


def test_suffix_makes_another_one_where_the_service_takes_it(iam: Any, linked: str) -> None:
    """A second role of the same name is refused in AWS's words, and so is a suffix that the service does not take."""
    taken = f"Service role name {linked} has been taken in this account, please try a different suffix."
    assert refused(iam.create_service_linked_role, AWSServiceName=SERVICE) == (400, "InvalidInput", taken)
    made = iam.create_service_linked_role(AWSServiceName=SERVICE, CustomSuffix="blue")["Role"]
    assert made["RoleName"] == f"{NAME}_blue"
    iam.delete_service_linked_role(RoleName=made["RoleName"])
    for service, suffix, text in (
        ("es.amazonaws.com", "blue", "Custom suffix is not allowed for es.amazonaws.com"),
        (SERVICE, "x" * 60, "more than 64 characters"),
        ("nothing.amazonaws.com", "", "is not known to this server"),
        ("autoscaling", "", "is not known to this server"),
    ):
        given = {"AWSServiceName": service, **({"CustomSuffix": suffix} if suffix else {})}
        status, code, message = refused(iam.create_service_linked_role, **given)
        assert (status, code) == (400, "InvalidInput")
        assert text in message


def test_nobody_changes_the_role(iam: Any, linked: str) -> None:
    """Also the root is refused, in AWS's words; the role's description and tags can be set."""
    arn = iam.create_policy(PolicyName="of-nothing", PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    iam.create_instance_profile(InstanceProfileName="of-nothing")
    text = f"Cannot perform the operation on the protected role '{linked}' - this role is only modifiable by AWS"
    for name, given in (
        ("delete_role", {}),
        ("update_role", {"MaxSessionDuration": 7200}),
        ("update_assume_role_policy", {"PolicyDocument": TRUST}),
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": json.dumps(ANYTHING)}),
        ("delete_role_policy", {"PolicyName": "p"}),
        ("attach_role_policy", {"PolicyArn": arn}),
        ("detach_role_policy", {"PolicyArn": arn}),
        ("put_role_permissions_boundary", {"PermissionsBoundary": arn}),
        ("delete_role_permissions_boundary", {}),
        ("add_role_to_instance_profile", {"InstanceProfileName": "of-nothing"}),
    ):  # fmt: skip
        assert refused(getattr(iam, name), RoleName=linked, **given) == (400, "UnmodifiableEntity", text), name
    iam.delete_policy(PolicyArn=arn)
    iam.delete_instance_profile(InstanceProfileName="of-nothing")
    iam.update_role(RoleName=linked, Description="newer")
    iam.tag_role(RoleName=linked, Tags=[{"Key": "a", "Value": "1"}])
    role = iam.get_role(RoleName=linked)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("newer", 3600)
    assert role["Tags"] == [{"Key": "a", "Value": "1"}]


def test_deletion_has_a_task(place: Place, iam: Any) -> None:
    """The role has gone, and the task tells it; tasks that are none, and those of another account, are not found."""
    iam.create_service_linked_role(AWSServiceName="es.amazonaws.com")
    name = LINKED["es.amazonaws.com"].role
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/es.amazonaws.com/{name}/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refused(iam.get_role, RoleName=name)[1] == "NoSuchEntity"
    assert refused(iam.delete_service_linked_role, RoleName=name)[:2] == (404, "NoSuchEntity")
    other = place.service("iam", place.other_root)
    for client, wrong, code in (
        (iam, task[:-1] + ("0" if task[-1] != "0" else "1"), "NoSuchEntity"),
        (other, task, "NoSuchEntity"),
        (iam, "task/of/nothing", "InvalidInput"),
    ):
        assert refused(client.get_service_linked_role_deletion_status, DeletionTaskId=wrong)[1] == code


def test_tasks_are_forgotten(place: Place, iam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a later deletion those go that ended long before, of the account that deletes."""
    made = []
    for kept in (role_deletions.KEPT, role_deletions.KEPT, -60.0):  # at the third all before it are long past
        monkeypatch.setattr(role_deletions, "KEPT", kept)
        iam.create_service_linked_role(AWSServiceName="es.amazonaws.com")
        name = LINKED["es.amazonaws.com"].role
        made.append(iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"])
        if kept > 0:
            assert iam.get_service_linked_role_deletion_status(DeletionTaskId=made[0])["Status"] == "SUCCEEDED"
    for task in made[:2]:
        assert refused(iam.get_service_linked_role_deletion_status, DeletionTaskId=task)[1] == "NoSuchEntity"
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=made[2])["Status"] == "SUCCEEDED"


def test_own_roles_are_no_service_s(iam: Any) -> None:
    """A role of one's own is not deleted in this way, whatever its name; nor can it take the path of services."""
    name = "AWSServiceRoleForMyself"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    assert refused(iam.delete_service_linked_role, RoleName=name)[:2] == (404, "NoSuchEntity")
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(ANYTHING))
    text = "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles"
    for path in ("/aws-service-role/", PATH):
        given = {"RoleName": NAME, "Path": path, "AssumeRolePolicyDocument": TRUST}
        assert refused(iam.create_role, **given) == (400, "InvalidInput", text)


def test_right_to_make_one_may_name_the_service(place: Place, iam: Any) -> None:
    """By the condition key iam:AWSServiceName, and by the role's ARN; who may not learns not what there is."""
    condition = {"StringEquals": {"iam:AWSServiceName": "lex.amazonaws.com"}}
    user = place.service("iam", place.new_user(allow("iam:CreateServiceLinkedRole", Condition=condition)))
    made = user.create_service_linked_role(AWSServiceName="lex.amazonaws.com")["Role"]["RoleName"]
    for service in ("lexv2.amazonaws.com", "nothing.amazonaws.com"):
        assert refused(user.create_service_linked_role, AWSServiceName=service)[:2] == (403, "AccessDenied")
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/lex.amazonaws.com/{made}"
    weak = place.service("iam", place.new_user(allow("iam:DeleteServiceLinkedRole", arn + "x")))
    assert refused(weak.delete_service_linked_role, RoleName=made)[:2] == (403, "AccessDenied")
    able = place.service("iam", place.new_user(allow("iam:*ServiceLinkedRole*", arn)))
    task = able.delete_service_linked_role(RoleName=made)["DeletionTaskId"]
    assert able.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refused(weak.get_service_linked_role_deletion_status, DeletionTaskId=task)[:2] == (403, "AccessDenied")


def test_nobody_assumes_the_role(place: Place, iam: Any, linked: str) -> None:
    """Whatever the caller may: the trust policy names a service, and no service asks here."""
    user = place.service("sts", place.new_user(allow("sts:AssumeRole")))
    arn = iam.get_role(RoleName=linked)["Role"]["Arn"]
    assert refused(user.assume_role, RoleArn=arn, RoleSessionName="session")[:2] == (403, "AccessDenied")


def test_names_in_the_table_are_of_their_kind() -> None:
    """Each service once, and no two of them with one name, which only one of them could have in an account."""
    names = [linked.role for linked in LINKED.values()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("AWSServiceRoleFor") and len(name) <= 64 for name in names)
