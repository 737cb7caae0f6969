"""The token in the header of a disk: the id of its volume, and the wrapped data key with its encryption context."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fuin.host.programs import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TYPE = "fuin"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Token:
    """A data key of a disk as it is stored.

    Nobody authenticates a token: anyone who writes to the disk can change it. The encryption context of KMS and the
    digest of the header decide whether its key is the key of the disk. `is_next` marks the key of a re-encryption that
    has not ended.
    """

    volume_id: str
    context_id: str
    key_arn: str
    wrapped_key: bytes
    is_next: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, in the form of a token of LUKS2 without keyslots."""
        return {
            "type": TYPE, "keyslots": [], "version": _VERSION, "volume_id": self.volume_id,
            "context_id": self.context_id, "key_arn": self.key_arn, "is_next": self.is_next,
            "wrapped_key": base64.b64encode(self.wrapped_key).decode(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Token:
        """Return the token of a JSON object; raises HostError if it is malformed."""
        try:
            if value["type"] != TYPE or value["version"] != _VERSION:
                raise HostError(f"the disk has a token of version {value['version']}, which this Fuin does not know")
            texts = [value[name] for name in ("volume_id", "context_id", "key_arn")]
            if not all(isinstance(text, str) and text for text in texts):
                raise HostError("the token of the disk is malformed")
            wrapped = base64.b64decode(value["wrapped_key"], validate=True)
            return cls(texts[0], texts[1], texts[2], wrapped, value.get("is_next", False) is True)
        except (KeyError, TypeError, AttributeError, ValueError, binascii.Error):
            raise HostError("the token of the disk is malformed") from None

    def as_current(self) -> Token:
        """Return the token of a key that is the only one of its disk."""
        return replace(self, is_next=False)


def choose_tokens(tokens: Iterable[Token], volume_id: str) -> list[Token]:
    """Return the tokens of a volume; raises HostError without any, or if one names another volume."""
    found = list(tokens)
    others = sorted({token.volume_id for token in found} - {volume_id})
    if others:
        raise HostError(f"this disk is of {others[0]}, not of {volume_id}")
    if not found:
        raise HostError(f"this disk has no token of {volume_id}: it is not formatted, or its header is damaged")
    return found
