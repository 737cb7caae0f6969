"""What explain, who-can and the simulator say of random policies, beside what the server does; changes are made."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection

from fuin.advice import targets
from fuin.advice.retrace import Retraced, retrace
from fuin.advice.who_can import who_can
from fuin.audit.reader import Entry
from fuin.cli.reading import reading
from fuin.store.store import Store
from tests.identity.assuming import Role, Session, allow, assume, new_role, trust, user_arn
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place, error_of
from tests.support.server import User

_WORLDS = 15
_ROOT, _OTHER_ROOT = (f"arn:aws:iam::{account}:root" for account in (ACCOUNT, OTHER_ACCOUNT))
_CONDITIONS: list[dict[str, Any]] = [
    {"StringEquals": {"kms:EncryptionContext:project": "a"}},
    {"StringNotEquals": {"kms:EncryptionContext:project": "a"}},
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}},
    {"Bool": {"aws:SecureTransport": "false"}},
]
_CONTEXTS = [{"project": "a"}, {"project": "b"}, {}]


@dataclass
class Who:
    """Somebody who asks: the ARN that policies name, a client, and where its own policy is put."""

    arn: str
    kms: Any
    put: dict[str, str]
    iam: Any
    said: str  # what explain calls it
    own: str = "own"
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def set(self, name: str, statements: list[dict[str, Any]]) -> None:
        """Put an inline policy."""
        self.policies[name] = statements
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        put = self.iam.put_role_policy if "RoleName" in self.put else self.iam.put_user_policy
        put(**self.put, PolicyName=name, PolicyDocument=document)

    def clear(self) -> None:
        """Leave one policy, which gives nothing."""
        remove = self.iam.delete_role_policy if "RoleName" in self.put else self.iam.delete_user_policy
        for name in list(self.policies):
            remove(**self.put, PolicyName=name)
        self.policies.clear()


@dataclass
class Scene:
    """Two users, one of another account, a role's session, and a key."""

    place: Place
    people: list[Who]
    role: Role
    boundary: str
    key: str
    blobs: list[bytes]
    key_policy: list[dict[str, Any]] = field(default_factory=list)

    def set_key_policy(self, statements: list[dict[str, Any]]) -> None:
        """Put a key policy, which keeps the root in charge."""
        self.key_policy = statements
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.place.service("kms").put_key_policy(
            KeyId=self.key, Policy=document, BypassPolicyLockoutSafetyCheck=True
        )  # fmt: skip

    def ask(self, who: Who, number: int) -> tuple[bool, Entry, str]:
        """Decrypt with one of the contexts; return whether that was allowed, the record, and the refusal."""
        code, message = "", ""
        try:
            answer = who.kms.decrypt(
                KeyId=self.key, CiphertextBlob=self.blobs[number], EncryptionContext=_CONTEXTS[number]
            )
        except ClientError as error:
            answer, code, message = error.response, *error_of(error)[1:]
        assert code in ("", "AccessDeniedException")
        entry = self.place.record(answer["ResponseMetadata"]["RequestId"])[-1]
        return not message, entry, message


@pytest.fixture(scope="module")
def scene(place: Place) -> Iterator[Scene]:
    """Give the scene; its policies change from world to world."""
    ann, eve = place.add_user(), place.add_user(account=OTHER_ACCOUNT)
    iam, other = place.service("iam"), place.service("iam", place.other_root)
    iam.tag_user(UserName=ann.name, Tags=[{"Key": "team", "Value": "blue"}])
    role = new_role(place, trust(user_arn(ann)))
    people = [
        Who(user_arn(ann), place.kms(ann), {"UserName": ann.name}, iam, f"user {ann.name}"),
        Who(
            user_arn(eve, OTHER_ACCOUNT), place.kms(eve), {"UserName": eve.name}, other, f"user {eve.name}"
        ),
    ]  # fmt: skip
    people[0].set("assuming", [_allow_assume(role)])
    for session in (assume(place, role, ann), _limited(place, role, ann)):
        kms = session.client(place, "kms")
        people.append(Who(role.arn, kms, {"RoleName": role.name}, iam, f"role {role.name}"))
    people[3].policies = people[2].policies
    limits = {"Version": "2012-10-17", "Statement": [_statement("kms:De*"), _statement("sts:*"), _statement("s3:*")]}
    boundary = iam.create_policy(PolicyName=f"limit-{ann.name}", PolicyDocument=json.dumps(limits))["Policy"]["Arn"]
    kms = place.service("kms")
    key = kms.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]["Arn"]
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=one)["CiphertextBlob"] for one in _CONTEXTS]
    yield Scene(place, people, role, boundary, key, blobs)
    for who in people:
        who.clear()


def _limited(place: Place, role: Role, ann: User) -> Session:
    policy = json.dumps(allow("kms:Decrypt", Condition=_CONDITIONS[0]))
    return assume(place, role, ann, RoleSessionName="limited", Policy=policy)


def _allow_assume(role: Role) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role.arn}


def _statement(action: Any, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def _random_statement(random_: random.Random, key: str) -> dict[str, Any]:
    made = _statement(
        random_.choice(["kms:Decrypt", "kms:Encrypt", "kms:*", ["kms:Decrypt", "kms:Encrypt"]]),
        random_.choice(["*", key, key, key[:-1] + "0"]),
    )
    if random_.random() < 0.2:
        made["Effect"] = "Deny"
    if random_.random() < 0.4:
        made["Condition"] = random_.choice(_CONDITIONS)
    return made


def _random_key_policy(random_: random.Random, scene: Scene) -> list[dict[str, Any]]:
    arns = sorted({who.arn for who in scene.people})
    session = _night(scene, scene.role.arn)
    statements = []
    for _ in range(random_.randint(0, 3)):
        made = _random_statement(random_, scene.key) | {"Resource": "*"}
        whom = random_.choice([*arns, session, _ROOT, _OTHER_ROOT, "*", arns])
        made["Principal"] = {"AWS": whom}
        if made["Effect"] == "Deny" and random_.random() < 0.5:
            del made["Principal"]
            made["NotPrincipal"] = {"AWS": [_ROOT, _OTHER_ROOT, *random_.sample(arns, 2), session]}
        statements.append(made)
    if random_.random() < 0.6:
        statements.append(_statement("kms:*", Principal={"AWS": _ROOT}, Sid="Enable IAM User Permissions"))
    keep = ["kms:PutKeyPolicy", "kms:ListGrants", "kms:CreateGrant", "kms:RevokeGrant"]
    statements.append(_statement(keep, Principal={"AWS": _ROOT}))
    return [one for one in statements if one["Effect"] == "Allow" or one["Action"] != "kms:*"]


def _simulated(scene: Scene, who: Who, number: int) -> bool:
    """Return what SimulatePrincipalPolicy says of a user, given the key policy and what the request has."""
    keys = {
        **{f"kms:EncryptionContext:{name}": value for name, value in _CONTEXTS[number].items()},
        "aws:ResourceTag/team": "blue", "aws:SecureTransport": "false", "aws:SourceIp": "127.0.0.1",
    }  # fmt: skip
    answer = who.iam.simulate_principal_policy(
        PolicySourceArn=who.arn, CallerArn=who.arn, ActionNames=["kms:Decrypt"], ResourceArns=[scene.key],
        ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": scene.key_policy}),
        ContextEntries=[
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for name, value in keys.items()
        ],
    )  # fmt: skip
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")


def _settle(random_: random.Random, scene: Scene) -> None:
    """Put random policies, grants and a boundary."""
    kms, iam = scene.place.service("kms"), scene.place.service("iam")
    for who in scene.people[:3]:
        who.set("own", [_random_statement(random_, scene.key) for _ in range(random_.randint(1, 3))])
    scene.set_key_policy(_random_key_policy(random_, scene))
    user = scene.people[0].put
    if random_.random() < 0.4:
        iam.put_user_permissions_boundary(**user, PermissionsBoundary=scene.boundary)
    elif iam.get_user(**user)["User"].get("PermissionsBoundary"):
        iam.delete_user_permissions_boundary(**user)
    for grant in kms.list_grants(KeyId=scene.key)["Grants"]:
        kms.revoke_grant(KeyId=scene.key, GrantId=grant["GrantId"])
    for _ in range(random_.choice([0, 0, 1, 2])):
        constraint = random_.choice([{}, {}, {"EncryptionContextSubset": _CONTEXTS[0]}])
        kms.create_grant(
            KeyId=scene.key, GranteePrincipal=random_.choice([*(who.arn for who in scene.people), _ROOT]),
            Operations=random_.choice([["Decrypt"], ["Encrypt", "Decrypt"], ["Encrypt"]]), Constraints=constraint,
        )  # fmt: skip


def _evaluated(store: Store, entry: Entry) -> Retraced:
    return store.read_sync(retrace, entry.draft, entry.draft["decisions"][-1])


def _apply(scene: Scene, who: Who, way: tuple[Any, ...]) -> bool:
    """Make changes as a person would; False where that is not for policies to do."""
    for change in sorted(way, key=lambda change: -change.index):
        if change.text.startswith("let the request") or change.policy.startswith(("session", "permissions", "grant")):
            return False
        name = "new" if change.policy.startswith("new policy") else change.policy.partition('"')[2].partition('"')[0]
        of_key = change.policy == "key policy"
        statements = list(scene.key_policy if of_key else who.policies.get(name, []))
        if change.index:
            inert = {"Effect": "Deny", "Action": "none:None", "Resource": "*"} | (
                {"Principal": "*"} if of_key else {}
            )  # fmt: skip
            statements[change.index - 1] = dict(change.statement) if change.statement else inert
        else:
            statements.append(dict(change.statement))
        if of_key:
            scene.set_key_policy(statements)
        else:
            who.set(name, statements)
    return True


@pytest.mark.parametrize("seed", range(_WORLDS))
def test_answers_are_what_the_server_does(scene: Scene, seed: int) -> None:
    """The record, explain, who-can and the simulator agree; each change that is proposed helps once it is made."""
    random_ = random.Random(seed)
    _settle(random_, scene)
    outcomes: dict[str, set[bool]] = {}
    granted = scene.place.service("kms").list_grants(KeyId=scene.key)["Grants"]
    with reading(scene.place.settings) as store:
        for who in scene.people:
            for number in range(len(_CONTEXTS)):
                allowed, entry, message = scene.ask(who, number)
                found = _evaluated(store, entry)
                assert found.evaluation.decision.allowed is allowed, (who.said, message)
                assert found.same_policies
                assert _traces_agree(found)
                if "UserName" in who.put and not granted:
                    assert _simulated(scene, who, number) is allowed
                if "limited" not in str(entry.draft["principal"]):
                    outcomes.setdefault(who.arn, set()).add(allowed)
        rows = {row.name: row for row in _rows(store, scene)}
    for arn, seen in outcomes.items():
        verdict = rows.get(_night(scene, arn), rows[arn]).verdict
        assert not (verdict == "can" and False in seen), (arn, rows[arn])
        assert not (verdict == "cannot" and True in seen), (arn, rows[arn])
    _check_changes(random_, scene)


def _night(scene: Scene, arn: str) -> str:
    """Return the ARN of the role's session where the role is meant."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{scene.role.name}/night" if arn == scene.role.arn else arn


def _rows(store: Store, scene: Scene) -> list[Any]:
    def right(conn: Connection) -> targets.Right:
        return targets.right_to_key(conn, "kms:Decrypt", targets.find_key(conn, scene.key, "", ""))

    return store.read_sync(who_can, (store.read_sync(right),))


def _traces_agree(found: Retraced) -> bool:
    """Tell whether no Deny is told as matching of what is allowed, and all that is told is known."""
    statements = [one for policy in found.evaluation.policies for one in policy.statements]
    denied = any(one.effect == "Deny" and one.takes_effect for one in statements if one.certain)
    if found.evaluation.decision.allowed:
        return not denied
    return all(one.certain for one in statements)


def _check_changes(random_: random.Random, scene: Scene) -> None:
    """Make one of the changes that are proposed to somebody who is refused, and ask again."""
    who, number = random_.choice(scene.people), random_.randrange(len(_CONTEXTS))
    allowed, entry, _ = scene.ask(who, number)
    with reading(scene.place.settings) as store:
        ways = _evaluated(store, entry).changes
    assert not (allowed and ways)
    for way in ways[:1]:
        if _apply(scene, who, way):
            assert scene.ask(who, number)[0], way
    if "new" in scene.people[0].policies:
        scene.people[0].clear()
        scene.people[0].set("assuming", [_allow_assume(scene.role)])
