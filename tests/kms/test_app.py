"""The HTTP edge: signatures, targets, bodies, headers, and what happens when the keyholder or the store is away."""

import asyncio
import base64
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuin.errors import KeyholderUnavailable, StoreUnavailable
from fuin.keyholder.wire import line
from fuin.kms.operations import OPERATIONS
from tests.kms.asking import NewKey, refusal
from tests.support.place import Place
from tests.support.server import User, new_user


def target(operation: str) -> str:
    """Return an operation's X-Amz-Target."""
    return f"TrentService.{operation}"


def check_form(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Check what every answer has and return the code of an error."""
    assert str(uuid.UUID(headers["x-amzn-requestid"])) == headers["x-amzn-requestid"]
    assert headers["content-type"] == "application/x-amz-json-1.1"
    if status == 200:
        return ""
    assert headers["x-amzn-errortype"] == body["__type"]
    assert set(body) <= {"__type", "message"}
    assert body.get("message") != ""
    code: str = body["__type"]
    return code


def test_answer_has_the_form_of_json_1_1(place: Place) -> None:
    """A success is a JSON object with the headers of AWS; operations without output answer with an empty one."""
    answer = place.post(target("ListKeys"), b"{}")
    assert check_form(*answer) == ""
    assert answer[1].keys() >= {"Keys", "Truncated"}
    _, made, _ = place.post(target("CreateKey"), b"")
    key_id = made["KeyMetadata"]["KeyId"]
    assert isinstance(made["KeyMetadata"]["CreationDate"], float)
    status, body, _ = place.post(target("EnableKey"), json.dumps({"KeyId": key_id}).encode())
    assert (status, body) == (200, {})


@pytest.mark.parametrize("named", [None, "", "TrentService.", "TrentService.NoSuch", "Other.ListKeys", "listkeys"])
def test_unknown_operations(place: Place, named: str | None) -> None:
    """A target that is none is UnknownOperationException."""
    status, body, headers = place.post(named, b"{}")
    assert (status, check_form(status, body, headers)) == (400, "UnknownOperationException")
    assert "message" not in body


def test_unsigned_request(place: Place) -> None:
    """A request without a signature is refused and recorded, with nobody as its principal."""
    status, body, headers = place.post(target("ListKeys"), b"{}", signed=False)
    assert (status, check_form(status, body, headers)) == (400, "MissingAuthenticationTokenException")
    (record,) = place.record(headers["x-amzn-requestid"])
    assert record.draft["error"] == "MissingAuthenticationTokenException"
    assert record.draft["operation"] == "kms:ListKeys"
    assert record.draft["principal"] == "*"


def test_wrong_secret_and_unknown_key(place: Place) -> None:
    """A wrong secret is a wrong signature; a key that nobody has is unknown."""
    wrong = User("root", place.root.access_key_id, "x" * 40)
    assert check_form(*place.post(target("ListKeys"), b"{}", user=wrong)) == "InvalidSignatureException"
    stranger = new_user("stranger")
    assert check_form(*place.post(target("ListKeys"), b"{}", user=stranger)) == "UnrecognizedClientException"


@pytest.mark.parametrize("region", ["*", "a.b", "x" * 65])
def test_scope_of_no_region(place: Place, region: str) -> None:
    """Any region may be used, but what stands in ARNs is a name."""
    status, body, headers = place.post(target("ListKeys"), b"{}", region=region)
    assert (status, check_form(status, body, headers)) == (400, "InvalidSignatureException")
    assert body["message"] == "Credential should be scoped to a valid region."


def test_operations_are_posted(place: Place) -> None:
    """No other method names an operation."""
    for method in ("GET", "PUT", "DELETE"):
        answer = place.post(target("ListKeys"), b"", method=method)
        assert (answer[0], check_form(*answer)) == (400, "UnknownOperationException")


def test_scope_of_another_service(place: Place) -> None:
    """A signature for another service is none for this one."""
    status, body, headers = place.post(target("ListKeys"), b"{}", service="s3")
    assert check_form(status, body, headers) == "InvalidSignatureException"
    assert body["message"] == "Credential should be scoped to correct service: 'kms'. "


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b'{"Limit":"1"}', "SerializationException"),
        (b'{"Limit":1.5}', "SerializationException"),
        (b'{"Marker":"\xff"}', "SerializationException"),
        (b'{"x":' + b"[" * 200_000, "SerializationException"),
        (b'{"Limit":0}', "ValidationException"),
        (b'{"Limit":99999999999999999999999}', "ValidationException"),
        (b" " * (1024 * 1024 + 1), "RequestEntityTooLargeException"),
    ],
)
def test_bodies_that_are_none(place: Place, body: bytes, code: str) -> None:
    """Bodies that are not JSON, not of the right types, out of range or too large are told apart."""
    status, answer, headers = place.post(target("ListKeys"), body)
    assert check_form(status, answer, headers) == code
    assert status == (413 if code == "RequestEntityTooLargeException" else 400)
    (record,) = place.record(headers["x-amzn-requestid"])
    assert record.draft["error"] == code


def test_every_request_is_recorded(place: Place, kms: Any, new_key: NewKey) -> None:
    """Successes, refusals and uses of keys each leave exactly one record that says who, what and why."""
    key_id = new_key()
    described = kms.describe_key(KeyId=key_id)
    (record,) = place.record(described["ResponseMetadata"]["RequestId"])
    assert record.draft["operation"] == "kms:DescribeKey"
    assert record.draft["principal"].endswith(":root")
    assert record.draft["facts"]["kmsKey"].endswith(key_id)
    assert record.draft["decisions"][0]["allowed"] is True
    assert "error" not in record.draft
    used = kms.encrypt(KeyId=key_id, Plaintext=b"secret text", EncryptionContext={"a": "b"})
    (record,) = place.record(used["ResponseMetadata"]["RequestId"])
    assert record.key_id == key_id
    assert (record.draft["use"], record.draft["context"]) == ("kms:Encrypt", {"a": "b"})
    assert record.draft["key"].endswith(key_id)
    assert "secret" not in json.dumps(record.draft)
    assert base64.b64encode(b"secret text").decode() not in json.dumps(record.draft)


def test_refused_uses_are_recorded(place: Place, kms: Any, new_key: NewKey) -> None:
    """A use that the rights, the state or the ciphertext refuse is in the log with its key, context and reason."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    status, _, headers = place.post(
        target("Decrypt"),
        json.dumps({"CiphertextBlob": base64.b64encode(blob).decode(), "EncryptionContext": {"c": "d"}}).encode(),
    )
    assert status == 400
    (record,) = place.record(headers["x-amzn-requestid"])
    assert (record.key_id, record.outcome == "ok") == (key_id, False)
    user = place.add_user()
    asked = json.dumps({"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": {"c": "d"}}).encode()
    status, _, headers = place.post(target("GenerateDataKey"), asked, user=user)
    (record,) = place.record(headers["x-amzn-requestid"])
    assert record.draft["error"] == "AccessDeniedException"
    assert record.draft["facts"]["refusedUse"]["use"] == "kms:GenerateDataKey"
    assert record.draft["facts"]["refusedUse"]["context"] == {"c": "d"}
    assert record.draft["decisions"][0]["allowed"] is False
    assert record.draft["principal"].endswith(user.name)
    kms.disable_key(KeyId=key_id)
    status, _, headers = place.post(target("GenerateDataKey"), asked)
    (record,) = place.record(headers["x-amzn-requestid"])
    assert record.draft["error"] == "DisabledException"
    assert record.draft["facts"]["refusedUse"]["key"].endswith(key_id)


def test_re_encrypt_leaves_two_records(place: Place, kms: Any, new_key: NewKey) -> None:
    """ReEncrypt uses two keys, and each use has its record."""
    old, new = new_key(), new_key()
    blob = kms.encrypt(KeyId=old, Plaintext=b"x")["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=new)
    records = place.record(moved["ResponseMetadata"]["RequestId"])
    assert [record.key_id for record in records] == [old, new]
    assert [record.draft["use"] for record in records] == ["kms:ReEncryptFrom", "kms:ReEncryptTo"]


@pytest.fixture
def own_place(tmp_path: Path) -> Any:
    """Give a key service of this test's own."""
    made = Place(tmp_path / "data")
    yield made
    made.close()


def test_no_keyholder_no_answer(own_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the keyholder every request is an error that clients try again, until it is back."""
    monkeypatch.setattr(line, "CONNECT_LIMIT", 0.1)
    kms = own_place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    path = own_place.settings.keyholder_socket
    own_place.stop_keyholder()
    path.rename(path.with_suffix(".away"))
    for call, members in (
        (kms.encrypt, {"KeyId": key_id, "Plaintext": b"x"}),
        (kms.describe_key, {"KeyId": key_id}),
        (kms.describe_key, {"KeyId": "none"}),
    ):
        assert refusal(call, **members) == (
            "ServiceUnavailable",
            "The request could not be completed; it can be tried again.",
        )
    path.with_suffix(".away").rename(path)
    own_place.start_keyholder()
    kms.encrypt(KeyId=key_id, Plaintext=b"x")


def test_no_store_no_answer(own_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot write or read is an error that clients try again; nothing is acknowledged."""
    kms = own_place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]

    async def full(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(own_place.services.store, "commit", full)
    assert refusal(kms.create_key)[0] == "ServiceUnavailable"
    assert refusal(kms.disable_key, KeyId=key_id)[0] == "ServiceUnavailable"
    monkeypatch.undo()
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"


def test_unrecorded_success_is_no_success(own_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that succeeded but cannot be recorded is answered as an error."""
    kms = own_place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]

    async def lost(_: bytes) -> None:
        raise KeyholderUnavailable("the log cannot be written")

    monkeypatch.setattr(own_place.services.keyholder, "record", lost)
    assert refusal(kms.describe_key, KeyId=key_id)[0] == "ServiceUnavailable"


def test_a_change_is_announced_before_it_is_made(own_place: Place) -> None:
    """What is about to change stands in the log before it changes, so a change without a record cannot be."""
    kms = own_place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    first, last = own_place.record(kms.disable_key(KeyId=key_id)["ResponseMetadata"]["RequestId"])
    assert (first.draft["about"], first.draft["operation"]) == ("change", "kms:DisableKey")
    assert first.draft["decisions"][0]["allowed"]
    assert "about" not in last.draft


def test_a_change_that_cannot_be_announced_is_not_made(own_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the log away nothing changes: the answer is an error, and the key is as it was."""
    kms = own_place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]

    async def lost(_: bytes) -> None:
        raise KeyholderUnavailable("the log cannot be written")

    monkeypatch.setattr(own_place.services.keyholder, "record", lost)
    assert refusal(kms.disable_key, KeyId=key_id)[0] == "ServiceUnavailable"
    monkeypatch.undo()
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Enabled"]


def test_unexpected_errors_say_nothing(
    own_place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in the service is InternalFailure without details; the log names it without the request's content."""
    kms = own_place.kms()

    def broken(*_: object) -> None:
        raise ValueError("secret content")

    monkeypatch.setattr(own_place.services.store, "catalog", broken)
    status, body, headers = own_place.post(target("DescribeKey"), b'{"KeyId":"secret"}')
    assert (status, body) == (500, {"__type": "InternalFailure"})
    request_id = headers["x-amzn-requestid"]
    assert request_id in caplog.text
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    (record,) = own_place.record(request_id)
    assert record.draft["error"] == "InternalFailure"
    monkeypatch.undo()
    kms.list_keys()


def test_damaged_material_is_an_internal_error(own_place: Place) -> None:
    """Wrapped material that the database has damaged opens nothing, and no plaintext leaves."""
    kms = own_place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    own_place.sql("UPDATE sealed_materials SET wrapped = zeroblob(length(wrapped))")
    own_place.run(own_place.services.keyholder.forget(key_id))
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "KMSInternalException"


def test_revoked_access_key(own_place: Place) -> None:
    """An access key that was switched off is unknown from the next request on."""
    user = own_place.add_user()
    own_place.kms(user)
    own_place.sql("UPDATE access_keys SET active = 0 WHERE access_key_id = :id", id=user.access_key_id)
    assert check_form(*own_place.post(target("ListKeys"), b"{}", user=user)) == "UnrecognizedClientException"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = sorted({name for operation in OPERATIONS.values() for name in operation.input.__struct_fields__})
BUILT = sorted(OPERATIONS)


@settings(
    max_examples=300 if os.environ.get("FUIN_LONG") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(BUILT), st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6))
def test_any_json_gets_a_modelled_answer(place: Place, name: str, members: dict[str, Any]) -> None:
    """Whatever JSON arrives is answered with success or a 4xx, never with a 500."""
    status, body, headers = place.post(target(name), json.dumps(members).encode())
    check_form(status, body, headers)
    assert status in {200, 400}, (name, members, body)


def test_many_at_once(place: Place, new_key: NewKey) -> None:
    """Concurrent requests are answered each with its own data key."""
    key_id = new_key()
    asked = json.dumps({"KeyId": key_id, "KeySpec": "AES_256"}).encode()

    async def all_of_them() -> list[str]:
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(None, place.post, target("GenerateDataKey"), asked) for _ in range(40)]
        return [body["Plaintext"] for status, body, _ in await asyncio.gather(*jobs) if status == 200]

    assert len(set(asyncio.run(all_of_them()))) == 40
