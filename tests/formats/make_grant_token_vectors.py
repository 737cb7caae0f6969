"""Makes the vectors of the grant token anew: `python -m tests.formats.make_grant_token_vectors`."""

import base64

from fuin.formats import grant_token
from tests.formats.make_vectors import Case, Cases, flipped, write

GRANT_ID, UNIQUE = bytes(range(32)), bytes(range(32, 48))


def text(raw: bytes) -> str:
    """Return the base64url of bytes."""
    return base64.urlsafe_b64encode(raw).decode()


def cases() -> Cases:
    """Return the vectors."""
    token = grant_token.encode(GRANT_ID, UNIQUE)
    raw = base64.urlsafe_b64decode(token)

    def bad(comment: str, wrong: str) -> Case:
        return {"comment": comment, "token": wrong, "error": "format"}

    return {
        "token": {"comment": "A token.", "grant_id": GRANT_ID, "unique": UNIQUE, "token": token},
        "empty": bad("Nothing.", ""),
        "head-changed": bad("Another first byte, with the check that would fit.", _with_check(flipped(raw, 0))),
        "version-2": bad("Another version, with the check that would fit.", _with_check(raw[:1] + b"\2" + raw[2:])),
        "grant-id-changed": bad("One bit of the grant id.", text(flipped(raw, 2))),
        "unique-changed": bad("One bit of what makes it unique.", text(flipped(raw, 34))),
        "check-changed": bad("One bit of the check.", text(flipped(raw, 65))),
        "byte-cut": bad("Without its last byte.", text(raw[:-1])),
        "byte-after": bad("A byte after it.", text(raw + b"\0")),
        "shorter-id": bad("A grant id of 31 bytes, with the check that would fit.", _with_check(raw[:2] + raw[3:])),
        "standard-alphabet": bad("Base64 of the other alphabet.", base64.b64encode(_with_symbols()).decode()),
        "white-space": bad("A line end after it.", token + "\n"),
        "not-ascii": bad("A letter that base64 has not.", "é" + token[1:]),
    }


def _with_check(raw: bytes) -> str:
    body = raw[:-16]
    return text(body + grant_token._checksum(body))


def _with_symbols() -> bytes:
    """Return a token's bytes whose base64 holds the two characters that the alphabets write differently."""
    return base64.urlsafe_b64decode(grant_token.encode(b"\xff" * 32, b"\xfb" * 16))


if __name__ == "__main__":
    write("grant-token", cases())
