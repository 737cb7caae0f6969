"""Grants in the real server: what is given or taken back holds in all workers when the call returns."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

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
        allowed: list[float] = []  # when requests began that were allowed
        refused: set[str] = set()  # the codes of those that were not
        done = threading.Event()
        threads = [threading.Thread(target=_ask, args=(client, blob, allowed, refused, done)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        if way == "revoke":
            root.revoke_grant(KeyId=key_id, GrantId=made["GrantId"])
        else:
            root.retire_grant(GrantToken=made["GrantToken"])
        ended = time.perf_counter()
        time.sleep(0.1)
        done.set()
        for thread in threads:
            thread.join()
        assert allowed
        assert max(allowed) < ended
        assert refused == {"AccessDeniedException"}
    for client in clients:
        client.close()


def _ask(client: Any, blob: bytes, allowed: list[float], refused: set[str], done: threading.Event) -> None:
    """Decrypt until stopped; note when each request began that was allowed, and how the others were refused."""
    while not done.is_set():
        began = time.perf_counter()
        try:
            client.decrypt(CiphertextBlob=blob)
        except ClientError as error:
            refused.add(error.response["Error"]["Code"])
        else:
            allowed.append(began)
