"""What takes long keeps no right: a request that waits for its RSA key is looked at again when the key is there."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.gate.services import SLOW_AT_MOST
from tests.kms.asking import refusal
from tests.kms.importing import FOR_EVER, brought, fresh
from tests.support.place import ACCOUNT, Place
from tests.support.policies import allow
from tests.support.server import User


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a key service."""
    made = Place(tmp_path_factory.mktemp("slow") / "data")
    yield made
    made.close()


@contextmanager
def held_answers(place: Place, operation: str) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """Hold back the keyholder's answers to an operation; gives threads to ask from, and what tells of the first answer.

    The request waits as behind many other slow keys, for as long as the test likes.
    """
    keyholder, answered, go = place.services.keyholder, threading.Event(), threading.Event()
    answer_of = getattr(keyholder, operation)

    async def hold(*given: object) -> object:
        answer = await answer_of(*given)
        answered.set()
        await asyncio.to_thread(go.wait, 60)
        return answer

    with ThreadPoolExecutor(2) as threads, pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyholder, operation, hold)
        try:
            yield threads, answered
        finally:
            go.set()


def code_of(asked: "Future[Any]") -> str:
    """Return the code of the error that a request is answered with, or nothing."""
    try:
        asked.result(60)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize(
    "operation", ["generate_data_key_pair", "generate_data_key_pair_without_plaintext"]
)  # fmt: skip
def test_a_pair_of_a_key_that_was_disabled_meanwhile(service: Place, operation: str) -> None:
    """When DisableKey has returned, nobody gets a pair any more, also who asked before and waited in the queue."""
    kms = service.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    ask: Callable[..., Any] = getattr(kms, operation)
    with held_answers(service, operation.removeprefix("generate_")) as (threads, answered):
        asked = threads.submit(ask, KeyId=key_id, KeyPairSpec="RSA_2048")
        assert answered.wait(60)
        kms.disable_key(KeyId=key_id)
        assert not asked.done()
    assert code_of(asked) == "DisabledException"


def test_a_pair_of_a_user_whose_right_was_taken_away(service: Place) -> None:
    """A user whose policy has changed meanwhile gets no pair, and the refusal is on the record."""
    kms = service.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    user = service.add_user(allow("kms:GenerateDataKeyPair"))
    theirs = service.kms(user)
    with held_answers(service, "data_key_pair") as (threads, answered):
        asked = threads.submit(theirs.generate_data_key_pair, KeyId=key_id, KeyPairSpec="RSA_2048")
        assert answered.wait(60)
        service.set_policy(user, allow("kms:ListKeys"))
        assert not asked.done()
    with pytest.raises(ClientError) as caught:
        asked.result(60)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    records = service.record(caught.value.response["ResponseMetadata"]["RequestId"])
    assert len(records) == 2
    assert records[-1].draft["error"] == "AccessDeniedException"


def test_an_import_by_a_user_whose_right_was_taken_away(service: Place) -> None:
    """A user who may import no more when the material is unwrapped does not change the key."""
    kms = service.kms()
    key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    user: User = service.add_user(allow("kms:ImportKeyMaterial"))
    theirs = service.kms(user)
    given = brought(kms, key_id, fresh())
    with held_answers(service, "import_material") as (threads, answered):
        asked = threads.submit(theirs.import_key_material, **given, **FOR_EVER)
        assert answered.wait(60)
        service.set_policy(user, allow("kms:ListKeys"))
        assert not asked.done()
    assert code_of(asked) == "AccessDeniedException"
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_one_account_does_not_fill_the_queue(service: Place) -> None:
    """An account with its share of keys under way is throttled, for whatever takes long; other accounts go on."""
    kms, others = service.kms(), service.kms(service.other_root)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    imported = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    given = brought(kms, imported, fresh())
    pair, sort = {"KeyId": key_id, "KeyPairSpec": "RSA_2048"}, {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
    wrapping = {"KeyId": imported, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    with ExitStack() as full:
        for _ in range(SLOW_AT_MOST):
            full.enter_context(service.services.slow.slot(ACCOUNT))
        for ask, members in (
            (kms.generate_data_key_pair, pair),
            (kms.generate_data_key_pair_without_plaintext, pair),
            (kms.create_key, sort),
            (kms.get_parameters_for_import, wrapping),
            (kms.import_key_material, given | FOR_EVER),
        ):
            assert refusal(ask, **members)[0] == "ThrottlingException"
        others.create_key(**sort)
        kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
    kms.import_key_material(**given, **FOR_EVER)
