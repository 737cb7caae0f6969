"""Makes the vectors of the session token anew: `python -m tests.formats.make_session_token_vectors`."""

import zlib

import msgspec

from fuin.formats import session_token
from fuin.formats.session_token import Claims
from fuin.keyholder.sealed import sealing
from tests.formats.make_vectors import ROOT, SALT, SECRET, Case, Cases, flipped, write

SESSION_KEY_ID = "ASIAIOSFODNN7EXAMPLE"
NOW, EXPIRY = 1_700_000_000, 1_700_003_600
ROLE = Claims(
    kind="role", account="123456789012", id="AROAIOSFODNN7EXAMPLE", issued=NOW,
    issuer="arn:aws:iam::123456789012:user/alice", issuer_key="AKIAIOSFODNN7EXAMPLE", session="night",
    policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}',
    policy_arns=("arn:aws:iam::123456789012:policy/only-reading",), tags=(("team", "blue"),), transitive=("team",),
    source_identity="alice@example.com",
)  # fmt: skip
USER = Claims(
    kind="user", account="123456789012", id="AIDAIOSFODNN7EXAMPLE", issued=NOW,
    issuer="arn:aws:iam::123456789012:user/alice", issuer_key="AKIAIOSFODNN7EXAMPLE",
)  # fmt: skip


def seal(inside: bytes | bytearray, expiry: int = EXPIRY, label: bytes = sealing.LABEL_SESSION) -> bytes:
    """Return a token with the fixed salt."""
    prefix, binding = session_token.prefix(expiry), session_token.binding(SESSION_KEY_ID)
    return sealing.seal_with_salt(SALT, ROOT, label, prefix, binding, inside)


def token_of(claims: Claims) -> bytes:
    """Return the token of claims."""
    return seal(session_token.join_parts(SECRET.encode(), session_token.pack_claims(claims)))


def _raw(text: bytes) -> bytes:
    return token_with(zlib.compress(text, 9, wbits=-zlib.MAX_WBITS))


def token_with(packed: bytes) -> bytes:
    """Return a token with any bytes for its claims."""
    return seal(session_token.join_parts(SECRET.encode(), packed))


def cases() -> Cases:
    """Return the vectors."""
    base: Case = {"root_key": ROOT, "access_key_id": SESSION_KEY_ID, "now": NOW}
    token = token_of(ROLE)

    def good(comment: str, claims: Claims) -> Case:
        return {
            "comment": comment, **base, "token": token_of(claims), "secret": SECRET,
            "claims": msgspec.to_builtins(claims), "expiry": EXPIRY,
        }  # fmt: skip

    def bad(comment: str, changed: bytes, error: str = "tampered", **more: object) -> Case:
        return {"comment": comment, **base, **more, "token": changed, "error": error}

    later = token[:2] + (EXPIRY + 3600).to_bytes(8, "big") + token[10:]
    plain = msgspec.json.encode(ROLE, order="sorted")
    return {
        "role": good("A session of a role, with everything that there is.", ROLE),
        "user": good("A session of a user, with what must be there.", USER),
        "padded": {
            **good("A session of a user, made longer.", USER),
            "token": token_with(session_token.pack_claims(USER, at_least=1000)),
        },
        "expired": bad("At the second at which it ends.", token, "expired", now=EXPIRY),
        "end-changed": bad("Its end an hour later.", later),
        "expired-and-changed": bad("A later end, seen after the real one.", later, now=EXPIRY + 1),
        "other-access-key-id": bad("With another access key id.", token, access_key_id="ASIAIOSFODNN8EXAMPLE"),
        "access-key-id-longer": bad("With one letter more.", token, access_key_id=SESSION_KEY_ID + "A"),
        "access-key-id-empty": bad("Without an access key id.", token, access_key_id=""),
        "other-root-key": bad("Of another server.", token, root_key=flipped(ROOT, 0)),
        "other-label": bad("Sealed as a secret access key.", seal(b"x" * 60, label=sealing.LABEL_SECRET)),
        "version-0": bad("Version 0.", b"\0" + token[1:]),
        "version-2": bad("Version 2.", b"\2" + token[1:]),
        "kind-changed": bad("Called an import token.", token[:1] + b"\4" + token[2:]),
        "salt-changed": bad("A bit of the salt.", flipped(token, 10)),
        "commitment-changed": bad("A bit of the commitment.", flipped(token, 42)),
        "ciphertext-changed": bad("A bit of the ciphertext.", flipped(token, 74)),
        "tag-changed": bad("A bit of the tag.", flipped(token, -1)),
        "byte-cut": bad("The last byte is missing.", token[:-1]),
        "byte-after": bad("A byte after the tag.", token + b"\0"),
        "nothing": bad("No bytes.", b""),
        "prefix-only": bad("Version, kind and end.", token[:10]),
        "no-ciphertext": bad("Nothing between commitment and tag.", token[:74] + token[-16:]),
        "too-long": bad("Longer than any token.", token + bytes(session_token.TOKEN_LIMIT)),
        "not-deflated": bad("Claims that are not deflated.", token_with(plain), "claims"),
        "deflate-cut": bad("Claims that end early.", token_with(session_token.pack_claims(ROLE)[:-3]), "claims"),
        "byte-after-claims": bad(
            "A byte after the claims.", token_with(session_token.pack_claims(ROLE) + b"\0\1"), "claims"
        ),
        "bomb": bad("Claims of a megabyte of spaces.", _raw(plain + b" " * 1_000_000), "claims"),
        "not-json": bad("No JSON.", _raw(b"claims"), "claims"),
        "unknown-claim": bad("A claim that is not known, and may be a limit.", _raw(plain[:-1] + b',"x":1}'), "claims"),
        "unknown-kind": bad("A kind of principal that is not known.", _raw(plain.replace(b'"role"', b'"r"')), "claims"),
        "claim-missing": bad("No account.", _raw(plain.replace(b'"account"', b'"session"')), "claims"),
    }  # fmt: skip


if __name__ == "__main__":
    write("session-token", cases())
