"""Roles, managed policies, groups and boundaries: what rights are made of, and when catalogs show it."""

import pytest

from fuin.access.principal import Principal
from fuin.store.errors import AlreadyExists, NotFound, StillUsed, TooMany
from fuin.store.identity import access_keys, groups, identities, inline_policies, managed_policies, roles, users
from fuin.store.identity.access_keys import LastAccessKeyUse
from fuin.store.identity.groups import Group
from fuin.store.identity.managed_policies import ManagedPolicy
from fuin.store.identity.roles import Role
from fuin.store.identity.users import User
from fuin.store.store import Store
from tests.store import values

USER = User(values.ACCOUNT, "writer", "AIDAWRITER", 3.0, "/team/", None, (("Team", "blue"), ("a", "1")))
GROUP = Group(values.ACCOUNT, "writers", "AGPAWRITERS", 3.0)
ROLE = Role(values.ACCOUNT, "night", "AROANIGHT", 3.0, "/", None, (), "{trust}", "nightly", 7200)
POLICY = ManagedPolicy(values.ACCOUNT, "keys", "ANPAKEYS", 3.0, description="keys", updated=3.0)
OF_USER = Principal("user", USER.arn, values.ACCOUNT, USER.id, USER.name)
OF_ROLE = Principal("role", "arn:aws:sts::x", values.ACCOUNT, f"{ROLE.id}:session", "night", ROLE.arn)


@pytest.fixture
def full(store: Store) -> Store:
    """Return a store with a user in a group, a role, and a policy that nobody has."""
    store.change_sync(users.insert_user, USER)
    store.change_sync(identities.insert, GROUP)
    store.change_sync(groups.add_member, USER.id, GROUP.id, 10)
    store.change_sync(roles.insert_role, ROLE)
    store.change_sync(managed_policies.insert_policy, POLICY, "{managed}")
    return store


def test_user_has_all_documents(full: Store) -> None:
    """Inline and attached ones, its own and its groups'; what is taken away is gone from the catalog."""
    assert full.catalog().user_policies(OF_USER) == ()
    full.change_sync(inline_policies.put, USER.id, "own", "{own}")
    full.change_sync(inline_policies.put, GROUP.id, "all", "{group}")
    full.change_sync(managed_policies.attach, GROUP.id, POLICY.id, 10)
    assert full.catalog().user_policies(OF_USER) == ("{own}", "{group}", "{managed}")
    assert full.catalog().role_policies(OF_USER) == full.catalog().user_policies(OF_ROLE) == ()
    full.change_sync(groups.remove_member, USER.id, GROUP.id)
    assert full.catalog().user_policies(OF_USER) == ("{own}",)


def test_role_has_its_documents_and_itself(full: Store) -> None:
    """A session finds its role's policies by the id in its own; the role is found by name, until it is another."""
    full.change_sync(inline_policies.put, ROLE.id, "own", "{own}")
    full.change_sync(managed_policies.attach, ROLE.id, POLICY.id, 10)
    assert full.catalog().role_policies(OF_ROLE) == ("{own}", "{managed}")
    assert full.catalog().role(values.ACCOUNT, "night") == ROLE
    assert full.catalog().role(values.ACCOUNT, "day") is None
    full.change_sync(inline_policies.remove, ROLE.id, "own")
    full.change_sync(managed_policies.detach, ROLE.id, POLICY.id)
    full.change_sync(roles.delete_role, values.ACCOUNT, "night")
    full.change_sync(roles.insert_role, Role(values.ACCOUNT, "night", "AROAOTHER", 4.0))
    found = full.catalog().role(values.ACCOUNT, "night")
    assert found is not None
    assert found.id == "AROAOTHER"
    assert full.catalog().role_policies(OF_ROLE) == ()


def test_boundary_is_the_default_version(full: Store) -> None:
    """A boundary follows its policy's default version, and is none when it is taken away."""
    for identity, principal in ((USER, OF_USER), (ROLE, OF_ROLE)):
        assert full.catalog().boundary(principal) is None
        full.change_sync(identities.set_boundary, identity, POLICY.arn)
        assert full.catalog().boundary(principal) == "{managed}"
    policy = full.read_sync(managed_policies.policy_by_id, POLICY.id)
    assert (policy.boundaries, policy.attachments) == (2, 0)
    full.change_sync(managed_policies.add_version, policy, "{newer}", default=True, now=5.0)
    assert full.catalog().boundary(OF_USER) == full.catalog().boundary(OF_ROLE) == "{newer}"
    full.change_sync(identities.set_boundary, USER, None)
    assert full.catalog().boundary(OF_USER) is None
    with pytest.raises(NotFound):
        full.change_sync(identities.set_boundary, USER, f"{POLICY.arn}-not")


def test_principal_has_path_and_tags(full: Store) -> None:
    """An access key's principal is the user as it is by now."""
    full.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    found = full.catalog().access_key("AKIA1")
    assert found is not None
    assert found.principal.arn == f"arn:aws:iam::{values.ACCOUNT}:user/team/writer"
    assert found.principal.tags == (("a", "1"), ("Team", "blue"))
    full.change_sync(identities.put_tags, USER.id, [("team", "red")])
    full.change_sync(users.rename_user, values.ACCOUNT, "writer", "author", "/")
    found = full.catalog().access_key("AKIA1")
    assert found is not None
    assert found.principal.tags == (("a", "1"), ("team", "red"))
    assert (found.user, found.principal.name) == ("author", "author")


def test_versions(full: Store) -> None:
    """Five at most, each with a number of its own; the default one is not removed."""
    for number in range(2, 6):
        policy = full.read_sync(managed_policies.policy_by_id, POLICY.id)
        assert full.change_sync(managed_policies.add_version, policy, "{}", default=False, now=4.0) == number
    policy = full.read_sync(managed_policies.policy_by_id, POLICY.id)
    with pytest.raises(TooMany):
        full.change_sync(managed_policies.add_version, policy, "{}", default=False, now=4.0)
    with pytest.raises(StillUsed):
        full.change_sync(managed_policies.delete_version, policy, 1)
    with pytest.raises(StillUsed):
        full.change_sync(managed_policies.delete_policy, policy)
    full.change_sync(managed_policies.delete_version, policy, 5)
    assert full.change_sync(managed_policies.add_version, policy, "{}", default=True, now=6.0) == 6
    assert [version.number for version in full.read_sync(managed_policies.list_versions, POLICY.id)] == [6, 4, 3, 2, 1]


def test_quotas_are_judged_with_the_change(full: Store) -> None:
    """Of users, groups, attachments, access keys, inline policies; a retry of what is there is none more."""
    with pytest.raises(TooMany):
        full.change_sync(users.insert_user, User(values.ACCOUNT, "second", "AIDA2", 1.0), 1)
    full.change_sync(groups.add_member, USER.id, GROUP.id, 1)
    other = Group(values.ACCOUNT, "others", "AGPAOTHERS", 1.0)
    full.change_sync(identities.insert, other)
    with pytest.raises(TooMany):
        full.change_sync(groups.add_member, USER.id, other.id, 1)
    full.change_sync(managed_policies.attach, USER.id, POLICY.id, 1)
    full.change_sync(managed_policies.attach, USER.id, POLICY.id, 1)
    second = ManagedPolicy(values.ACCOUNT, "second", "ANPASECOND", 1.0)
    full.change_sync(managed_policies.insert_policy, second, "{}")
    with pytest.raises(TooMany):
        full.change_sync(managed_policies.attach, USER.id, second.id, 1)
    full.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0, 1)
    with pytest.raises(TooMany):
        full.change_sync(access_keys.insert_access_key, "AKIA2", values.ACCOUNT, "writer", b"sealed", 2.0, 1)
    full.change_sync(inline_policies.put, USER.id, "own", "{ a }", 3)
    with pytest.raises(TooMany):
        full.change_sync(inline_policies.put, USER.id, "more", "{", 3)
    assert full.read_sync(inline_policies.list_names, USER.id) == ["own"]


def test_names_differ_in_more_than_case(full: Store) -> None:
    """A new or renamed one may not differ in case only; kinds have names of their own; lookups are exact."""
    with pytest.raises(AlreadyExists):
        full.change_sync(users.insert_user, User(values.ACCOUNT, "WRITER", "AIDA2", 1.0))
    full.change_sync(identities.insert, Group(values.ACCOUNT, "writer", "AGPA2", 1.0))
    full.change_sync(users.insert_user, User(values.ACCOUNT, "second", "AIDA2", 1.0))
    with pytest.raises(AlreadyExists):
        full.change_sync(users.rename_user, values.ACCOUNT, "second", "Writer", None)
    full.change_sync(users.rename_user, values.ACCOUNT, "writer", "Writer", None)
    assert full.read_sync(users.find_user, values.ACCOUNT, "writer") is None


def test_what_has_gone_is_not_changed(full: Store) -> None:
    """A change of one that has been deleted since it was looked at, and replaced by another of its name, is refused."""
    full.change_sync(groups.remove_member, USER.id, GROUP.id)
    full.change_sync(users.delete_user, values.ACCOUNT, "writer")
    full.change_sync(users.insert_user, User(values.ACCOUNT, "writer", "AIDASECOND", 4.0))
    with pytest.raises(NotFound):
        full.change_sync(identities.apply_to, USER, inline_policies.put, "own", "{}")


def test_uses_are_noted_once_a_minute(full: Store) -> None:
    """A use within a minute changes nothing; of a key that has gone nothing is kept.

    The order is that of the transactions: a time that a wrong clock gave, far ahead, makes room for the next one.
    """
    full.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    for use, kept in (
        (LastAccessKeyUse(1000.0, "kms", "a"), LastAccessKeyUse(1000.0, "kms", "a")),
        (LastAccessKeyUse(1059.0, "s3", "b"), LastAccessKeyUse(1000.0, "kms", "a")),
        (LastAccessKeyUse(941.0, "s3", "b"), LastAccessKeyUse(1000.0, "kms", "a")),
        (LastAccessKeyUse(9e9, "s3", "b"), LastAccessKeyUse(9e9, "s3", "b")),
        (LastAccessKeyUse(1060.0, "s3", "b"), LastAccessKeyUse(1060.0, "s3", "b")),
    ):
        full.write_sync(access_keys.note_use, "AKIA1", use)
        assert full.read_sync(access_keys.last_use, "AKIA1") == kept
    full.change_sync(access_keys.delete_access_key, "AKIA1")
    full.write_sync(access_keys.note_use, "AKIA1", LastAccessKeyUse(2000.0, "s3", "b"))
    assert full.read_sync(access_keys.last_use, "AKIA1") is None


def test_a_role_s_uses_are_kept_to_the_minute(full: Store) -> None:
    """Whoever notes them: within a minute of the known one none is written; they end with the role."""
    for used, region, expected in (
        (1000.0, "a", (1000.0, "a")),
        (1059.9, "b", (1000.0, "a")),
        (9e9, "c", (9e9, "c")),
        (1060.0, "d", (1060.0, "d")),
        (1001.0, "e", (1060.0, "d")),
    ):
        full.write_sync(roles.note_use, ROLE.id, used, region)
        assert full.read_sync(roles.last_use, ROLE.id) == expected
    full.write_sync(roles.note_use, "AROAGONE", 1000.0, "a")
    assert full.read_sync(roles.last_use, "AROAGONE") is None
    full.change_sync(roles.delete_role, ROLE.account, ROLE.name)
    assert full.read_sync(roles.last_use, ROLE.id) is None
