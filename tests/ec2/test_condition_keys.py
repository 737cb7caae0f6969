"""The table of condition keys and what requests to EC2 bring."""

from collections import defaultdict

import pytest

from fuin.access.question import Question
from fuin.access.vocabulary.condition_keys import TABLE, find
from tests.ec2.test_shapes import live
from tests.support.place import Place
from tests.support.questions import recorded_questions


@pytest.fixture(scope="module")
def brought(place: Place) -> dict[str, set[str]]:
    """Give the condition keys that requests have brought, by action, after each operation was called."""
    found: dict[str, set[str]] = defaultdict(set)

    def look(ask: Question) -> None:
        if ask.action.startswith("ec2:"):
            found[ask.action] |= set(ask.facts().find_all())

    with recorded_questions(look):
        live(place)
    return found


def test_actions_bring_what_the_table_says(brought: dict[str, set[str]]) -> None:
    """No key comes to an action that is not its own."""
    wrong = []
    for action, names in brought.items():
        rows = {name: find(name) for name in names}
        wrong += [(action, name) for name, row in rows.items() if row is None or not row.belongs(action)]
    assert len(brought) > 20
    assert wrong == []


def test_each_key_of_ec2_comes(brought: dict[str, set[str]]) -> None:
    """Each key of the table that is said to come does so in some request."""
    came = {row.name for names in brought.values() for name in names if (row := find(name)) is not None}
    assert {row.name for row in TABLE if row.name.startswith("ec2:") and row.brought} - came == set()
