"""The store's refusals; the services turn these into the errors that AWS models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FuinError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class StoreRefusal(FuinError):
    """A write or lookup that the state of the database does not allow; nothing was changed."""


class NotFound(StoreRefusal):
    """The row that was named does not exist."""


class AlreadyExists(StoreRefusal):
    """The name is taken."""


class WrongState(StoreRefusal):
    """The key's state does not allow the change; `state` is the state it is in."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the key is {state}")
        self.state = state


class NotPrimary(StoreRefusal):
    """The key is a replica; this can only be changed in its primary key, in another Region."""


class Overtaken(StoreRefusal):
    """Somebody else has rotated the key, or changed its rotation, since the caller looked at it."""


class TooManyRotations(StoreRefusal):
    """The key was rotated on demand as often as a key may be."""


class NothingPending(StoreRefusal):
    """No imported material waits for the rotation."""


class NotExpected(StoreRefusal):
    """This material may not be imported: it is new where known material was expected, or the other way round."""


class AnotherPending(StoreRefusal):
    """Other imported material, `waiting`, waits for its rotation already; ids of materials."""

    def __init__(self, brought: bytes, waiting: bytes) -> None:
        super().__init__("other material waits for its rotation")
        self.brought, self.waiting = brought, waiting


class TooManyTags(StoreRefusal):
    """The key would have more tags than it may have."""


class TooMany(StoreRefusal):
    """There are as many of `what` as there may be: `at_most`."""

    def __init__(self, what: str, at_most: int) -> None:
        super().__init__(f"there are {at_most} {what} already")
        self.what, self.at_most = what, at_most


class StillUsed(StoreRefusal):
    """It cannot be deleted, since it still contains something or is used: `what`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"it still has {what}")
        self.what = what


class PreconditionFailed(StoreRefusal):
    """A condition of a write does not hold; `condition` is the header's name, such as If-None-Match."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"{condition} does not hold")
        self.condition = condition


class ObjectLocked(StoreRefusal):
    """A retention or a legal hold forbids to delete the version, or to take the lock off."""


class ObjectReplaced(StoreRefusal):
    """The object was replaced, or its data key is encrypted otherwise, since the caller has looked at it."""


class NoSuchBucket(NotFound):
    """The bucket does not exist."""


class BucketNotEmpty(StoreRefusal):
    """The bucket still holds objects or multipart uploads."""


class NoSuchUpload(NotFound):
    """The multipart upload does not exist: never started, aborted, or completed and overwritten since."""


class InvalidPart(StoreRefusal):
    """A part that was named to complete an upload is not, or is no longer, the one that was uploaded."""

    def __init__(self, number: int) -> None:
        super().__init__(f"part {number} is not the one that was uploaded")
        self.number = number


class RightsMoved(FuinError):
    """A right was taken from somebody since the rights to a change were checked; nothing was changed."""


class TooManyLists(FuinError):
    """So many lists wait to be read that another one would wait too long; ask again later."""


class DatabaseAway(StoreUnavailable):
    """The database cannot be used now, and waiting helps: no host answers, there is no primary, or it is starting."""


class NoDatabase(FuinError):
    """There is no database to open; the server has not been started here yet."""


class SchemaTooOld(FuinError):
    """The database is from an older version, and only an operator brings it up to date, since other nodes share it."""


class SchemaInUse(FuinError):
    """Nodes run that could not serve the schema to which the database shall be brought."""


class UnfinishedMove(StoreUnavailable):
    """The database holds a part of an installation that is being moved: nothing may serve it yet."""


class MovedAway(StoreUnavailable):
    """The database's installation was moved to another place, where it may have changed since."""


class SchemaTooNew(FuinError):
    """The database was written by a newer Fuin; an older one must not touch it."""


class NotInMemory(BaseException):  # flow, and no error: nothing but `Call.consult` may catch it
    """A decision needs rows or the epoch, which are not in memory; `fetch` brings them there, beside the event loop.

    What brings an epoch returns a function that puts it in force for the decision, which then runs again.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Callable[[], None] | None]]) -> None:
        super().__init__("rows are not in memory yet")
        self.fetch = fetch
