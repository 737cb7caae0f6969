"""What an `S3Operation` of S3 is: one row says how a request names it, which rights it needs, and what runs it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from fuin.access.vocabulary.actions import S3_VERSION_ACTIONS, s3_actions_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Mapping

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call, Stream

    Run = Callable[[S3Call], Awaitable[Answer | Stream]]

SERVICE, BUCKET, OBJECT = "service", "bucket", "object"  # the levels of a path
# Operations whose action is the same for a version that a request names.
_ALSO_ON_VERSIONS = (
    "GetObjectLegalHold", "GetObjectRetention", "PutObjectLegalHold", "PutObjectRetention", "UpdateObjectEncryption",
)  # fmt: skip
NO_BODY, DOCUMENT, CHECKED_DOCUMENT, CONTENT, FORM = "none", "document", "checked document", "content", "form"


@dataclass(frozen=True, slots=True)
class S3Operation:
    """One operation of the service model, built or not.

    | field | what it says |
    |---|---|
    | `method`, `level`, `query`, `headers` | which requests name it; a query entry is a name, or name=value |
    | `actions` | the IAM actions that the caller needs; words after one say on what else than the request's target |
    | `key_actions` | the KMS actions that the caller needs under SSE-KMS; words after one say when |
    | `body` | which body the request has: none, a document, one with a digest, an object's content, or a form |
    | `creates_object` | s3:ObjectCreationOperation is true |
    | `lists` | its parameters (prefix, delimiter, max-keys) are condition keys |
    | `has_condition_headers` | its headers are condition keys |
    | `is_modelled` | botocore's model has it; POST Object is documented beside the model |
    | `newer_name` | the operation of the same request, which answers instead |
    | `run` | the function that answers, None if the operation is not built |
    """

    name: str
    method: str
    level: str
    query: tuple[str, ...] = ()
    _: KW_ONLY
    headers: tuple[str, ...] = ()
    key_actions: tuple[str, ...] = ()
    body: str = NO_BODY
    creates_object: bool = False
    lists: bool = False
    has_condition_headers: bool = True
    is_modelled: bool = True
    newer_name: str | None = None
    run: Run | None = None
    actions: tuple[str, ...] = field(init=False)
    action: str = field(init=False)  # the one on the request's target
    takes_version: bool = field(init=False)  # a request may name a version by its id

    def __post_init__(self) -> None:
        """Fill in the actions, which are a part of AWS's vocabulary."""
        object.__setattr__(self, "actions", s3_actions_of(self.name))
        object.__setattr__(self, "action", self.actions[0].partition(" ")[0])
        object.__setattr__(self, "takes_version", self.action in S3_VERSION_ACTIONS or self.name in _ALSO_ON_VERSIONS)

    def matches(self, query: Mapping[str, str], headers: Container[bytes]) -> bool:
        """Return whether a request of this method and level is this operation."""
        if not (self.query or self.headers):
            return True
        for entry in self.query:
            name, wants_value, value = entry.partition("=")
            if name not in query or (wants_value and query[name] != value):
                return False
        return all(header.encode() in headers for header in self.headers)


UNKNOWN = S3Operation("Unknown", "", SERVICE)  # of a call until its request is read
