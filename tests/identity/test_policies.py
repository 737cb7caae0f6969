"""Inline and managed policies: documents, versions, attachments, and what they allow."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.identity.test_roles import TRUST
from tests.support.place import ACCOUNT, ANYTHING, OTHER_ACCOUNT, Place, error_of

Names = Callable[[str], str]
DOCUMENT = json.dumps(ANYTHING)
NOTHING = DOCUMENT.replace("Allow", "Deny")
KINDS = ("user", "group", "role")


@pytest.fixture
def policy(iam: Any, unique: Names) -> str:
    """Give a managed policy's ARN."""
    arn: str = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    return arn


def owner(iam: Any, kind: str, name: str) -> dict[str, str]:
    """Make a user, group or role and return the member that names it."""
    members = {f"{kind.capitalize()}Name": name}
    extra = {"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**members, **extra)
    return members


@pytest.mark.parametrize("kind", KINDS)
def test_inline_policies(iam: Any, unique: Names, kind: str) -> None:
    """Put, get, list and delete, by name; a put of the same name replaces."""
    who = owner(iam, kind, unique("owner"))
    put, get, listed, delete = (
        getattr(iam, name)
        for name in (f"put_{kind}_policy", f"get_{kind}_policy", f"list_{kind}_policies", f"delete_{kind}_policy")
    )
    for name in ("b", "a"):
        put(**who, PolicyName=name, PolicyDocument=DOCUMENT)
    put(**who, PolicyName="a", PolicyDocument=NOTHING)
    found = get(**who, PolicyName="a")
    assert found["PolicyDocument"] == json.loads(NOTHING)
    assert (found["PolicyName"], found.items() >= who.items()) == ("a", True)
    page = listed(**who, MaxItems=1)
    assert (page["PolicyNames"], page["IsTruncated"]) == (["a"], True)
    assert listed(**who, Marker=page["Marker"])["PolicyNames"] == ["b"]
    delete(**who, PolicyName="a")
    for call in (get, delete):
        with pytest.raises(ClientError) as refused:
            call(**who, PolicyName="a")
        assert error_of(refused.value) == (404, "NoSuchEntity", f"The {kind} policy with name a cannot be found.")


@pytest.mark.parametrize(("kind", "limit"), [("user", 2048), ("group", 5120), ("role", 10240)])
def test_inline_policies_have_a_quota_together(iam: Any, unique: Names, kind: str, limit: int) -> None:
    """White space does not count; all of an owner's policies do, and the refused one is not kept."""
    who = owner(iam, kind, unique("owner"))
    put = getattr(iam, f"put_{kind}_policy")
    statement = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "arn:aws:kms:*:*:key/"}
    empty = len(json.dumps({"Version": "2012-10-17", "Statement": statement}, separators=(",", ":")))

    def document(size: int) -> str:
        long = {**statement, "Resource": str(statement["Resource"]) + "x" * (size - empty)}
        return json.dumps({"Version": "2012-10-17", "Statement": long}, indent=8)

    put(**who, PolicyName="first", PolicyDocument=document(limit // 2))
    put(**who, PolicyName="second", PolicyDocument=document(limit - limit // 2))
    text = f"Maximum policy size of {limit} bytes exceeded for {kind} {next(iter(who.values()))}"
    for name, size in (("second", limit - limit // 2 + 1), ("third", limit + 1)):
        with pytest.raises(ClientError) as refused:
            put(**who, PolicyName=name, PolicyDocument=document(size))
        assert error_of(refused.value) == (409, "LimitExceeded", text)
    assert getattr(iam, f"list_{kind}_policies")(**who)["PolicyNames"] == ["first", "second"]


@pytest.mark.parametrize(
    "document", ["{", "[]", '{"Version":"2012-10-17","Statement":[]}', TRUST, DOCUMENT.replace("Action", "Aktion")]
)
def test_documents_that_cannot_be(iam: Any, unique: Names, document: str, policy: str) -> None:
    """What is not understood in full is refused wherever it is put."""
    user = owner(iam, "user", unique("u"))
    for call, members in (
        (iam.put_user_policy, {**user, "PolicyName": "p"}),
        (iam.create_policy, {"PolicyName": unique("p")}),
        (iam.create_policy_version, {"PolicyArn": policy}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**members, PolicyDocument=document)
        assert error_of(refused.value)[:2] == (400, "MalformedPolicyDocument")


def test_managed_policy_is_made_shown_and_removed(iam: Any, unique: Names) -> None:
    """A policy has a path, a description, tags; its document is in its version."""
    name = unique("whole")
    made = iam.create_policy(
        PolicyName=name, Path="/p/", PolicyDocument=DOCUMENT, Description="all", Tags=[{"Key": "a", "Value": "1"}]
    )["Policy"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:policy/p/{name}"
    assert made["PolicyId"].startswith("ANPA")
    shown = iam.get_policy(PolicyArn=made["Arn"])["Policy"]
    assert (shown["DefaultVersionId"], shown["AttachmentCount"], shown["Description"]) == ("v1", 0, "all")
    assert shown["Tags"] == iam.list_policy_tags(PolicyArn=made["Arn"])["Tags"] == [{"Key": "a", "Value": "1"}]
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(DOCUMENT), True)
    iam.tag_policy(PolicyArn=made["Arn"], Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=made["Arn"], TagKeys=["a"])
    assert iam.get_policy(PolicyArn=made["Arn"])["Policy"]["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(ClientError) as refused:
        iam.create_policy(PolicyName=name.upper(), PolicyDocument=DOCUMENT)
    text = f"A policy called {name.upper()} already exists. Duplicate names are not allowed."
    assert error_of(refused.value) == (409, "EntityAlreadyExists", text)
    iam.delete_policy(PolicyArn=made["Arn"])
    with pytest.raises(ClientError) as refused:
        iam.get_policy(PolicyArn=made["Arn"])
    assert error_of(refused.value) == (404, "NoSuchEntity", f"Policy {made['Arn']} was not found.")


def test_policy_has_five_versions_at_most(iam: Any, policy: str) -> None:
    """Numbers are never given twice; the default one stays; a policy with several is not deleted."""
    for _ in range(4):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=NOTHING)
    with pytest.raises(ClientError) as refused:
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=NOTHING)
    assert error_of(refused.value)[:2] == (409, "LimitExceeded")
    iam.delete_policy_version(PolicyArn=policy, VersionId="v5")
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=NOTHING, SetAsDefault=True)["PolicyVersion"]
    assert (made["VersionId"], made["IsDefaultVersion"]) == ("v6", True)
    pages = list(iam.get_paginator("list_policy_versions").paginate(PolicyArn=policy, PaginationConfig={"PageSize": 2}))
    versions = [version for page in pages for version in page["Versions"]]
    assert [version["VersionId"] for version in versions] == ["v6", "v4", "v3", "v2", "v1"]
    assert [version["IsDefaultVersion"] for version in versions] == [True, False, False, False, False]
    for call, members, code in (
        (iam.delete_policy_version, {"VersionId": "v6"}, "DeleteConflict"),
        (iam.delete_policy, {}, "DeleteConflict"),
        (iam.get_policy_version, {"VersionId": "v5"}, "NoSuchEntity"),
        (iam.delete_policy_version, {"VersionId": "v5"}, "NoSuchEntity"),
        (iam.set_default_policy_version, {"VersionId": "v1.draft"}, "NoSuchEntity"),
        (iam.set_default_policy_version, {"VersionId": "v" + "1" * 5_000}, "NoSuchEntity"),
        (iam.set_default_policy_version, {"VersionId": "1"}, "ValidationError"),
    ):
        with pytest.raises(ClientError) as refused:
            call(PolicyArn=policy, **members)
        assert error_of(refused.value)[1] == code
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v2")
    assert iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v2"


@pytest.mark.parametrize("kind", KINDS)
def test_attachments(iam: Any, unique: Names, policy: str, kind: str) -> None:
    """Attach (twice is once), list, count, find who has it, detach; an attached policy is not deleted."""
    who = owner(iam, kind, unique("owner"))
    attach, detach = getattr(iam, f"attach_{kind}_policy"), getattr(iam, f"detach_{kind}_policy")
    listed = getattr(iam, f"list_attached_{kind}_policies")
    for _ in range(2):
        attach(**who, PolicyArn=policy)
    assert listed(**who)["AttachedPolicies"] == [{"PolicyName": policy.rpartition("/")[2], "PolicyArn": policy}]
    assert listed(**who, PathPrefix="/other/")["AttachedPolicies"] == []
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 1
    entities = iam.list_entities_for_policy(PolicyArn=policy)
    (found,) = entities[f"Policy{kind.capitalize()}s"]
    assert found.items() >= who.items()
    with pytest.raises(ClientError) as refused:
        iam.delete_policy(PolicyArn=policy)
    assert error_of(refused.value)[1:] == ("DeleteConflict", "Cannot delete a policy attached to entities.")
    detach(**who, PolicyArn=policy)
    with pytest.raises(ClientError) as refused:
        detach(**who, PolicyArn=policy)
    assert error_of(refused.value) == (404, "NoSuchEntity", f"Policy {policy} was not found.")
    missing = f"arn:aws:iam::{ACCOUNT}:policy/none"
    for arn, code in (
        (missing, "NoSuchEntity"),
        ("arn:aws:iam::aws:policy/None", "NoSuchEntity"),
        ("a" * 20, "InvalidInput"),
    ):
        with pytest.raises(ClientError) as refused:
            attach(**who, PolicyArn=arn)
        assert error_of(refused.value)[1] == code
    iam.delete_policy(PolicyArn=policy)


def test_ten_policies_are_attached_at_most(iam: Any, unique: Names) -> None:
    """AWS: the quota of managed policies per role."""
    who = owner(iam, "role", unique("role"))
    arns = [iam.create_policy(PolicyName=unique("p"), PolicyDocument=DOCUMENT)["Policy"]["Arn"] for _ in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(**who, PolicyArn=arn)
    with pytest.raises(ClientError) as refused:
        iam.attach_role_policy(**who, PolicyArn=arns[10])
    assert error_of(refused.value) == (409, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")


def test_who_has_a_policy_in_pages(iam: Any, unique: Names, policy: str) -> None:
    """Users, groups and roles on the same pages; filters by kind, path and use."""
    for kind in KINDS:
        getattr(iam, f"attach_{kind}_policy")(**owner(iam, kind, unique(kind)), PolicyArn=policy)
    bounded = unique("bounded")
    iam.create_user(UserName=bounded, PermissionsBoundary=policy, Path="/b/")

    def names(**given: str) -> list[str]:
        pages = iam.get_paginator("list_entities_for_policy").paginate(
            PolicyArn=policy, PaginationConfig={"PageSize": 1}, **given
        )
        return [
            entity[f"{kind.capitalize()}Name"]
            for page in pages
            for kind in KINDS
            for entity in page[f"Policy{kind.capitalize()}s"]
        ]

    assert len(names()) == 4
    assert names(PathPrefix="/b/") == names(PolicyUsageFilter="PermissionsBoundary") == [bounded]
    assert len(names(EntityFilter="Role")) == len(names(EntityFilter="Group")) == 1
    assert bounded not in names(PolicyUsageFilter="PermissionsPolicy")


def test_policies_in_pages(iam: Any, unique: Names) -> None:
    """By path, attached or not, as boundaries; AWS's own do not exist here."""
    path, names = f"/{unique('paged')}/", sorted(unique("p") for _ in range(3))
    arns = [iam.create_policy(PolicyName=name, Path=path, PolicyDocument=DOCUMENT)["Policy"]["Arn"] for name in names]
    pages = list(iam.get_paginator("list_policies").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [[policy["PolicyName"] for policy in page["Policies"]] for page in pages] == [names[:2], names[2:]]
    iam.attach_user_policy(**owner(iam, "user", unique("u")), PolicyArn=arns[1])
    iam.create_user(UserName=unique("b"), PermissionsBoundary=arns[2])

    def found(**given: Any) -> list[str]:
        return [policy["Arn"] for policy in iam.list_policies(PathPrefix=path, **given)["Policies"]]

    assert found(OnlyAttached=True) == found(PolicyUsageFilter="PermissionsPolicy") == arns[1:2]
    assert found(PolicyUsageFilter="PermissionsBoundary") == arns[2:]
    assert found(Scope="AWS") == []
    assert found(Scope="Local") == arns


def test_versions_hold_at_once(place: Place, iam: Any, policy: str) -> None:
    """Attach, another default version, detach: each holds when the call returns."""
    user = place.new_user()
    kms = place.service("kms", user)

    def may() -> bool:
        try:
            kms.list_keys()
        except ClientError:
            return False
        return True

    assert not may()
    iam.attach_user_policy(UserName=user.name, PolicyArn=policy)
    assert may()
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=NOTHING)
    assert may()
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v2")
    assert not may()
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
    assert may()
    iam.detach_user_policy(UserName=user.name, PolicyArn=policy)
    assert not may()


def test_policies_of_other_accounts_are_out_of_reach(place: Place, policy: str) -> None:
    """A policy is its account's: another account's root neither sees nor attaches it."""
    other = place.service("iam", place.other_root)
    with pytest.raises(ClientError) as refused:
        other.get_policy(PolicyArn=policy)
    assert error_of(refused.value)[1] in {"AccessDenied", "NoSuchEntity"}
    other.create_user(UserName="stranger")
    with pytest.raises(ClientError) as refused:
        other.attach_user_policy(UserName="stranger", PolicyArn=policy)
    assert error_of(refused.value)[1] == "NoSuchEntity"
    other.delete_user(UserName="stranger")
    assert OTHER_ACCOUNT not in policy


def test_policies_of_one_name_are_all_listed(iam: Any, unique: Names) -> None:
    """A policy of the account may be called as one of AWS's; a list that is read by pages leaves neither out."""
    user, aws = unique("u"), iam.list_policies(Scope="AWS")["Policies"][0]
    made = iam.create_policy(PolicyName=aws["PolicyName"], PolicyDocument=json.dumps(ANYTHING))["Policy"]
    iam.create_user(UserName=user)
    both = {aws["Arn"], made["Arn"]}
    for arn in both:
        iam.attach_user_policy(UserName=user, PolicyArn=arn)
    pages = iam.get_paginator("list_attached_user_policies").paginate(UserName=user, PaginationConfig={"PageSize": 1})
    assert {one["PolicyArn"] for page in pages for one in page["AttachedPolicies"]} == both
    iam.detach_user_policy(UserName=user, PolicyArn=made["Arn"])
    iam.delete_policy(PolicyArn=made["Arn"])
