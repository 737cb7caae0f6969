"""What one process's end does to the others, and to the requests under way."""

import threading
from collections.abc import Callable

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.processes import descendants, is_alive, wait_until
from tests.support.server import Server

pytestmark = pytest.mark.real


def test_supervisors_end_takes_the_others_with_it(new_server: Callable[..., Server]) -> None:
    """When the supervisor alone is killed, workers and keyholder end too: nobody serves unwatched, no key stays."""
    server = new_server("supervisor")
    server.start()
    others = descendants(server.pid)
    assert len(others) == 3
    psutil.Process(server.pid).kill()
    wait_until(lambda: not any(is_alive(process) for process in others), 60, "workers and keyholder end")
    server.kill()
    server.start()
    assert server.client("kms").list_keys()["Keys"] == []
    server.stop()


def test_requests_get_a_clean_error_while_the_keyholder_is_away(new_server: Callable[..., Server]) -> None:
    """Without retries, each request is answered or gets a 5xx that AWS models; no connection breaks, nothing hangs."""
    server = new_server("keyholder")
    server.start()
    key_id = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    stop = threading.Event()
    successes: list[int] = []
    failures: list[Exception] = []

    def load() -> None:
        kms = server.new_client("kms", retry=False)
        while not stop.is_set():
            try:
                kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
                successes.append(1)
            except (ClientError, BotoCoreError) as error:
                failures.append(error)
        kms.close()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        before = len(successes)
        wait_until(lambda at=before: len(successes) > at + 20, 60, "requests succeed")  # type: ignore[misc]
        server.keyholder().kill()
        server.wait_healthy()
    stop.set()
    for thread in threads:
        thread.join()
    assert all(isinstance(error, ClientError) for error in failures), failures
    statuses = {error.response["ResponseMetadata"]["HTTPStatusCode"] for error in failures}  # type: ignore[attr-defined]
    assert statuses <= {500, 503}
    server.stop()


def test_retrying_client_does_not_notice_a_killed_keyholder(new_server: Callable[..., Server]) -> None:
    """With the SDK's own retries every request succeeds across a keyholder's end."""
    server = new_server("retry")
    server.start()
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    for _ in range(3):
        server.keyholder().kill()
        assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
        server.wait_healthy()
    server.stop()
