"""Accounts, users, access keys and their policies."""

from collections.abc import Callable

import pytest

from fuin.access.principal import Principal, account_root
from fuin.store.errors import AlreadyExists, NotFound, StillUsed
from fuin.store.identity import access_keys, accounts, identities, inline_policies, users
from fuin.store.identity.users import User
from fuin.store.store import Store
from tests.store import values

WRITER = User(values.ACCOUNT, "writer", "AIDAWRITER", 3.0)


@pytest.fixture
def with_user(store: Store) -> Store:
    """Return a store with one user."""
    store.change_sync(users.insert_user, WRITER)
    return store


def test_root_key_stands_for_the_account(store: Store) -> None:
    """An access key without a user is the account root's."""
    store.change_sync(access_keys.insert_access_key, "AKIAROOT", values.ACCOUNT, None, b"\x00sealed", 2.0)
    found = store.read_sync(access_keys.find_access_key, "AKIAROOT")
    assert found is not None
    assert (found.user, found.active, found.sealed_secret) == (None, True, b"\x00sealed")
    assert found.principal == account_root(values.ACCOUNT)


def test_user_s_key_stands_for_the_user(with_user: Store) -> None:
    """The principal has the user's ARN, id and name."""
    with_user.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    found = with_user.read_sync(access_keys.find_access_key, "AKIA1")
    arn = "arn:aws:iam::123456789012:user/writer"
    assert found is not None
    assert found.principal == Principal("user", arn, values.ACCOUNT, "AIDAWRITER", "writer")
    assert with_user.read_sync(access_keys.list_access_keys, values.ACCOUNT) == [found]


def test_access_key_is_switched_and_removed(with_user: Store) -> None:
    """An inactive key says so; a removed one is not found in any catalog."""
    with_user.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    with_user.change_sync(access_keys.set_access_key_active, "AKIA1", False)
    found = with_user.catalog().access_key("AKIA1")
    assert found is not None
    assert not found.active
    with_user.change_sync(access_keys.delete_access_key, "AKIA1")
    assert with_user.catalog().access_key("AKIA1") is None


def test_policy_is_replaced(with_user: Store) -> None:
    """A user has one inline policy; the new document takes the old one's place."""
    for document in ("{first}", "{second}"):
        with_user.change_sync(users.put_user_policy, values.ACCOUNT, "writer", document)
    assert with_user.read_sync(users.policies_of, WRITER.id) == ("{second}",)
    with_user.change_sync(inline_policies.remove, WRITER.id, inline_policies.INLINE)
    assert with_user.read_sync(users.policies_of, WRITER.id) == ()


def test_user_with_something_left_is_not_deleted(with_user: Store) -> None:
    """Access keys go first, then policies; who is added again under the same name starts with nothing."""
    with_user.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    with_user.change_sync(users.put_user_policy, values.ACCOUNT, "writer", "{}")
    for left, remove in (
        ("access keys", lambda c: access_keys.delete_access_key(c, "AKIA1")),
        ("policies", lambda c: inline_policies.remove(c, WRITER.id, inline_policies.INLINE)),
    ):
        with pytest.raises(StillUsed) as refused:
            with_user.change_sync(users.delete_user, values.ACCOUNT, "writer")
        assert refused.value.what == left
        with_user.change_sync(remove)
    with_user.change_sync(users.delete_user, values.ACCOUNT, "writer")
    assert with_user.read_sync(users.find_user, values.ACCOUNT, "writer") is None


def test_names_are_per_account(with_user: Store) -> None:
    """Two accounts may have a user of the same name, each with policies of its own."""
    other = User("222222222222", "writer", "AIDAOTHER", 3.0)
    with_user.change_sync(accounts.insert_account, other.account, 2.0)
    with_user.change_sync(users.insert_user, other)
    with_user.change_sync(users.put_user_policy, other.account, "writer", "{}")
    assert with_user.read_sync(users.policies_of, WRITER.id) == ()
    assert with_user.read_sync(identities.page, User, values.ACCOUNT) == [WRITER]
    assert with_user.read_sync(accounts.list_accounts) == [values.ACCOUNT, other.account]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c: accounts.insert_account(c, values.ACCOUNT, 1.0), AlreadyExists),
        (lambda c: users.insert_user(c, WRITER), AlreadyExists),
        (lambda c: users.insert_user(c, User("9" * 12, "x", "AIDAX", 1.0)), NotFound),
        (lambda c: access_keys.insert_access_key(c, "AKIA1", values.ACCOUNT, "nobody", b"", 1.0), NotFound),
        (lambda c: access_keys.insert_access_key(c, "AKIA1", "9" * 12, None, b"", 1.0), NotFound),
        (lambda c: users.put_user_policy(c, values.ACCOUNT, "nobody", "{}"), NotFound),
        (lambda c: users.delete_user(c, values.ACCOUNT, "nobody"), NotFound),
        (lambda c: access_keys.set_access_key_active(c, "AKIA0", True), NotFound),
        (lambda c: access_keys.delete_access_key(c, "AKIA0"), NotFound),
    ],
)
def test_refusals(with_user: Store, change: Callable[..., None], error: type[Exception]) -> None:
    """What exists already or does not exist is told by an error of its own."""
    with pytest.raises(error):
        with_user.change_sync(change)


def test_access_key_id_is_taken_once(with_user: Store) -> None:
    """The same access key id for somebody else is refused, and the first keeps it."""
    with_user.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 2.0)
    with pytest.raises(AlreadyExists):
        with_user.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, None, b"other", 2.0)
    found = with_user.catalog().access_key("AKIA1")
    assert found is not None
    assert found.user == "writer"
