"""Clients that read and write registers on all nodes: objects, with conditional writes and lists, and keys.

A register is used for about a hundred operations, then another one takes its place: the search for an order needs few
operations, and few whose outcome is unknown.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from tests.cluster.history import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.cluster.history import History, Pending

BUCKET = "registers"
MOST_OPERATIONS, MOST_UNKNOWN = 100, 3
BACK_OFF = 0.3  # seconds
_HEAD = 10  # characters of a body before its filling, which makes its length unique


@dataclass
class Register:
    """One register; `etags` are those of the values that a client has seen."""

    name: str  # an object's key, or a key's id
    operations: int = 0
    unknown: int = 0
    last: int = 0
    etags: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_value(self) -> str:
        """Return a value that was never written."""
        with self.lock:
            self.last += 1
            return str(self.last)

    def note(self, outcome: Outcome, kind: str) -> None:
        """Count an operation; the client waits a little after an unknown outcome, as clients do after an error."""
        with self.lock:
            self.operations += 1
            self.unknown += kind != "read" and outcome is Outcome.UNKNOWN
        if outcome is Outcome.UNKNOWN:
            time.sleep(BACK_OFF)

    @property
    def is_worn(self) -> bool:
        """Return whether another one has to take its place."""
        return self.operations >= MOST_OPERATIONS or self.unknown >= MOST_UNKNOWN


class Registers:
    """A few registers in use at a time; `make` makes the next one by its number, and raises when it cannot."""

    def __init__(self, make: Callable[[int], str], together: int) -> None:
        self._make, self._together = make, together
        self._lock = threading.Lock()
        self._number = 0
        self._used: list[Register] = []
        self.all: list[Register] = []

    def choose(self, choice: random.Random) -> Register | None:
        """Return one that is not worn; None if no new one could be made."""
        with self._lock:
            self._used = [register for register in self._used if not register.is_worn]
            if len(self._used) < self._together:
                with contextlib.suppress(BotoCoreError, ClientError):
                    register = Register(self._make(self._number))
                    self._number += 1
                    self._used.append(register)
                    self.all.append(register)
            return choice.choice(self._used) if self._used else None


@contextlib.contextmanager
def outcome_of(pending: Pending) -> Iterator[None]:
    """Give a pending operation the outcome that an error of its call says; other errors are the test's own."""
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 412:
            pending.mismatch()
        elif status < 500:
            pending.fail()
    except (EndpointConnectionError, ConnectTimeoutError):  # it was never sent
        pending.fail()
    except BotoCoreError:
        pass


class ObjectClient:
    """One client of the objects; `ask` does one operation on a node."""

    def __init__(self, name: str, history: History, registers: Registers, seed: int) -> None:
        self._name, self._history, self._registers = name, history, registers
        self._choice = random.Random(seed)

    def ask(self, s3: Any) -> None:
        """Do one operation with a client of one node."""
        register = self._registers.choose(self._choice)
        if register is None:
            return
        kind = self._choice.choices(
            ("read", "match", "create", "write", "delete", "list"), (35, 25, 10, 15, 4, 11)
        )[0]  # fmt: skip
        if kind == "list":
            self._list(s3, register.name.rpartition("/")[0] + "/")
        elif kind == "read":
            self.read(s3, register)
        elif kind == "delete":
            self._delete(s3, register)
        else:
            self._put(s3, register, kind)

    def read(self, s3: Any, register: Register) -> bool:
        """Read a register; return whether that succeeded."""
        with self._history.record(self._name, "read", f"{BUCKET}/{register.name}") as pending, outcome_of(pending):
            try:
                answer = s3.get_object(Bucket=BUCKET, Key=register.name)
            except s3.exceptions.NoSuchKey:
                pending.succeed(None)
            else:
                value = value_of(answer["Body"].read())
                register.etags[value] = answer["ETag"]
                pending.succeed(value)
        register.note(pending.outcome, "read")
        return pending.outcome is Outcome.OK

    def _put(self, s3: Any, register: Register, kind: str) -> None:
        value, subject = register.next_value(), f"{BUCKET}/{register.name}"
        expected = self._choice.choice(list(register.etags)[-3:] or [None]) if kind == "match" else None
        condition = {"IfMatch": register.etags[expected]} if expected else {"IfNoneMatch": "*"}
        name, conditions = ("write", {}) if kind == "write" else ("compare-and-set", condition)
        with (
            self._history.record(self._name, name, subject, value, expected) as pending,
            outcome_of(pending),
        ):
            try:
                answer = s3.put_object(Bucket=BUCKET, Key=register.name, Body=body_of(value), **conditions)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":  # If-Match where nothing is
                    pending.mismatch()
                    return
                raise
            register.etags[value] = answer["ETag"]
            pending.succeed()
        register.note(pending.outcome, name)

    def _delete(self, s3: Any, register: Register) -> None:
        with self._history.record(self._name, "write", f"{BUCKET}/{register.name}") as pending, outcome_of(pending):
            s3.delete_object(Bucket=BUCKET, Key=register.name)
            pending.succeed()
        register.note(pending.outcome, "write")

    def _list(self, s3: Any, prefix: str) -> None:
        with self._history.record(self._name, "list", BUCKET, expected=prefix) as pending, outcome_of(pending):
            found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
            pending.succeed(tuple((entry["Key"], str(entry["Size"] - _HEAD)) for entry in found))


class KeyClient:
    """One client of the keys, whose descriptions are registers."""

    def __init__(self, name: str, history: History, registers: Registers, seed: int) -> None:
        self._name, self._history, self._registers = name, history, registers
        self._choice = random.Random(seed)

    def ask(self, kms: Any) -> None:
        """Do one operation with a client of one node."""
        register = self._registers.choose(self._choice)
        if register is None:
            return
        if self._choice.random() < 0.6:
            self.read(kms, register)
            return
        value = register.next_value()
        with self._history.record(self._name, "write", register.name, value) as pending, outcome_of(pending):
            kms.update_key_description(KeyId=register.name, Description=value)
            pending.succeed()
        register.note(pending.outcome, "write")

    def read(self, kms: Any, register: Register) -> bool:
        """Read a register; return whether that succeeded."""
        with self._history.record(self._name, "read", register.name) as pending, outcome_of(pending):
            pending.succeed(kms.describe_key(KeyId=register.name)["KeyMetadata"]["Description"] or None)
        register.note(pending.outcome, "read")
        return pending.outcome is Outcome.OK


def body_of(value: str) -> bytes:
    """Return the body of an object's value; its length is unique, so that a list shows the value too."""
    return value.rjust(_HEAD, "0").encode() + b"x" * int(value)


def value_of(body: bytes) -> str:
    """Return the value of a body, or what is wrong with it."""
    value = body[:_HEAD].decode("ascii", "replace").lstrip("0")
    return value if value.isdecimal() and body_of(value) == body else f"torn: {len(body)} bytes, {body[:20]!r}"


def object_names(together: int) -> Callable[[int], str]:
    """Return a maker of names of objects, some of which share a prefix."""
    return lambda number: f"{number // (4 * together):04d}/{number:05d}"


def new_key(clients: Sequence[Any]) -> Callable[[int], str]:
    """Return a maker of keys, which asks one node after the other."""
    return lambda number: str(clients[number % len(clients)].create_key()["KeyMetadata"]["KeyId"])
