"""Grants in the store: found by grantee, kept by name, ended with their key."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fuin import ids
from fuin.access.grants import Grant
from fuin.access.principal import Principal, account_root
from fuin.store.errors import NotFound, WrongState
from fuin.store.kms import grants, keys
from fuin.store.store import Store
from tests.store import values

ANN = Principal("user", ids.user_arn(values.ACCOUNT, "ann"), values.ACCOUNT, "AIDA", "ann")
RDS = Principal("service", "rds.amazonaws.com", "", "rds.amazonaws.com")
ENABLED = ("Enabled",)


@pytest.fixture
def key_id(store: Store) -> str:
    """Give the id of a key."""
    key, material = values.key()
    store.change_sync(keys.insert_key, key, material)
    return key.key_id


def grant(key_id: str, number: int = 1, **changes: Any) -> Grant:
    """Return a grant to Ann, with a number for an id."""
    members: dict[str, Any] = {
        "grant_id": f"{number:064x}", "key_id": key_id, "region": values.REGION, "account": values.ACCOUNT,
        "name": None, "grantee": ANN.arn, "grantee_service": None, "retiring": None, "retiring_service": None,
        "operations": ("Decrypt", "Encrypt"), "equals": None, "subset": None, "source_arn": None, "created": 1.5,
        **changes,
    }  # fmt: skip
    return Grant(**members)


def add(store: Store, given: Grant) -> str:
    """Insert a grant of an enabled key and return its id."""
    return store.change_sync(grants.insert_grant, given, ENABLED, 10, 10)


def test_grants_are_read_as_they_were_written(store: Store, key_id: str) -> None:
    """Every member survives, absent ones as None and empty pairs as such."""
    pairs = (("a", "é"), ("b", ""))
    made = [
        grant(key_id, 1, name="n", retiring=ANN.arn, equals=pairs),
        grant(key_id, 2, grantee=None, grantee_service=RDS.arn, retiring_service=RDS.arn, source_arn="arn:…"),
        grant(key_id, 3, equals=()),
        grant(key_id, 4, subset=pairs, source_arn="arn:…"),
    ]
    for one in made:
        assert add(store, one) == one.grant_id
        assert store.catalog().grant(one.grant_id) == one
    assert store.read_sync(grants.list_grants, key_id, values.REGION, None, "", 10) == made
    assert store.catalog().grant("none") is None


def test_a_principal_finds_its_own(store: Store, key_id: str) -> None:
    """A catalog gives a principal the grants to itself and to its account, by id, and nobody else's."""
    root = account_root(values.ACCOUNT)
    changes: list[dict[str, Any]] = [
        {}, {"grantee": root.arn}, {"grantee": ids.user_arn(values.ACCOUNT, "bob")},
        {"grantee": None, "grantee_service": RDS.arn},
    ]  # fmt: skip
    for number, change in enumerate(changes):
        add(store, grant(key_id, number, **change))
    catalog = store.catalog()

    def found(principal: Principal, region: str = values.REGION) -> list[int]:
        return [int(one.grant_id, 16) for one in catalog.grants(key_id, region, principal)]

    assert found(ANN) == [0, 1]
    assert found(root) == [1]
    assert found(RDS) == [3]
    assert found(ANN, "eu-west-1") == []
    store.change_sync(grants.delete_grant, f"{0:064x}")
    assert [int(one.grant_id, 16) for one in store.catalog().grants(key_id, values.REGION, ANN)] == [1]


@pytest.mark.sqlite_only("the plan of a query is its text")
def test_finding_ones_own_takes_an_index(store: Store) -> None:
    """With 50,000 grants of a key, those to one principal, or of a name, are found without looking at the others."""

    def plan(conn: Connection, statement: Any) -> str:
        given = dict.fromkeys(("p_key", "p_region", "p_arn", "p_root", "p_name"), "x")
        written = str(statement.compile(dialect=conn.dialect)).replace("?", "'x'")
        return " ".join(str(row) for row in conn.execute(text(f"EXPLAIN QUERY PLAN {written}"), given))

    for statement in (grants._TO_PRINCIPAL, grants._NAMED):
        found = store.read_sync(plan, statement)
        assert "grants_by_grantee (key_id=? AND region=? AND grantee=?)" in found
        assert "SCAN" not in found


def test_a_name_is_kept_for_the_same_grant(store: Store, key_id: str) -> None:
    """The same name and the same effect, whatever the order of operations, is the grant that is there."""
    first = add(store, grant(key_id, 1, name="n"))
    assert add(store, grant(key_id, 2, name="n", operations=("Encrypt", "Decrypt"), created=9.0)) == first
    assert add(store, grant(key_id, 3, name="n", subset=(("a", "b"),))) != first
    assert add(store, grant(key_id, 4)) != add(store, grant(key_id, 5))
    service = grant(key_id, 6, name="n", grantee=None, grantee_service=RDS.arn)
    assert add(store, service) == add(store, replace(service, grant_id="7"))


def test_a_key_has_so_many_grants(store: Store, key_id: str) -> None:
    """The quota counts the grants of one key; an existing one is still returned."""
    for number in range(10):
        add(store, grant(key_id, number, name=f"n{number}"))
    with pytest.raises(grants.TooManyGrants):
        add(store, grant(key_id, 11))
    assert add(store, grant(key_id, 11, name="n3")) == f"{3:064x}"


def test_a_principal_has_so_many_grants_of_a_key(store: Store, key_id: str) -> None:
    """The quota of one grantee does not count the grants to others."""
    for number in range(3):
        store.change_sync(grants.insert_grant, grant(key_id, number), ENABLED, 10, 3)
    with pytest.raises(grants.TooManyGrants):
        store.change_sync(grants.insert_grant, grant(key_id, 4), ENABLED, 10, 3)
    store.change_sync(grants.insert_grant, grant(key_id, 5, grantee="arn:aws:iam::1:user/b"), ENABLED, 10, 3)


def test_the_key_is_looked_at_again(store: Store, key_id: str) -> None:
    """A key that has gone, or changed its state, gets no grant; with the key its grants go."""
    with pytest.raises(NotFound):
        add(store, grant("none"))
    add(store, grant(key_id))
    store.change_sync(keys.schedule_deletion, key_id, values.REGION, 7.0)
    with pytest.raises(WrongState):
        add(store, grant(key_id, 2))
    store.change_sync(keys.purge_expired, 8.0)
    assert store.catalog().grant(f"{1:064x}") is None
    with pytest.raises(NotFound):
        store.change_sync(grants.delete_grant, f"{1:064x}")


def test_pages(store: Store, key_id: str) -> None:
    """Lists go on after an id: of a key, of one grantee of it, and of one retiring principal over keys."""
    other, material = values.key()
    store.change_sync(keys.insert_key, other, material)
    for number in range(4):
        add(store, grant(key_id if number % 2 else other.key_id, number, retiring=ANN.arn))
    numbers = [
        [int(one.grant_id, 16) for one in found]
        for found in (
            store.read_sync(grants.list_grants, key_id, values.REGION, None, f"{1:064x}", 5),
            store.read_sync(grants.list_grants, key_id, values.REGION, ANN.arn, "", 1),
            store.read_sync(grants.list_grants, key_id, values.REGION, "nobody", "", 5),
            store.read_sync(grants.list_retirable, ANN.arn, values.REGION, f"{0:064x}", 2),
            store.read_sync(grants.list_retirable, ANN.arn, "eu-west-1", "", 5),
        )
    ]
    assert numbers == [[3], [1], [], [1, 2], []]


def test_json_of_constraints(store: Store, key_id: str) -> None:
    """The column holds what docs/formats/database.md says."""
    add(store, grant(key_id, equals=(("a", "b"),), source_arn="arn:…"))
    add(store, grant(key_id, 2))

    def columns(conn: Connection) -> list[Any]:
        return [
            tuple(row) for row in conn.execute(text("SELECT operations, constraints FROM grants ORDER BY grant_id"))
        ]

    (operations, constraints), (_, none) = store.read_sync(columns)
    assert json.loads(operations) == ["Decrypt", "Encrypt"]
    assert json.loads(constraints) == {"equals": [["a", "b"]], "sourceArn": "arn:…"}
    assert none is None
