"""Lists of a full account: what one request reads at once is bounded, since nobody else is served meanwhile."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from fuin import ids
from fuin.identity.iam import authorization_details
from fuin.settings import Settings
from fuin.store.identity import accounts, groups, identities, managed_policies, users
from fuin.store.identity.groups import Group
from fuin.store.identity.managed_policies import ManagedPolicy
from fuin.store.identity.roles import Role
from fuin.store.identity.users import User
from fuin.store.store import Store
from tests.support.place import ACCOUNT, ANYTHING

_MANY = 250


def _fill(conn: Connection) -> None:
    """Make many policies, and as many users, who all have the first policy, and some of them the second as boundary."""
    accounts.insert_account(conn, ACCOUNT, 0.0)
    policies = [ManagedPolicy(ACCOUNT, f"p{n:04}", ids.new_policy_id(), 0.0) for n in range(_MANY)]
    for policy in policies:
        managed_policies.insert_policy(conn, policy, json.dumps(ANYTHING))
    for number in range(_MANY):
        user = User(ACCOUNT, f"u{number:04}", ids.new_user_id(), 0.0, "/", policies[1].arn if number < 7 else None)
        users.insert_user(conn, user)
        managed_policies.attach(conn, user.id, policies[0].id, 10)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Give the store of a full account."""
    folder: Path = tmp_path_factory.mktemp("large") / "data"
    settings = Settings(data=folder)
    settings.prepare()
    opened = Store.open(settings)
    opened.change_sync(_fill)
    yield opened
    opened.close()


def _counted(store: Store, fn: Callable[..., Any], *args: Any) -> tuple[Any, int]:
    """Return what a read gives, and how many statements it takes."""
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    def watch(conn: Connection) -> Any:
        event.listen(conn, "before_cursor_execute", note)
        try:
            return fn(conn, *args)
        finally:
            event.remove(conn, "before_cursor_execute", note)

    return store.read_sync(watch), len(statements)


def test_policies_are_counted_together(store: Store) -> None:
    """ListPolicies takes a few statements, however many policies there are."""
    found, statements = _counted(store, managed_policies.page_policies, ACCOUNT)
    assert len(found) == _MANY
    assert statements <= 4
    assert [(one.attachments, one.boundaries) for one in found[:3]] == [(_MANY, 0), (0, 7), (0, 0)]
    assert found[0] == store.read_sync(managed_policies.policy_by_id, found[0].id)


@pytest.mark.parametrize(("number", "attached", "bounded", "count"), [
    (0, True, True, _MANY), (0, True, False, _MANY), (0, False, True, 0), (1, True, True, 7), (1, False, True, 7),
])  # fmt: skip
def test_holders_are_found_together(store: Store, number: int, attached: bool, bounded: bool, count: int) -> None:
    """ListEntitiesForPolicy as well, page by page, however many users have the policy."""
    policy = store.read_sync(identities.page, ManagedPolicy, ACCOUNT)[number]
    find = partial(identities.page_holders, attached=attached, bounded=bounded)
    found, statements = _counted(store, find, policy.id, ACCOUNT, [User, Group, Role])
    assert [one.name for one in found] == [f"u{number:04}" for number in range(count)]
    assert statements == 1
    assert store.read_sync(find, policy.id, ACCOUNT, [User], "/", "user/u0002", 2) == found[3:5]
    assert store.read_sync(find, policy.id, ACCOUNT, [Group, Role]) == []


def test_members_are_read_by_the_page(store: Store) -> None:
    """GetGroup reads the users of one page, however many are in the group."""
    group = Group(ACCOUNT, "all", ids.new_group_id(), 0.0)
    store.change_sync(identities.insert, group)
    everybody = store.read_sync(identities.page, User, ACCOUNT)
    for user in everybody:
        store.change_sync(groups.add_member, user.id, group.id, 10)
    found, statements = _counted(store, identities.page_members, User, group.id, "u0001", 3)
    assert (found, statements) == (everybody[2:5], 1)
    assert store.read_sync(identities.page_members, User, group.id) == everybody


def test_details_come_in_small_pages(store: Store) -> None:
    """GetAccountAuthorizationDetails reads much of each: a page has a hundred at most, whatever is asked for."""
    found: list[str] = []
    given: dict[str, Any] = {"MaxItems": 1000}
    while True:
        page = store.read_sync(authorization_details._page, ACCOUNT, given, [User], False)
        assert len(page["UserDetailList"]) <= 100
        found += [one["UserName"] for one in page["UserDetailList"]]
        if not page["IsTruncated"]:
            break
        given = {**given, "Marker": page["Marker"]}
    assert found == [f"u{number:04}" for number in range(_MANY)]
