"""The errors of the domain; each service maps them to its wire format once, in its `faults` module."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class FuinError(Exception):
    """Any error that Fuin raises on purpose."""


class FaultRow(NamedTuple):
    """A row of a service's table of faults: the HTTP status, and a text if the service mostly says the same."""

    status: int = 400
    text: str | None = None


_UNLISTED = FaultRow()  # another service's code, which this one passes on


class Fault(FuinError):
    """An error answer that AWS models: a code, an HTTP status and, mostly, a message.

    Each service has a table of its codes (`kms/model/faults.py`, `s3/request/faults.py`, `identity/wire/faults.py`).
    There it turns all other errors into its faults, once. `details` are further elements of the answer, in their order.
    """

    table: ClassVar[Mapping[str, FaultRow]] = {}

    def __init__(self, code: str, message: str | None = None, **details: str) -> None:
        row = self.table.get(code, _UNLISTED)
        self.code = code
        self.status = row.status
        self.message = row.text if message is None else message
        self.details = details
        super().__init__(self.message or "")


class AccessDenied(FuinError):
    """The caller may not do this. `access/refusals.py` has the kind for want of a right, which carries its decision."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence)
        self._sentence = sentence

    @property
    def sentence(self) -> str:
        """Return AWS's own wording, safe to show to the caller."""
        return self._sentence


class AuthReason(enum.Enum):
    """Why a request could not be authenticated; each service has its own code and status for it."""

    MISSING = "missing"  # no signature at all
    MALFORMED = "malformed"  # an Authorization header or query that is not Signature V4
    INCOMPLETE = "incomplete"  # parts of Signature V4 are absent
    UNKNOWN_KEY = "unknown key"
    BAD_SIGNATURE = "bad signature"
    SKEWED = "skewed"  # the clock difference is too large
    EXPIRED = "expired"  # a presigned URL past its time
    SESSION_EXPIRED = "session expired"  # temporary credentials past their end
    BAD_SESSION = "bad session"  # a token that is none of this access key's, or whose role or user is gone
    PAYLOAD_MISMATCH = "payload mismatch"
    WRONG_SCOPE = "wrong scope"  # credential for another service, or date that differs
    UNSIGNED_HEADER = "unsigned header"  # an x-amz- header or host that is not covered by the signature


class AuthenticationFailed(FuinError):
    """The caller could not be authenticated; `detail` is safe to show."""

    def __init__(self, reason: AuthReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class FormatError(FuinError):
    """Bytes that are not a valid value of one of Fuin's formats."""


class TamperedError(FuinError):
    """An authentication tag, a commitment or a chain does not hold."""


class MalformedPolicy(FuinError):
    """A policy document that cannot be accepted; the text says what and where.

    `sentence` is AWS's own, which comes first in the text; empty where only Fuin has words for it, the `detail`.
    """

    def __init__(self, detail: str = "", sentence: str = "") -> None:
        super().__init__(f"{sentence} {detail}" if sentence and detail else sentence or detail)
        self.detail = detail
        self.sentence = sentence


class DuplicateElement(MalformedPolicy):
    """A policy document in which an object has a member twice."""

    def __init__(self, element: str) -> None:
        super().__init__(f"duplicate element: {element}")
        self.element = element


class NotJson(MalformedPolicy):
    """A policy document that is not JSON."""


class KeyholderUnavailable(FuinError):
    """The keyholder cannot be reached or cannot write its record; the request may be tried again."""


class KeyholderFailed(KeyholderUnavailable):
    """The keyholder has answered that it cannot do this now; it may still be able to record that."""


class StoreUnavailable(FuinError):
    """The database or the blob store failed (full disk, lost connection); nothing was acknowledged."""


class UnstorableText(FuinError):
    """A text of the request has the character NUL, which the database cannot store."""

    def __init__(self) -> None:
        super().__init__("The request holds a text with the character NUL (U+0000), which is not allowed.")


class OutcomeUnknown(StoreUnavailable):
    """A commit failed in its last step: it is not visible now, but a crash may bring it back. Keep what it names."""


class MaterialDamaged(TamperedError):
    """Wrapped key material or a sealed secret of the store does not open under the root key; no caller caused it."""


class ImportTokenExpired(FuinError):
    """An import token is genuine, but its time is over."""


class SessionExpired(FuinError):
    """A session token is genuine, but its time is over."""
