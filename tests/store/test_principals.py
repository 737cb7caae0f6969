"""Which principals exist, and what is left of a name when its user or role ends."""

import json

import pytest

from fuin.access.grants import Grant
from fuin.store.identity import principals, roles, users
from fuin.store.identity.principals import NoSuchPrincipal
from fuin.store.identity.roles import Role
from fuin.store.identity.users import User
from fuin.store.kms import grants, keys
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values

ACCOUNT = values.ACCOUNT
USER = User(ACCOUNT, "ann", "AIDAANN", 1.0, "/team/")
ROLE = Role(ACCOUNT, "night", "AROANIGHT", 1.0, "/ci/", trust_policy='{"Statement":[]}')


@pytest.fixture
def named(store: Store) -> Store:
    """Return a store with a user and a role, both with paths."""
    store.change_sync(users.insert_user, USER)
    store.change_sync(roles.insert_role, ROLE)
    return store


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        ("*", True),
        (ACCOUNT, True),
        (f"arn:aws:iam::{ACCOUNT}:root", True),
        (f"arn:aws:iam::{ACCOUNT}:user/team/ann", True),
        (f"arn:aws:iam::{ACCOUNT}:role/ci/night", True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/night/any", True),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/any", True),
        ("999999999999", False),
        ("arn:aws:iam::999999999999:root", False),
        (f"arn:aws:iam::{ACCOUNT}:user/ann", False),
        (f"arn:aws:iam::{ACCOUNT}:user/team/ANN", False),
        (f"arn:aws:iam::{ACCOUNT}:role/team/ann", False),
        (f"arn:aws:iam::{ACCOUNT}:user/other/ann", False),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/night/any", False),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/ann/any", False),
        ("arn:aws:sts::999999999999:federated-user/any", False),
        (USER.id, False),
        ("", False),
        (f"arn:aws:iam::{ACCOUNT}:root/x", False),
        (f"{ACCOUNT}:root", False),
    ],
)
def test_what_exists(named: Store, name: str, exists: bool) -> None:
    """Accounts, users and roles by their whole ARN, sessions by their role; ids are no names."""
    assert named.read_sync(principals.exists, name) is exists


def test_first_of_several_that_does_not_exist(named: Store) -> None:
    """A check of several names tells of the first that is missing."""
    with pytest.raises(NoSuchPrincipal) as refused:
        named.read_sync(principals.check, [ACCOUNT, USER.arn, "999999999999", "x"])
    assert refused.value.name == "999999999999"
    named.read_sync(principals.check, [])


def document(*named: object) -> str:
    """Return a policy with a statement for each Principal element."""
    statements = [{"Effect": "Allow", "Principal": each, "Action": "*", "Resource": USER.arn} for each in named]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_everything_that_names_an_ended_user(named: Store) -> None:
    """Key, bucket and trust policies name its id; all else in them, and what does not name it, is as it was."""
    policy = document({"AWS": [USER.arn, ROLE.arn]}, {"AWS": USER.arn}, "*", {"Service": "s3.amazonaws.com"})
    expected = document({"AWS": [USER.id, ROLE.arn]}, {"AWS": USER.id}, "*", {"Service": "s3.amazonaws.com"})
    other = '{ "Statement": {"Principal": {"AWS": "' + USER.arn + '-not"}, "Sid": "\\u0061"} }'
    key, material = values.key(policy=policy)
    unconcerned, wrapped = values.key(policy=other)
    named.change_sync(keys.insert_key, key, material)
    named.change_sync(keys.insert_key, unconcerned, wrapped)
    named.change_sync(buckets.set_policy, "bucket", policy)
    named.change_sync(roles.set_role, Role(ACCOUNT, "night", ROLE.id, 1.0, trust_policy=policy))
    named.change_sync(users.delete_user, ACCOUNT, "ann")
    catalog = named.catalog()
    found, bucket, role = (
        catalog.key(key.key_id, values.REGION), catalog.bucket("bucket"), catalog.role(ACCOUNT, "night"),
    )  # fmt: skip
    assert found is not None
    assert bucket is not None
    assert role is not None
    for changed in (found.policy, bucket.policy, role.trust_policy):
        assert changed is not None
        assert json.loads(changed) == json.loads(expected)
        assert len(changed) <= len(policy)
    kept = catalog.key(unconcerned.key_id, values.REGION)
    assert kept is not None
    assert kept.policy == other


def test_not_principal_and_sessions_of_an_ended_role(named: Store) -> None:
    """NotPrincipal is an element that names, too; a role's sessions are known by its id and their own names."""
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/night/shift"
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE.arn, session, f"{session[:-11]}s/x"]}, "Action": "*"}
    key, material = values.key(policy=json.dumps({"Statement": statement}))
    named.change_sync(keys.insert_key, key, material)
    named.change_sync(roles.delete_role, ACCOUNT, "night")
    found = named.catalog().key(key.key_id, values.REGION)
    assert found is not None
    aws = json.loads(found.policy)["Statement"]["NotPrincipal"]["AWS"]
    assert aws == [ROLE.id, f"{ROLE.id}:shift", f"{session[:-11]}s/x"]


def test_grants_of_an_ended_role(named: Store) -> None:
    """Grantees and retiring principals become ids; catalogs find no grant by the old name."""
    key, material = values.key()
    named.change_sync(keys.insert_key, key, material)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/night/shift"
    for number, (grantee, retiring) in enumerate(((ROLE.arn, session), (session, None), (USER.arn, ROLE.arn))):
        grant = Grant(
            grant_id=f"{number:064}",
            key_id=key.key_id,
            region=values.REGION,
            account=ACCOUNT,
            name=None,
            grantee=grantee,
            grantee_service=None,
            retiring=retiring,
            retiring_service=None,
            operations=("Encrypt",),
            equals=None,
            subset=None,
            source_arn=None,
            created=1.0,
        )
        named.change_sync(grants.insert_grant, grant, {keys.ENABLED}, 100, 100)
    named.change_sync(roles.delete_role, ACCOUNT, "night")
    found = named.read_sync(grants.list_grants, key.key_id, values.REGION, None, "", 10)
    names = [(grant.grantee, grant.retiring) for grant in found]
    assert names == [(ROLE.id, f"{ROLE.id}:shift"), (f"{ROLE.id}:shift", None), (USER.arn, ROLE.id)]
