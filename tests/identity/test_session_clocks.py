"""Temporary credentials while the wall clock and the counted time do not agree."""

import datetime
from typing import Any

import pytest

from tests.identity.assuming import ALL_OF_STS, Role, allow, assume, new_role, refused, trust, user_arn
from tests.support.clocks import SOON, counted
from tests.support.place import ANYTHING, Place
from tests.support.server import User


@pytest.fixture(scope="module")
def alice(place: Place) -> User:
    """Give a user who may do anything."""
    return place.new_user(ANYTHING)


def role_of(place: Place, alice: User, **condition: Any) -> Role:
    """Return a role that alice may assume, and that may list keys."""
    return new_role(place, trust(user_arn(alice), ALL_OF_STS), allow("kms:ListKeys", **condition))


def test_a_session_that_has_ended_stays_ended(place: Place, alice: User) -> None:
    """A session whose time has been counted to its end is over, though the wall clock was turned back."""
    session = assume(place, role_of(place, alice), alice, DurationSeconds=900)
    session.client(place, "kms").list_keys()
    with counted(SOON):
        assert refused(session.client(place, "kms").list_keys)[1] == "ExpiredTokenException"
        longer = assume(place, role_of(place, alice), alice, DurationSeconds=900)
        longer.client(place, "kms").list_keys()  # what is given now has its whole time


def test_a_session_of_a_clock_ahead_is_reached_by_revocation(place: Place, alice: User) -> None:
    """While the wall clock is far ahead, sessions are dated by the counted time: so "all before now" ends them."""
    now = datetime.datetime.now(datetime.UTC)
    older = (now - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    role = role_of(place, alice, Condition={"DateGreaterThan": {"aws:TokenIssueTime": older}})
    with counted(-8):
        session = assume(place, role, alice)
        assert refused(session.client(place, "kms").list_keys)[1] == "AccessDeniedException"
    lasts = session.answer["Credentials"]["Expiration"] - now
    assert datetime.timedelta(minutes=59) < lasts < datetime.timedelta(minutes=62)
    assume(place, role, alice).client(place, "kms").list_keys()


def test_the_longest_session_is_given_after_a_step_back(place: Place, alice: User) -> None:
    """A wall clock that was set back within the limit refuses nobody credentials for 36 hours."""
    with counted(SOON):
        answer = place.service("sts", alice).get_session_token(DurationSeconds=129_600)
    assert answer["Credentials"]["SessionToken"]
