"""Temporary credentials over the keyholder's socket: made, opened for signing keys, and refused."""

import hmac
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.errors import FormatError, SessionExpired, TamperedError
from fuin.formats import session_token
from fuin.keyholder.sealed import sealing
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.client import Keyholder
from fuin.keyholder.wire.codecs import octets, text, u32
from fuin.keyholder.wire.requests import RequestType
from tests.keyholder.process import Holder, play

KEY_ID = "ASIAIOSFODNN7EXAMPLE"
_FOUR_BYTE_EXPIRY = RequestType(
    requests.NEW_SESSION.code, "wrong", (text("access key id"), u32("expiry"), octets("claims"))
)
SCOPE = ("20260102", "eu-west-1", "kms")


def test_the_signing_key_is_the_one_that_clients_derive(holder: Holder) -> None:
    """What the keyholder derives from the token signs as botocore signs with the secret that was shown."""

    async def story(client: Keyholder) -> None:
        expiry = int(time.time()) + 900
        secret, token = await client.new_session(KEY_ID, expiry, b"claims")
        key, claims, end = await client.session_signing_key(token, KEY_ID, *SCOPE)
        assert (claims, end) == (b"claims", expiry)
        request = AWSRequest("POST", "http://x/")
        request.context["timestamp"] = "20260102T030405Z"
        auth = SigV4Auth(Credentials("x", secret), "kms", "eu-west-1")
        assert hmac.digest(key, b"text", "sha256").hex() == auth.signature("text", request)
        assert secret.encode() not in token

    play(holder, story)


def test_tokens_outlive_the_process(holder: Holder) -> None:
    """A token opens in the next keyholder of the same root key: nothing of it is kept in memory."""

    async def make(client: Keyholder) -> bytes:
        return (await client.new_session(KEY_ID, int(time.time()) + 900, b"claims"))[1]

    token = play(holder, make)
    holder.end()
    holder.start()  # on the same socket

    async def use(client: Keyholder) -> bytes:
        return (await client.session_signing_key(token, KEY_ID, *SCOPE))[1]

    assert play(holder, use) == b"claims"


def test_what_is_no_token_of_this_key_is_refused(holder: Holder) -> None:
    """Another access key id, a changed bit, another sealed thing, nothing: TamperedError, and the keyholder goes on."""

    async def story(client: Keyholder) -> None:
        token = (await client.new_session(KEY_ID, int(time.time()) + 900, b"claims"))[1]
        sealed = await client.seal_secret(KEY_ID, "x" * 40)
        changed = token[:-1] + bytes((token[-1] ^ 1,))
        for wrong, key_id in ((token, KEY_ID[:-1] + "F"), (changed, KEY_ID), (sealed, KEY_ID), (b"", KEY_ID)):
            with pytest.raises(TamperedError):
                await client.session_signing_key(wrong, key_id, *SCOPE)
        with pytest.raises(FormatError):
            await client.session_signing_key(token, KEY_ID, "2026", "eu-west-1", "kms")
        assert await client.session_signing_key(token, KEY_ID, *SCOPE)

    play(holder, story)


def test_an_expired_session_has_no_signing_key(holder: Holder) -> None:
    """The keyholder itself derives nothing from a session that has ended."""

    async def story(client: Keyholder) -> None:
        token = (await client.new_session(KEY_ID, int(time.time()), b"claims"))[1]
        with pytest.raises(SessionExpired):
            await client.session_signing_key(token, KEY_ID, *SCOPE)

    play(holder, story)


def test_sessions_without_limits_are_not_made(holder: Holder) -> None:
    """More than 36 hours and an hour, claims too long or missing, no key id, another size of time: refused."""

    async def story(client: Keyholder) -> None:
        soon = int(time.time()) + 900
        too_long = bytes(session_token.CLAIMS_LIMIT + 1)
        for key_id, expiry, claims in (
            (KEY_ID, soon + 133_200, b"claims"), (KEY_ID, soon, b""), (KEY_ID, soon, too_long), ("", soon, b"claims"),
        ):  # fmt: skip
            with pytest.raises(FormatError):
                await client.new_session(key_id, expiry, claims)
        with pytest.raises(FormatError):
            await client._ask(_FOUR_BYTE_EXPIRY, KEY_ID, 5, b"claims")

    play(holder, story)


def test_labels_differ() -> None:
    """No two sealed things share a label: one kind never opens as another."""
    labels = [value for name, value in vars(sealing).items() if name.startswith("LABEL_")]
    assert len(labels) == len(set(labels)) > 8
