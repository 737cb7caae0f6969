"""The global condition keys of requests, one by one: their values, and when they are absent."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from fuin.access import request_keys
from fuin.access.facts import Facts
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.question import Question
from fuin.access.resources.own import OwnResource
from fuin.access.resources.resource import KeyProperties
from fuin.access.vocabulary.condition_keys import find
from tests.access.builders import ACCOUNT, ANN, ANN_ARN, APP, KEY, OBJECT, ROLE_ARN, ROOT, ROOT_ARN, SERVICE

FEDERATED_ARN = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
FEDERATED = Principal("federated", FEDERATED_ARN, ACCOUNT, f"{ACCOUNT}:bob", "bob", identity_arn=ANN_ARN, session="bob")


@dataclass
class Request:
    """What is known of a request; all that a client need not send is not there."""

    principal: Principal = ANN
    region: str = "eu-west-1"
    now: float = 1_767_225_599.75
    source_ip: str = ""
    secure: bool = False
    user_agent: str = ""
    referer: str = ""
    via: str | None = None

    def aliases_of(self, key: KeyProperties) -> tuple[str, ...]:
        """Return no names: these tests are not about keys."""
        return ()


def facts(request: Request, action: str = "s3:GetObject", account: str = ACCOUNT, more: Any = None) -> Facts:
    """Return the facts of a question."""
    return Question(
        request.principal, action, OBJECT, partial(request_keys.add, request, OwnResource(OBJECT, account), more)
    ).facts()


def everything(request: Request, action: str = "s3:GetObject") -> Mapping[str, tuple[str, ...]]:
    """Return all condition keys of a question."""
    return facts(request, action).find_all()


def test_a_bare_request() -> None:
    """What every request brings, and nothing else; each key is one of AWS's."""
    found = everything(Request())
    assert found == {
        "aws:principaltype": ("User",), "aws:principalisawsservice": ("false",), "aws:userid": (ANN.id,),
        "aws:principalarn": (ANN_ARN,), "aws:principalaccount": (ACCOUNT,), "aws:username": ("ann",),
        "aws:securetransport": ("false",), "aws:requestedregion": ("eu-west-1",), "aws:resourceaccount": (ACCOUNT,),
        "aws:currenttime": ("2025-12-31T23:59:59Z",), "aws:epochtime": ("1767225599",),
        "aws:viaawsservice": ("false",),
    }  # fmt: skip
    assert all(find(key) for key in found)


@pytest.mark.parametrize(
    ("members", "key", "values"),
    [
        ({"source_ip": "192.0.2.1"}, "aws:sourceip", ("192.0.2.1",)),
        ({"source_ip": "::ffff:192.0.2.1"}, "aws:sourceip", ("192.0.2.1",)),
        ({"source_ip": "::FFFF:192.0.2.1"}, "aws:sourceip", ("192.0.2.1",)),
        ({"source_ip": "2001:db8::1"}, "aws:sourceip", ("2001:db8::1",)),
        ({"source_ip": "fe80::1%eth0"}, "aws:sourceip", ("fe80::1",)),
        ({"source_ip": "::ffff:c000:201"}, "aws:sourceip", ("::ffff:c000:201",)),
        ({"secure": True}, "aws:securetransport", ("true",)),
        ({"user_agent": "aws-cli/2"}, "aws:useragent", ("aws-cli/2",)),
        ({"referer": "http://example.com/"}, "aws:referer", ("http://example.com/",)),
    ],
)
def test_what_the_client_sends(members: dict[str, Any], key: str, values: tuple[str, ...]) -> None:
    """There if it was sent, absent if not; addresses as policies write them."""
    assert everything(Request(**members))[key] == values
    assert facts(Request()).get(key) in (None, ("false",))


def test_a_resource_of_nobody() -> None:
    """Without an account that owns the resource aws:ResourceAccount is absent."""
    assert facts(Request(), account="").get("aws:resourceaccount") is None


@pytest.mark.parametrize(
    ("who", "kind", "userid", "arn", "name"),
    [
        (ROOT, "Account", ACCOUNT, ROOT_ARN, None),
        (ANN, "User", ANN.id, ANN_ARN, ("ann",)),
        (APP, "AssumedRole", APP.id, ROLE_ARN, None),
        (FEDERATED, "FederatedUser", f"{ACCOUNT}:bob", FEDERATED_ARN, None),
    ],
)
def test_principals(who: Principal, kind: str, userid: str, arn: str, name: tuple[str] | None) -> None:
    """AWS's table "Principal key values": of a session it is the role's ARN, and only users have names."""
    found = facts(Request(who))
    assert (found["aws:principaltype"], found["aws:userid"]) == ((kind,), (userid,))
    assert (found["aws:principalarn"], found["aws:principalaccount"]) == ((arn,), (ACCOUNT,))
    assert found["aws:principalisawsservice"] == ("false",)
    assert found.get("aws:username") == name


def test_nobody() -> None:
    """An anonymous request has no ARN and no name, and is anonymous as user and as account."""
    found = everything(Request(ANONYMOUS), "kms:Decrypt")
    assert found["aws:principaltype"] == ("Anonymous",)
    assert found["aws:userid"] == found["aws:principalaccount"] == ("anonymous",)
    assert not {"aws:principalarn", "aws:username", "aws:principalisawsservice", "kms:calleraccount"} & set(found)


def test_a_service() -> None:
    """A service that asks for itself is known by its name, and by nothing that accounts have."""
    found = everything(Request(SERVICE), "kms:Decrypt")
    assert found["aws:principalisawsservice"] == ("true",)
    assert found["aws:principalservicename"] == found["aws:principalservicenameslist"] == (SERVICE.arn,)
    assert not {"aws:principalarn", "aws:principalaccount", "aws:userid", "kms:calleraccount"} & set(found)


@pytest.mark.parametrize("who", [ANN, APP, FEDERATED])
def test_a_service_that_asks_for_the_caller(who: Principal) -> None:
    """The caller stays who it is; what the service is stands beside it. AWS: "Forward access sessions"."""
    found = everything(Request(who, source_ip="192.0.2.1", via="s3.eu-west-1.amazonaws.com"), "kms:Decrypt")
    assert found["aws:viaawsservice"] == ("true",)
    assert found["kms:viaservice"] == ("s3.eu-west-1.amazonaws.com",)
    assert found["aws:calledvia"] == found["aws:calledviafirst"] == found["aws:calledvialast"] == ("s3.amazonaws.com",)
    assert (found["kms:calleraccount"], found["aws:sourceip"]) == ((ACCOUNT,), ("192.0.2.1",))
    assert found.get("aws:multifactorauthpresent") == (("false",) if who is ANN else None)
    assert "aws:principalservicename" not in found


def test_keys_of_services_that_are_not_here_never_come() -> None:
    """Organizations, VPC endpoints, MFA and federation are not there, whoever asks and however."""
    for who in (ROOT, ANN, APP, FEDERATED, SERVICE, ANONYMOUS):
        for via in (None, "s3.eu-west-1.amazonaws.com"):
            found = everything(Request(who, source_ip="192.0.2.1", secure=True, via=via), "kms:Decrypt")
            named = {row.name for key in found if (row := find(key)) is not None and not row.brought}
            assert named <= ({"aws:PrincipalServiceName", "aws:PrincipalServiceNamesList"} if who is SERVICE else set())


@pytest.mark.parametrize(
    ("action", "there"),
    [
        ("kms:Decrypt", True), ("kms:CreateKey", True), ("kms:ListKeys", True), ("kms:GenerateRandom", True),
        ("kms:ListAliases", True), ("kms:ListRetirableGrants", False), ("s3:GetObject", False), ("iam:GetUser", False),
    ],
)  # fmt: skip
def test_the_caller_s_account(action: str, there: bool) -> None:
    """kms:CallerAccount belongs to KMS alone, and to all of it but one operation."""
    assert facts(Request(), action).get("kms:calleraccount") == ((ACCOUNT,) if there else None)


def test_nothing_of_the_principal_can_be_claimed() -> None:
    """A context that is given by hand, as to a simulation, says nothing of who asks."""
    claimed = {
        "aws:PrincipalArn": ROOT_ARN, "aws:UserName": "root", "aws:PrincipalServiceName": "s3.amazonaws.com",
        "kms:CallerAccount": "999999999999", "aws:PrincipalType": "Account", "aws:userid": "root", "aws:Extra": "kept",
    }  # fmt: skip
    nobody = Question(ANONYMOUS, "kms:Decrypt", KEY, claimed).facts().find_all()
    assert nobody == {
        "aws:principaltype": ("Anonymous",), "aws:userid": ("anonymous",), "aws:principalaccount": ("anonymous",),
        "aws:extra": ("kept",),
    }  # fmt: skip
    service = Question(SERVICE, "kms:Decrypt", KEY, claimed).facts()
    assert service["aws:principalservicename"] == (SERVICE.arn,)


def test_tags_and_facts_of_a_session() -> None:
    """Tags of the principal and what its temporary credentials bring; names of keys have no case."""
    who = Principal(
        "role", APP.arn, ACCOUNT, APP.id, APP.name, ROLE_ARN, tags=(("Team", "Red"),), session="s",
        session_facts=(("aws:TokenIssueTime", "2026-01-01T00:00:00Z"), ("aws:MultiFactorAuthPresent", "false"),
                       ("aws:SourceIdentity", "ann")),
    )  # fmt: skip
    found = facts(Request(who))
    assert found["aws:principaltag/team"] == ("Red",)
    assert found["aws:tokenissuetime"] == ("2026-01-01T00:00:00Z",)
    assert (found["aws:multifactorauthpresent"], found["aws:sourceidentity"]) == (("false",), ("ann",))
    assert found.get("aws:multifactorauthage") is None
    assert facts(Request()).get("aws:tokenissuetime") is None


def test_what_a_service_adds() -> None:
    """Keys with one value, with several, with none, and such as are found when they are asked for, once."""
    asked: list[str] = []

    def late(values: tuple[str, ...]) -> tuple[str, ...]:
        asked.append("asked")
        return values

    more = {
        "s3:Prefix": "a", "aws:TagKeys": ("x", "y"), "aws:Empty": (), "kms:ResourceAliases": lambda: late(("alias/a",)),
        "kms:Nothing": lambda: late(()),
    }  # fmt: skip
    found = facts(Request(), more=more)
    assert (found["s3:prefix"], found["aws:tagkeys"], found.get("aws:empty")) == (("a",), ("x", "y"), None)
    assert not asked
    assert found["kms:resourcealiases"] == found["kms:resourcealiases"] == ("alias/a",)
    assert found.get("kms:nothing") is None
    assert found.get("kms:nothing", ("default",)) == ("default",)
    assert asked == ["asked", "asked"]
    with pytest.raises(KeyError):
        found["kms:nothing"]
    added = facts(Request(), more=lambda into: into.add({"kms:EncryptionContext:App": "1"}))
    added.add({"kms:encryptioncontext:app": "2"})
    assert added["kms:encryptioncontext:app"] == ("1", "2")
    assert set(added) == set(added.known)
    assert len(added) == len(added.known)
