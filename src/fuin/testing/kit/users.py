"""Access keys that a test makes up."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
REGION = "us-east-1"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class User:
    """An access key of a user or of an account's root."""

    name: str
    access_key_id: str
    secret_access_key: str

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that AWS clients read."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


def new_user(name: str) -> User:
    """Return a new access key: AKIA with 16 characters, and a secret of 40."""
    tail = "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    return User(name, f"AKIA{tail}", "".join(secrets.choice(_ALPHABET) for _ in range(40)))
