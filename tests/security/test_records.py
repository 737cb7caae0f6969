"""No use and no refusal without a record, no deletion whose names are in none, whatever a request is made of."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from fuin.advice.retrace import CannotRetrace, Retraced, retrace
from fuin.audit import reader
from fuin.cli.request_story import request_steps
from fuin.errors import FormatError, KeyholderFailed, KeyholderUnavailable
from fuin.formats import context, notes
from fuin.gate import drafts, record
from fuin.gate.call import Call
from fuin.identity import app as identity
from fuin.identity.app import QueryWire
from fuin.kms import parameters
from fuin.kms.app import KmsWire
from fuin.s3 import app as s3
from fuin.s3.app import S3Wire
from fuin.s3.multipart import completion
from fuin.s3.objects import objects as deletions
from fuin.store.errors import NotInMemory
from fuin.store.s3 import uploads as unfinished
from fuin.store.s3.deletions import Removal
from tests.security.edges import Edges, closing, names
from tests.support.place import ACCOUNT
from tests.support.policies import allow
from tests.support.server import User, new_user

ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
LONG = {"a": "\x01" * 60_000}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    """Give all services in this process."""
    made = Edges(tmp_path_factory.mktemp("edges"))
    yield made
    made.close()


def denying(action: str, how: str, value: str) -> dict[str, Any]:
    """Return a statement that denies by a value of the encryption context."""
    condition = {how: {"kms:EncryptionContext:a": value}}
    return {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition}


def key(place: Edges, *statements: dict[str, Any]) -> str:
    """Make a key whose policy has these statements beside the account's own."""
    return place.new_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [ROOT, *statements]}))


def request_of(answer: dict[str, Any]) -> str:
    """Return the request id of an answer."""
    found = answer["ResponseMetadata"]
    return str(found.get("RequestId") or found["HTTPHeaders"]["x-amz-request-id"])


def refused(error: pytest.ExceptionInfo[ClientError]) -> dict[str, Any]:
    """Return the answer of a refusal."""
    response: dict[str, Any] = error.value.response
    return response


def test_a_refused_use_with_two_long_contexts_is_on_the_record(place: Edges) -> None:
    """ReEncrypt to a key that the caller may not use is refused as such and recorded, with both contexts' hashes."""
    source = key(place, denying("kms:ReEncryptFrom", "StringEquals", "never"))
    target = key(place, denying("kms:ReEncryptTo", "StringLike", "*"))
    kms = place.kms()
    blob = kms.encrypt(KeyId=source, Plaintext=b"x", EncryptionContext=LONG)["CiphertextBlob"]
    with pytest.raises(ClientError, match="AccessDeniedException") as error:
        kms.re_encrypt(
            CiphertextBlob=blob, SourceEncryptionContext=LONG, DestinationKeyId=target,
            DestinationEncryptionContext=LONG,
        )  # fmt: skip
    draft = closing(place.record(request_of(refused(error)))).draft
    assert (draft["error"], [one["allowed"] for one in draft["decisions"]]) == ("AccessDeniedException", [True, False])
    use = draft["facts"]["refusedUse"]
    assert (use["use"], use["key"]) == ("kms:ReEncryptTo", target)
    assert use["context"]["sha256"] == hashlib.sha256(context.encode(LONG)).hexdigest()
    assert draft["decisions"][1]["keys"]["kms:encryptioncontext:a"] == [notes.text_note(LONG["a"])]
    assert any("REFUSED" in step for step in request_steps(place.record(draft["request"])))


def test_an_allowed_use_with_two_long_contexts_works(place: Edges) -> None:
    """Both uses are done and recorded; the short pairs stand there, and the hash tells which the long ones were."""
    source, target = key(place, denying("kms:ReEncryptFrom", "StringEquals", "never")), key(place)
    kms, pairs = place.kms(), {"tenant": "a", "long": "\x01" * 60_000}
    blob = kms.encrypt(KeyId=source, Plaintext=b"x", EncryptionContext=pairs)["CiphertextBlob"]
    answer = kms.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext=pairs, DestinationKeyId=target, DestinationEncryptionContext=pairs
    )
    assert kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=pairs)["Plaintext"] == b"x"
    records = place.record(request_of(answer))
    assert [(one.use, one.outcome) for one in records] == [("re-encrypt-from", "ok"), ("re-encrypt-to", "ok")]
    note = {
        "sha256": hashlib.sha256(context.encode(pairs)).hexdigest(), "bytes": len(context.encode(pairs)), "pairs": 2,
        "holds": {"tenant": "a"},
    }  # fmt: skip
    assert [one.draft["context"] for one in records] == [note, note]
    assert any("of 2 pairs" in step and "{tenant=a}" in step for step in request_steps(records))


def document(keys: list[str]) -> bytes:
    """Return the body of DeleteObjects."""
    return f"<Delete>{''.join(f'<Object><Key>{escape(one)}</Key></Object>' for one in keys)}</Delete>".encode()


def delete(place: Edges, bucket: str, keys: list[str], user: User | None) -> str:
    """Delete objects and return the request's id."""
    body = document(keys)
    told = place.ask("s3", "POST", f"/{bucket}?delete", place.md5(body), body, user)
    assert told.status == 200, told
    return told.request_id


def test_all_that_is_deleted_is_named_before(place: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand keys of the greatest length are named on the disk when the first of them is removed."""
    bucket = place.bucket()
    keys = [f"{number:04}/{'k' * 1019}" for number in range(1000)]
    place.s3().put_object(Bucket=bucket, Key=keys[-1], Body=b"x")
    before: list[dict[str, Any]] = []
    remove = deletions._delete_all

    def looked_at(*given: Any) -> Removal:
        before.extend(dict(entry.draft) for entry in reader.last(place.settings.audit, 80))
        return remove(*given)

    monkeypatch.setattr(deletions, "_delete_all", looked_at)
    request = delete(place, bucket, keys, place.root)
    found = [draft for draft in before if draft.get("request") == request]
    assert names(found, allowed=True) == [f"arn:aws:s3:::{bucket}/{one}" for one in keys]
    assert [draft.get("piece") for draft in found] == [*range(1, len(found)), None]
    assert (found[-1]["about"], found[-1]["pieces"], found[-1]["facts"]["objects"]) == ("delete", len(found) - 1, 1000)
    after = place.drafts(request)
    assert after[: len(found)] == found
    assert len(after) == len(found) + 1
    assert "error" not in closing(place.record(request)).draft
    assert len(json.dumps(after)) < 1.2 * sum(map(len, keys))  # each name once, and little else
    place.settle()


def test_what_was_refused_is_named_too(place: Edges) -> None:
    """Of many keys the record tells which might be deleted and which might not, each by its name."""
    bucket = place.bucket()
    user = place.add_user(allow("s3:DeleteObject", resource=f"arn:aws:s3:::{bucket}/mine/*"))
    keys = [f"{'mine' if number % 3 else 'theirs'}/{number}" for number in range(100)]
    request = delete(place, bucket, keys, user)
    drafts_of = place.drafts(request)
    for kind, allowed in (("mine", True), ("theirs", False)):
        asked = [f"arn:aws:s3:::{bucket}/{one}" for one in keys if one.startswith(kind)]
        assert names(drafts_of, allowed=allowed) == asked
    assert drafts_of[-1]["facts"]["refused"] == 34
    steps = request_steps(place.record(request))
    assert any("and 55 more (--json names them all): allowed" in step for step in steps), steps
    assert any("REFUSED, because no identity-based policy allows s3:DeleteObject on it" in step for step in steps)
    assert steps[-1] == "Answered with 200, but 34 of 100 were refused in it."


def test_few_deletions_stand_in_one_record(place: Edges) -> None:
    """Up to eight decisions are repeated in each record, as those of all other requests are."""
    bucket = place.bucket()
    drafts_of = place.drafts(delete(place, bucket, ["a", "b"], place.root))
    assert [(draft.get("about"), draft.get("piece")) for draft in drafts_of] == [("delete", None), (None, None)]
    for draft in drafts_of:
        assert names([draft], allowed=True) == [f"arn:aws:s3:::{bucket}/{one}" for one in "ab"]


def test_nothing_is_deleted_when_the_names_cannot_be_recorded(place: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece that the keyholder does not take is enough: the objects stay."""
    bucket = place.bucket()
    keys = [f"k{number}" for number in range(40)]
    place.s3().put_object(Bucket=bucket, Key="k7", Body=b"x")
    record = place.services.keyholder.record

    async def refusing(draft: bytes) -> None:
        if b'"piece":1' in draft:
            raise KeyholderUnavailable("not now")
        await record(draft)

    monkeypatch.setattr(place.services.keyholder, "record", refusing)
    body = document(keys)
    assert place.ask("s3", "POST", f"/{bucket}?delete", place.md5(body), body, place.root).status == 503
    monkeypatch.undo()
    assert place.s3().get_object(Bucket=bucket, Key="k7")["Body"].read() == b"x"


def test_an_upload_names_all_that_it_is_made_of(place: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blobs of all parts are on the record before they become the object; what is read names some, and the ETag."""
    monkeypatch.setattr(completion, "PART_AT_LEAST", 1)
    client, bucket = place.s3(), place.bucket()
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    of = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**of, PartNumber=number, Body=b"x")["ETag"]}
        for number in range(1, 25)
    ]
    done = client.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})
    piece, announced, last = place.drafts(request_of(done))
    assert len(set(piece["facts"]["blobs"])) == 24
    assert (piece["piece"], announced["about"], announced["pieces"]) == (1, "change", 1)
    assert last["facts"]["blobs"] == piece["facts"]["blobs"][:20]
    read = place.drafts(request_of(client.get_object(Bucket=bucket, Key="k")))[-1]
    assert (read["facts"]["etag"], read["facts"]["parts"]) == (last["facts"]["etag"], 24)


def test_an_upload_is_named_before_it_is_given_up(place: Edges) -> None:
    """AbortMultipartUpload removes parts: key and upload stand on the record before that."""
    client, bucket = place.s3(), place.bucket()
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    announced, last = place.drafts(request_of(client.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)))
    assert (announced["about"], announced["facts"]["uploadId"], announced["facts"]["key"]) == ("delete", upload, "k")
    assert "about" not in last


def test_uploads_that_go_with_their_bucket_are_named_before(place: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    """DeleteBucket removes what nobody finished: each upload stands on the record first, or nothing is removed."""
    client, bucket = place.s3(), place.bucket()
    uploads = {key: client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("a", "b")}
    of = {"Bucket": bucket, "Key": "a", "UploadId": uploads["a"]}
    client.upload_part(**of, PartNumber=1, Body=b"x")
    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "list_names", lambda *_: {uploads["a"]: "a"})  # the other one was begun since
        told = place.ask("s3", "DELETE", f"/{bucket}", {}, b"", place.root)
    assert (told.status, told.code) == (409, "OperationAborted")
    assert [part["PartNumber"] for part in client.list_parts(**of)["Parts"]] == [1]
    request = place.ask("s3", "DELETE", f"/{bucket}", {}, b"", place.root).request_id
    piece, announced, last = place.drafts(request)
    assert {one["key"]: one["uploadId"] for one in piece["facts"]["uploads"]} == uploads
    assert (announced["about"], announced["pieces"], announced["facts"]["unfinishedUploads"]) == ("change", 1, 2)
    assert "error" not in last


def test_an_answer_that_broke_off_is_on_the_record(place: Edges) -> None:
    """A frame that does not hold is met after the status has gone out: the last record says so all the same."""
    bucket, before = place.bucket(), set(place.blobs())
    place.s3(checksums=False).put_object(Bucket=bucket, Key="k", Body=bytes(6_000_000))
    (blob,) = set(place.blobs()) - before
    stored = bytearray(blob.read_bytes())
    stored[-1] ^= 1
    blob.write_bytes(stored)
    answer = place.s3(checksums=False).get_object(Bucket=bucket, Key="k")
    with pytest.raises(ResponseStreamingError):
        answer["Body"].read()
    request = request_of(answer)
    draft = closing(place.record(request)).draft
    assert (draft["error"], draft["message"]) == ("InternalError", "The answer broke off: TamperedError.")
    assert (draft["facts"]["bucket"], draft["facts"]["key"]) == (bucket, "k")


def spoiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what each service says of its parameters be nothing that a record can hold."""
    monkeypatch.setattr(parameters, "describe", lambda *_: object())
    monkeypatch.setattr(identity, "_remove_secrets", lambda _: {"a": object()})
    monkeypatch.setattr(s3, "_address_facts", lambda _: {"bucket": object()})


ASKED = {
    "kms": ("POST", "/", {"X-Amz-Target": "TrentService.CreateKey"}, b"{}"),
    "iam": ("POST", "/", {}, b"Action=ListUsers&Version=2010-05-08"),
    "sts": ("POST", "/", {}, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "s3": ("GET", "/some-bucket", {}, b""),
}  # fmt: skip


@pytest.mark.parametrize("service", ASKED)
def test_a_record_that_cannot_be_made_is_an_error_on_the_record(
    place: Edges, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    """A fault of ours in a record gives no answer but an internal error, and a small record that says so."""
    spoiled(monkeypatch)
    told = place.ask(service, *ASKED[service], place.root)
    draft = closing(place.record(told.request_id)).draft
    assert told.status == 500
    assert (draft["error"], draft["message"]) == (told.code, "the record could not be made: TypeError")
    assert draft["operation"].startswith(f"{service}:")
    assert draft["principal"] == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize("service", ASKED)
def test_without_any_record_there_is_only_an_error(
    place: Edges, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:  # fmt: skip
    """When not even the small record can be made, the answer still is one of AWS's form that says nothing else."""

    def broken(*_: Any, **__: Any) -> bytes:
        raise FormatError("no record")

    monkeypatch.setattr(drafts, "encode", broken)
    monkeypatch.setattr(record, "draft", broken)
    monkeypatch.setattr(Call, "draft", broken)
    told = place.ask(service, *ASKED[service], place.root)
    assert (told.status, bool(told.code), bool(told.request_id)) == (500, True, True)
    assert place.record(told.request_id) == []


def test_what_the_keyholder_says_it_cannot_do_is_on_the_record(
    place: Edges, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A keyholder that answers can record, too: only one that cannot be reached leaves an error without a record."""
    target = place.new_key()

    def failing(*_: Any) -> Any:
        raise KeyholderFailed("the keyholder failed")

    monkeypatch.setattr(place.services.keyholder, "encrypt", failing)
    with pytest.raises(ClientError, match="ServiceUnavailable") as error:
        place.kms().encrypt(KeyId=target, Plaintext=b"x")
    assert closing(place.record(request_of(refused(error)))).draft["error"] == "ServiceUnavailable"


def strangers(bucket: str, known: User) -> Iterator[tuple[str, str, str, dict[str, str], bytes, User | None]]:
    """Yield requests of strangers that are as long as the server takes them."""
    path = f"/{bucket}/" + "%01" * 1024
    unknown = User("x", "A" + "\xe9" * 20, "secret" * 7)
    wrong = User("x", known.access_key_id, "wrong" * 8)
    agent = {"User-Agent": "\xe9" * 12_000, "Referer": '"' * 12_000}
    yield "s3", "GET", path, {}, b"", None
    yield "s3", "GET", path, agent, b"", None
    yield "s3", "PUT", path, {**agent, "x-amz-acl": "a" * 4000}, b"x", None
    yield "s3", "GET", "/" + "%01" * 255 + "/" + "%01" * 1024, agent, b"", None
    yield "s3", "GET", "/" + "%01" * 9000, {}, b"", None
    yield "s3", "DELETE", path, agent, b"", wrong
    scope = f"{'A' * 9000}/20261129/us-east-1/s3/aws4_request"
    long = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    stamp = {"x-amz-date": "20261129T000000Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    yield "s3", "GET", path, {**stamp, "Authorization": long}, b"", None
    yield "s3", "GET", path, {}, b"", User("x", "A" * 9000, "secret")
    yield "s3", "GET", path, {"Authorization": "AWS4-HMAC-SHA256 " + "\xe9" * 20_000}, b"", None
    keys = [f"{number}\x85" + "\x85" * 500 for number in range(1000)]
    yield "s3", "POST", f"/{bucket}?delete", {**agent, **Edges.md5(document(keys))}, document(keys), None
    keys = [f"{number}" for number in range(1000)]
    yield "s3", "POST", f"/{bucket}?delete", {**agent, **Edges.md5(document(keys))}, document(keys), None
    target = {"X-Amz-Target": "TrentService." + "\xe9" * 6000}
    for body in (b"{}", b'{"a":"' + b"\\u0001" * 100_000 + b'"}'):
        yield "kms", "POST", "/", {**agent, **target}, body, None
        yield "kms", "POST", "/", {"X-Amz-Target": "TrentService.Encrypt"}, body, wrong
        yield "kms", "POST", "/", {"X-Amz-Target": "TrentService.Encrypt"}, body, unknown
    form = b"Action=AssumeRoleWithWebIdentity&RoleSessionName=" + b"%01" * 50_000
    for user in (None, wrong, unknown):
        yield "sts", "POST", "/", agent, form, user
        yield "iam", "POST", "/", agent, b"Action=" + b"A" * 100_000, user


def test_a_strangers_refusal_leaves_a_small_record(place: Edges) -> None:
    """Whatever anybody on the network sends, each record of its refusal has at most two kilobytes of the log."""
    bucket = place.bucket()
    conditions = {"StringLike": {"aws:UserAgent": "never", "aws:Referer": "never", "s3:x-amz-acl": "never"}}
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statements = [
        {"Sid": f"S{number}", "Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": resources,
         "Condition": conditions}
        for number, effect in enumerate(["Deny", "Allow", "Allow", "Allow", "Allow"])
    ]  # fmt: skip
    place.put_policy(bucket, *statements)
    sizes = {}
    for number, asked in enumerate(strangers(bucket, place.root)):
        told = place.ask(*asked)
        found = place.sizes(told.request_id)
        draft = closing(place.record(told.request_id)).draft
        assert draft.get("error", "") == told.code, (number, told)
        assert draft["principal"] == "*" or draft["principal"] == "anonymous", draft
        sizes[number] = max(found)
        assert sum(found) <= 2048 or "?delete" in asked[2], (number, asked[:3], found)
    assert max(sizes.values()) <= 2048, sizes
    assert place.post("TrentService.ListKeys", b"{}", user=new_user("nobody"))[0] == 400


def test_a_stranger_who_asks_for_many_deletions_is_named_each_refusal(place: Edges) -> None:
    """The refusals of a stranger's DeleteObjects stand in as many small records as it takes, and all are named."""
    bucket = place.bucket()
    place.put_policy(bucket, allow_reading(bucket))
    keys = [f"k{number}" for number in range(300)]
    drafts_of = place.drafts(delete(place, bucket, keys, None))
    assert names(drafts_of, allowed=False) == [f"arn:aws:s3:::{bucket}/{one}" for one in keys]
    assert drafts_of[-1]["pieces"] == len(drafts_of) - 1


def allow_reading(bucket: str) -> dict[str, Any]:
    """Return a statement that lets everybody read a bucket's objects."""
    return {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}


async def evaluated(place: Edges, draft: dict[str, Any], decision: dict[str, Any]) -> Retraced:
    """Evaluate a decision anew, in the thread that has the store."""
    return place.services.store.read_sync(retrace, draft, decision)


def test_a_value_known_by_its_hash_is_not_certain_when_evaluated_anew(place: Edges) -> None:
    """`fuin explain` does not take what the record does not hold for absent, nor a hash for a resource's name."""
    source, target = key(place), key(place, denying("kms:ReEncryptTo", "StringLike", "*"))
    kms = place.kms()
    blob = kms.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
    for given, certain in ((LONG, False), ({"a": "b"}, True)):
        with pytest.raises(ClientError, match="AccessDenied") as error:
            kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target, DestinationEncryptionContext=given)
        draft = closing(place.record(request_of(refused(error)))).draft
        retraced = place.run(evaluated(place, draft, draft["decisions"][-1]))
        found = [item for policy in retraced.evaluation.policies for item in policy.statements if item.effect == "Deny"]
        assert [item.certain for item in found] == [certain]
        unnamed = {**draft["decisions"][-1], "policies": [], "keys": {}}  # a policy names the pair since
        retraced = place.run(evaluated(place, draft, unnamed))
        found = [item for policy in retraced.evaluation.policies for item in policy.statements if item.effect == "Deny"]
        assert [item.certain for item in found] == [certain]
    with pytest.raises(CannotRetrace, match="by its hash only"):
        place.run(evaluated(place, draft, {**draft["decisions"][-1], "resource": notes.text_note("x")}))


@pytest.mark.parametrize(
    ("service", "wire"), [("kms", KmsWire), ("iam", QueryWire), ("sts", QueryWire), ("s3", S3Wire)]
)
def test_a_decision_outside_of_consult_is_refused_on_the_record(
    place: Edges, monkeypatch: pytest.MonkeyPatch, service: str, wire: type[Any]
) -> None:
    """Rows that are not in memory, and that nobody fetches, end in an answer of 5xx with its record."""

    async def fetch() -> None:
        raise AssertionError

    async def miss(*_: Any) -> None:
        raise NotInMemory(fetch)

    monkeypatch.setattr(wire, "run", miss)
    told = place.ask(service, *ASKED[service], place.root)
    assert told.status in {500, 503}
    assert closing(place.record(told.request_id)).draft["error"] == told.code
