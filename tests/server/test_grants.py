"""Grants in the real server: what is given or taken back holds in all workers when the call returns."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.support.load import use_while_revoked
from tests.support.server import ACCOUNT, Server

_CLIENTS = 6  # connections of their own, so that with all but certainty both workers have some
_ROUNDS = 3


@pytest.mark.parametrize("way", ["revoke", "retire"])
def test_an_ended_grant_helps_in_no_worker(server: Server, unique: Callable[[str], str], way: str) -> None:
    """Under load nothing that is asked after RevokeGrant or RetireGrant has returned is allowed by the grant."""
    name = unique("ann")
    ann, root = server.add_user(name), server.client("kms")
    key_id = root.create_key()["KeyMetadata"]["KeyId"]
    blob = root.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    clients = [server.new_client("kms", ann, retry=False) for _ in range(_CLIENTS)]
    for _ in range(_ROUNDS):
        made = root.create_grant(
            KeyId=key_id, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/{name}", Operations=["Decrypt"]
        )
        for client in clients:
            client.decrypt(CiphertextBlob=blob)  # at once, in every worker
        if way == "revoke":
            end = partial(root.revoke_grant, KeyId=key_id, GrantId=made["GrantId"])
        else:
            end = partial(root.retire_grant, GrantToken=made["GrantToken"])
        outcome = use_while_revoked([partial(client.decrypt, CiphertextBlob=blob) for client in clients], end)
        assert outcome.lasted == 0.0
        assert outcome.refused == {"AccessDeniedException"}
    for client in clients:
        client.close()
