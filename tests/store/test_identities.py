"""Accounts, users, access keys and their policies."""

from collections.abc import Callable

import pytest

from fuin.access.principal import Principal, account_root
from fuin.store import identities
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.identities import User
from fuin.store.store import Store
from tests.store import values

WRITER = User(values.ACCOUNT, "writer", "AIDAWRITER", 3.0)


@pytest.fixture
def with_user(store: Store) -> Store:
    """Return a store with one user."""
    store.change_sync(identities.insert_user, WRITER)
    return store


def test_root_key_stands_for_the_account(store: Store) -> None:
    """An access key without a user is the account root's."""
    store.change_sync(identities.insert_access_key, "AKIAROOT", values.ACCOUNT, None, b"\x00sealed", 2.0)
    found = store.read(identities.find_access_key, "AKIAROOT")
    assert found is not None
    assert (found.user, found.active, found.sealed_secret) == (None, True, b"\x00sealed")
    assert found.principal == account_root(values.ACCOUNT)


def test_user_s_key_stands_for_the_user(with_user: Store) -> None:
    """The principal has the user's ARN, id and name."""
    with_user.change_sync(identities.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    found = with_user.read(identities.find_access_key, "AKIA1")
    arn = "arn:aws:iam::123456789012:user/writer"
    assert found is not None
    assert found.principal == Principal("user", arn, values.ACCOUNT, "AIDAWRITER", "writer")
    assert with_user.read(identities.list_access_keys, values.ACCOUNT) == [found]


def test_access_key_is_switched_and_removed(with_user: Store) -> None:
    """An inactive key says so; a removed one is not found in any catalog."""
    with_user.change_sync(identities.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    with_user.change_sync(identities.set_access_key_active, "AKIA1", False)
    found = with_user.catalog().access_key("AKIA1")
    assert found is not None
    assert not found.active
    with_user.change_sync(identities.delete_access_key, "AKIA1")
    assert with_user.catalog().access_key("AKIA1") is None


def test_policy_is_replaced(with_user: Store) -> None:
    """A user has one inline policy; the new document takes the old one's place."""
    for document in ("{first}", "{second}"):
        with_user.change_sync(identities.put_user_policy, values.ACCOUNT, "writer", document)
    assert with_user.read(identities.user_policies, values.ACCOUNT, "writer") == ("{second}",)
    with_user.change_sync(identities.delete_user_policy, values.ACCOUNT, "writer")
    assert with_user.read(identities.user_policies, values.ACCOUNT, "writer") == ()


def test_deleted_user_takes_keys_and_policies_along(with_user: Store) -> None:
    """A user who is added again under the same name starts with nothing."""
    with_user.change_sync(identities.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    with_user.change_sync(identities.put_user_policy, values.ACCOUNT, "writer", "{}")
    assert with_user.catalog().access_key("AKIA1") is not None
    with_user.change_sync(identities.delete_user, values.ACCOUNT, "writer")
    assert with_user.catalog().access_key("AKIA1") is None
    with_user.change_sync(identities.insert_user, WRITER)
    assert with_user.read(identities.user_policies, values.ACCOUNT, "writer") == ()


def test_names_are_per_account(with_user: Store) -> None:
    """Two accounts may have a user of the same name, each with policies of its own."""
    other = User("222222222222", "writer", "AIDAOTHER", 3.0)
    with_user.change_sync(identities.insert_account, other.account, 2.0)
    with_user.change_sync(identities.insert_user, other)
    with_user.change_sync(identities.put_user_policy, other.account, "writer", "{}")
    assert with_user.read(identities.user_policies, values.ACCOUNT, "writer") == ()
    assert with_user.read(identities.list_users, values.ACCOUNT) == [WRITER]
    assert with_user.read(identities.list_accounts) == [values.ACCOUNT, other.account]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c: identities.insert_account(c, values.ACCOUNT, 1.0), AlreadyExists),
        (lambda c: identities.insert_user(c, WRITER), AlreadyExists),
        (lambda c: identities.insert_user(c, User("9" * 12, "x", "AIDAX", 1.0)), NotFound),
        (lambda c: identities.insert_access_key(c, "AKIA1", values.ACCOUNT, "nobody", b"", 1.0), NotFound),
        (lambda c: identities.insert_access_key(c, "AKIA1", "9" * 12, None, b"", 1.0), NotFound),
        (lambda c: identities.put_user_policy(c, values.ACCOUNT, "nobody", "{}"), NotFound),
        (lambda c: identities.delete_user(c, values.ACCOUNT, "nobody"), NotFound),
        (lambda c: identities.set_access_key_active(c, "AKIA0", True), NotFound),
        (lambda c: identities.delete_access_key(c, "AKIA0"), NotFound),
    ],
)
def test_refusals(with_user: Store, change: Callable[..., None], error: type[Exception]) -> None:
    """What exists already or does not exist is told by an error of its own."""
    with pytest.raises(error):
        with_user.change_sync(change)


def test_access_key_id_is_taken_once(with_user: Store) -> None:
    """The same access key id for somebody else is refused, and the first keeps it."""
    with_user.change_sync(identities.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    with pytest.raises(AlreadyExists):
        with_user.change_sync(identities.insert_access_key, "AKIA1", values.ACCOUNT, None, b"other", 2.0)
    found = with_user.catalog().access_key("AKIA1")
    assert found is not None
    assert found.user == "writer"
